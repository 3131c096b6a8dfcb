import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { localGroup } from "./settings.ts";

/** Containers on this computer. */
export const local: Platform<"local", typeof localGroup> = {
  group: localGroup,
  onThisComputer: true,
  mirrorOnMachines: () => "/opt/kthw-mirror",
  check,
  // A machine's ports follow from its address.
  claims: () => [],
  machines: async (settings, records) =>
    (await import("./machines.ts")).localMachines(settings, records),
};
