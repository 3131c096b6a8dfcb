import { formatCidr, parseCidr, sizeOf } from "../ipv4.ts";
import { mistakeAt } from "../mistake.ts";
import { conflicts, type Machine, type Subject } from "./subject.ts";

/** The number of controllers is odd, since each controller is a member of etcd. */
export function memberCount({ draft: { controllers } }: Subject): string[] {
  if (!controllers || controllers.length % 2 === 1) return [];
  if (controllers.length === 0) {
    return [mistakeAt("controllers", "no machine", undefined, "list one, three or five")];
  }
  const todo = `list ${controllers.length - 1} or ${controllers.length + 1}, since an even number survives no more failures than one less`;
  return [mistakeAt("controllers", "an even number of etcd members", controllers.length, todo)];
}

/** Each machine is listed once, with one role. */
export function machinesOnce({ twice }: Subject): string[] {
  return twice.map(({ where, value, earlier }) =>
    mistakeAt(where, `the same machine as ${earlier.where}`, value.name, "leave it in one place"),
  );
}

/** Each machine has a name of its own. */
export function machineNames({ names }: Subject): string[] {
  return conflicts(names).map(({ where, value, earlier }) =>
    mistakeAt(where, `the same as ${earlier.where}`, value, "give each machine a name of its own"),
  );
}

/** The range of pods has an address for each: a machine's own range, or the range of all. The first, the last and the node's own address are not for pods. */
export function maxPods({ machines, podCidr: all, rangePerMachine }: Subject): string[] {
  const nodes = machines.flatMap((machine) => {
    const maxPods = maxPodsOf(machine);
    return maxPods === undefined ? [] : [{ ...machine, maxPods }];
  });
  if (rangePerMachine === false && all) {
    const needed = nodes.reduce((sum, { maxPods }) => sum + maxPods + 1, 2);
    if (sizeOf(all) >= needed) return [];
    const wrong = `too small for the pods of ${nodes.length} machines`;
    const todo = `choose at least a ${prefixFor(needed)}, or a smaller kubelet.maxPods`;
    return [mistakeAt("podCidr", wrong, formatCidr(all), todo)];
  }
  return nodes.flatMap(({ where, podCidr, maxPods }) => {
    const range = parseCidr(podCidr ?? "");
    if (!rangePerMachine || !range || sizeOf(range) - 3 >= maxPods) return [];
    const todo = `choose at least a ${prefixFor(maxPods + 3)}, or a smaller kubelet.maxPods`;
    return [mistakeAt(`${where}.podCidr`, `too small for ${maxPods} pods`, podCidr, todo)];
  });
}

/** How many pods a machine may run; undefined for a load balancer, or if a setting did not parse. */
function maxPodsOf({ pool, kubelet }: Machine): number | undefined {
  if (!pool || !kubelet) return undefined;
  const { maxPods } = { maxPods: 110, ...pool, ...kubelet };
  return Number.isInteger(maxPods) && Number(maxPods) > 0 ? Number(maxPods) : undefined;
}

/** The longest prefix of a network with so many addresses. */
function prefixFor(addresses: number): string {
  return `/${32 - Math.ceil(Math.log2(addresses))}`;
}
