import type * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { bridgeNetwork } from "../services/bridge-network.ts";
import type { ClusterFacts, NodeFacts } from "../services/cluster-facts.ts";
import type { Service } from "../services/service.ts";

/** The arguments of a pod network. */
export interface PodNetworkArgs {
  readonly facts: ClusterFacts;
  /** Every machine that runs pods. */
  readonly nodes: readonly { readonly host: Host; readonly node: NodeFacts }[];
  /** Resources that must be done before the routes to leaving Nodes are removed. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** A pod network, which gives pods addresses and routes to each other. */
export interface PodNetwork {
  /** The gates after which a node's pods have addresses, by the node's name. */
  readonly ready: ReadonlyMap<string, pulumi.Resource>;
}

/** The services of the pod network on a machine. */
export function networkServices(facts: ClusterFacts, node: NodeFacts): Service[] {
  return [bridgeNetwork(facts, node)];
}
