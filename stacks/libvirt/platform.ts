import { virtualMachine } from "../../node/machine.ts";
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
  endpoint: ({ libvirt, loadBalancers: [loadBalancer] }) => {
    const fromMachines = { host: loadBalancer!.address, port: 6443 };
    return { fromMachines, fromOperator: libvirt.endpoint ?? fromMachines };
  },
  traits: () => virtualMachine,
  machines: async (settings, records) =>
    (await import("./machines.ts")).libvirtMachines(settings, records),
};
