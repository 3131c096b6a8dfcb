import { apiEndpoint } from "../../settings/endpoint.ts";
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
  endpoint: (settings) => ({
    fromMachines: apiEndpoint(settings),
    fromOperator: { host: "127.0.0.1", port: settings.local.apiPort },
  }),
  leadTo: async (settings) => (await import("./endpoint.ts")).leadToSharedAddress(settings),
  traits: traitsOfThisComputer,
  machines: async (settings, records) =>
    (await import("./machines.ts")).localMachines(settings, records),
};
