import { parseCidr, sizeOf } from "../ipv4.ts";
import { mistakeAt } from "../mistake.ts";
import { conflicts, type Subject } from "./subject.ts";

/** There is exactly one load balancer, or none where the platform has one of its own. */
export function loadBalancerCount({ draft: { loadBalancers }, balancesApi }: Subject): string[] {
  if (!loadBalancers) return [];
  if (balancesApi) {
    if (loadBalancers.length === 0) return [];
    const wrong = "a machine in front of the API beside the platform's own load balancer";
    return [
      mistakeAt("loadBalancers", wrong, loadBalancers.length, "list none, or leave that one out"),
    ];
  }
  if (loadBalancers.length === 1) return [];
  const todo = "list exactly one";
  return loadBalancers.length === 0
    ? [mistakeAt("loadBalancers", "no machine", undefined, todo)]
    : [mistakeAt("loadBalancers", "more than one machine", loadBalancers.length, todo)];
}

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

/** A machine's range has an address for each pod; the first, the last and the bridge's address are not for pods. */
export function maxPods({ machines }: Subject): string[] {
  return machines.flatMap(({ where, podCidr, pool, kubelet }) => {
    const range = parseCidr(podCidr ?? "");
    if (!range || !pool || !kubelet) return [];
    const { maxPods } = { maxPods: 110, ...pool, ...kubelet };
    if (!Number.isInteger(maxPods) || Number(maxPods) <= 0) return [];
    if (sizeOf(range) - 3 >= Number(maxPods)) return [];
    const prefix = 32 - Math.ceil(Math.log2(Number(maxPods) + 3));
    const todo = `choose at least a /${prefix}, or a smaller kubelet.maxPods`;
    return [mistakeAt(`${where}.podCidr`, `too small for ${maxPods} pods`, podCidr, todo)];
  });
}
