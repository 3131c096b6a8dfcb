import { group, port } from "../../settings/values.ts";

/** Ports on 127.0.0.1 of machines on this computer. */
export const localGroup = group({
  /** Port of the API. */
  apiPort: port.default(16_443),
  /** A machine's SSH port less its place in `machineCidr`. */
  sshPortBase: port.default(22_000),
}).prefault({});
