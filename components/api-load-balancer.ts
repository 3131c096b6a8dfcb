import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { apiLoadBalancer } from "../services/api-load-balancer.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { Placement } from "./placement.ts";

export interface ApiLoadBalancerArgs {
  readonly facts: ClusterFacts;
  readonly host: Host;
  /** The API servers: the load balancer changes only after them, so that it never names only API servers that still restart. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** The load balancer of the Kubernetes API, on 6443 and 443. */
export class ApiLoadBalancer extends pulumi.ComponentResource {
  /** The gates after which the load balancer takes connections. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: ApiLoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:ApiLoadBalancer", name, {}, opts);
    const { facts, host, dependsOn } = args;
    this.ready = [new Placement(this).service(host, apiLoadBalancer(facts), { dependsOn })];
    this.registerOutputs({});
  }
}
