import type { Role } from "./cluster-facts.ts";

/** The memory and disk that the services of a role need on a machine. */
export const room = {
  loadBalancer: { memoryMiB: 200, diskMiB: 256 },
  controller: { memoryMiB: 1_700, diskMiB: 4_096 },
  worker: { memoryMiB: 900, diskMiB: 3_072 },
} as const satisfies Record<Role, object>;
