import { group, port } from "../../settings/values.ts";

/** Ports on 127.0.0.1 of machines on this computer. */
export const localGroup = group({
  /** Port of the API. */
  apiPort: port.default(16_443),
  /** The SSH port of a machine is this number plus the machine's place in `machineCidr`. */
  sshPortBase: port.default(22_000),
}).prefault({});
