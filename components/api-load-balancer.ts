import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { apiLoadBalancerService } from "../services/api-load-balancer.ts";

export interface ApiLoadBalancerArgs {
  readonly node: Host;
  /** The controllers whose API servers it spreads connections over. */
  readonly backends: readonly { readonly name: string; readonly address: string }[];
  /** The API servers, as they are after a change: it never spreads connections over those alone that are just restarted. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** The load balancer of the Kubernetes API, on 6443 and 443. */
export class ApiLoadBalancer extends pulumi.ComponentResource {
  /** The gates after which it takes connections. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: ApiLoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:ApiLoadBalancer", name, {}, opts);
    this.ready = [
      args.node.service(apiLoadBalancerService(args.backends), {
        parent: this,
        dependsOn: [args.node.ready, ...args.dependsOn],
      }),
    ];
    this.registerOutputs({});
  }
}
