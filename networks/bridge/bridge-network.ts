import * as pulumi from "@pulumi/pulumi";
import { Placement } from "../../components/placement.ts";
import type { PodNetwork, PodNetworkArgs } from "../pod-network.ts";
import { bridgeNetwork } from "./service.ts";

/** The pod network of bridges, one per node, and routes between the nodes. */
export class BridgeNetwork extends pulumi.ComponentResource implements PodNetwork {
  readonly ready: ReadonlyMap<string, pulumi.Resource>;

  constructor(name: string, args: PodNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:BridgeNetwork", name, {}, opts);
    const { facts, dependsOn } = args;
    const placement = new Placement(this);
    this.ready = new Map(
      args.nodes.map(({ host, node }) => [
        node.name,
        placement.service(host, bridgeNetwork(facts, node), { dependsOn }),
      ]),
    );
    this.registerOutputs({});
  }
}
