import type { Machine } from "../node/machine.ts";
import type { Endpoint } from "../services/cluster-facts.ts";
import type { Settings } from "../settings/settings.ts";
import { existingHosts } from "./hosts/machines.ts";
import { localMachines } from "./local/machines.ts";

/** The machines of a stack, by name, and where its API is reached. */
export interface Machines {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly endpoint: Endpoint;
}

/** Makes the machines that the settings name, on the platform that they name. */
export function makeMachines(settings: Settings): Machines {
  switch (settings.platform) {
    case "local":
      return localMachines(settings);
    case "hosts":
      return existingHosts(settings);
  }
}
