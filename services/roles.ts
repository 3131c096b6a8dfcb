import { apiLoadBalancer } from "./api-load-balancer.ts";
import type { ClusterFacts, MachineFacts, NodeFacts } from "./cluster-facts.ts";
import { containerd } from "./containerd.ts";
import { etcd } from "./etcd.ts";
import { healthProxy } from "./health-proxy.ts";
import { kubeApiserver } from "./kube-apiserver.ts";
import { kubeControllerManager } from "./kube-controller-manager.ts";
import { kubeProxy } from "./kube-proxy.ts";
import { kubeScheduler } from "./kube-scheduler.ts";
import { kubelet } from "./kubelet.ts";
import type { Service } from "./service.ts";
import { sharedAddress } from "./shared-address.ts";

/** The services of the control plane on one controller. */
export function controlPlaneServices(facts: ClusterFacts, controller: MachineFacts) {
  return {
    apiserver: kubeApiserver(facts, controller),
    manager: kubeControllerManager(facts),
    scheduler: kubeScheduler(facts),
    ...(facts.healthProxy && { healthProxy: healthProxy(facts) }),
  };
}

/** The services of one load balancer. */
export function loadBalancerServices(facts: ClusterFacts, loadBalancer: MachineFacts) {
  return {
    apiLoadBalancer: apiLoadBalancer(facts),
    ...(facts.sharedAddress !== undefined && { sharedAddress: sharedAddress(facts, loadBalancer) }),
  };
}

/** The services of one machine that runs pods, without those of the pod network. */
export function nodeServices(facts: ClusterFacts, node: NodeFacts) {
  return {
    containerd: containerd(facts, node),
    kubelet: kubelet(facts, node),
    kubeProxy: kubeProxy(facts, node),
  };
}

/** All services of a machine, which is either a node or a load balancer. */
function servicesOf(
  facts: ClusterFacts,
  machine: MachineFacts | NodeFacts,
  network: ServicesOfNetwork,
): Service[] {
  if (!("role" in machine)) return Object.values(loadBalancerServices(facts, machine));
  return [
    ...(machine.role === "controller"
      ? [etcd(facts, machine), ...Object.values(controlPlaneServices(facts, machine))]
      : []),
    ...Object.values(nodeServices(facts, machine)),
    ...network(machine),
  ];
}

/** The services of the pod network on a machine that runs pods. */
export type ServicesOfNetwork = (node: NodeFacts) => readonly Service[];

/** The services of each machine, by the machine's name. */
export function servicesByMachine(
  facts: ClusterFacts,
  machines: readonly (MachineFacts | NodeFacts)[],
  network: ServicesOfNetwork,
): ReadonlyMap<string, readonly Service[]> {
  return new Map(machines.map((machine) => [machine.name, servicesOf(facts, machine, network)]));
}
