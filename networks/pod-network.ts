import type * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import type { ClusterFacts, NodeFacts } from "../services/cluster-facts.ts";
import { podNetwork } from "../services/pod-network.ts";
import type { Service } from "../services/service.ts";

/** What a pod network is given. */
export interface PodNetworkArgs {
  readonly facts: ClusterFacts;
  /** Every machine that runs pods. */
  readonly nodes: readonly { readonly host: Host; readonly node: NodeFacts }[];
  /** What must be done before the ways to Nodes that leave go. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** What gives pods their addresses and the ways to each other. */
export interface PodNetwork {
  /** The gates after which a node's pods have addresses, by the node's name. */
  readonly ready: ReadonlyMap<string, pulumi.Resource>;
}

/** The services that the pod network has on a machine. */
export function networkServices(facts: ClusterFacts, node: NodeFacts): Service[] {
  return [podNetwork(facts, node)];
}
