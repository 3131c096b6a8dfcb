import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { bridgeNetworkService } from "../services/pod-network.ts";

/** A node and the range of its pods. */
export interface BridgedNode {
  readonly node: Host;
  readonly podCidr: string;
}

export interface BridgeNetworkArgs {
  readonly nodes: readonly BridgedNode[];
  /** Range of all pods. */
  readonly podCidr: string;
  /** What must be done before the routes to Nodes that leave go. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** The pod network of bridges, one per node, and routes between the nodes. */
export class BridgeNetwork extends pulumi.ComponentResource {
  /** The gates after which a node's pods have addresses, by the node's name. */
  readonly ready: ReadonlyMap<string, pulumi.Resource>;

  constructor(name: string, args: BridgeNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:BridgeNetwork", name, {}, opts);
    const ranges = args.nodes.map(({ node: { machine }, podCidr }) => ({
      name: machine.name,
      address: machine.address,
      podCidr,
    }));
    this.ready = new Map(
      args.nodes.map(({ node }, index) => {
        const service = bridgeNetworkService({
          node: ranges[index]!,
          others: ranges.filter((_, other) => other !== index),
          podCidr: args.podCidr,
        });
        return [
          node.machine.name,
          node.service(service, { parent: this, dependsOn: args.dependsOn }),
        ];
      }),
    );
    this.registerOutputs({});
  }
}
