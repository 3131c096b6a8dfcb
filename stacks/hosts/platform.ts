import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { hostsGroup } from "./settings.ts";
import { targetClaims } from "./targets.ts";

/** Machines that exist already. */
export const hosts: Platform<"hosts", typeof hostsGroup> = {
  group: hostsGroup,
  onThisComputer: false,
  mirrorOnMachines: (folder) => folder,
  check,
  claims: targetClaims,
  machines: async (settings, records) =>
    (await import("./machines.ts")).existingHosts(settings, records),
};
