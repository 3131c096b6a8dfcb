import { apiEndpoint } from "../../settings/endpoint.ts";
import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { hostsGroup } from "./settings.ts";
import { targetClaims } from "./targets.ts";

/** The platform of existing hosts. */
export const hosts: Platform<"hosts", typeof hostsGroup> = {
  group: hostsGroup,
  onThisComputer: false,
  mirrorOnMachines: (folder) => folder,
  balancesApi: () => false,
  check,
  claims: targetClaims,
  unchanging: () => ({}),
  endpoint: (settings) => {
    const fromMachines = apiEndpoint(settings);
    return { fromMachines, fromOperator: settings.hosts.endpoint ?? fromMachines };
  },
  traits: ({ hosts }) => hosts.traits,
  machines: async (...args) => (await import("./machines.ts")).existingHosts(...args),
};
