import { virtualMachine } from "../../node/machine.ts";
import { apiEndpoint } from "../../settings/endpoint.ts";
import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { libvirtGroup } from "./settings.ts";

/** Virtual machines of libvirt. */
export const libvirt: Platform<"libvirt", typeof libvirtGroup> = {
  group: libvirtGroup,
  onThisComputer: false,
  mirrorOnMachines: (folder) => folder,
  balancesApi: () => false,
  check,
  claims: () => [],
  // The network and the pool cannot change under the machines.
  unchanging: ({ machineCidr, libvirt: { networkMode, poolFolder } }) => ({
    machineCidr,
    "libvirt.networkMode": networkMode,
    "libvirt.poolFolder": poolFolder,
  }),
  endpoint: (settings) => {
    const fromMachines = apiEndpoint(settings);
    return { fromMachines, fromOperator: settings.libvirt.endpoint ?? fromMachines };
  },
  traits: () => virtualMachine,
  machines: async (settings, records) =>
    (await import("./machines.ts")).libvirtMachines(settings, records),
};
