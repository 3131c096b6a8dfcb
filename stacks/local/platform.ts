import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { localGroup } from "./settings.ts";
import { traitsOfThisComputer } from "./traits.ts";

/** Containers on this computer. */
export const local: Platform<"local", typeof localGroup> = {
  group: localGroup,
  onThisComputer: true,
  mirrorOnMachines: () => "/opt/kthw-mirror",
  balancesApi: () => false,
  check,
  // A machine's ports follow from its address.
  claims: () => [],
  unchanging: () => ({}),
  endpoint: ({ local, loadBalancers: [loadBalancer] }) => ({
    fromMachines: { host: loadBalancer!.address, port: 6443 },
    fromOperator: { host: "127.0.0.1", port: local.apiPort },
  }),
  traits: traitsOfThisComputer,
  machines: async (settings, records) =>
    (await import("./machines.ts")).localMachines(settings, records),
};
