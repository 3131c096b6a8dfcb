import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { type ClusterFacts, serverUrl } from "../services/cluster-facts.ts";
import { loadBalancerServices } from "../services/roles.ts";
import { sharedAddressRecord } from "../settings/shared-address.ts";
import { Placement } from "./placement.ts";

export interface ApiLoadBalancerArgs {
  readonly facts: ClusterFacts;
  readonly hosts: readonly Host[];
  /** The API servers: a load balancer changes only after them, so that it never names only API servers that still restart. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** The load balancers of the Kubernetes API, on 6443 and 443. */
export class ApiLoadBalancer extends pulumi.ComponentResource {
  /** The gates after which the load balancers take connections, and one of them has the address that they share. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: ApiLoadBalancerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:ApiLoadBalancer", name, {}, opts);
    const { facts, hosts } = args;
    const placement = new Placement(this);
    if (facts.sharedAddress !== undefined)
      new pulumi.Stash(sharedAddressRecord, { input: facts.sharedAddress }, { parent: this });
    let before: readonly pulumi.Resource[] = args.dependsOn;
    this.ready = hosts.map((host) => {
      const services = Object.values(loadBalancerServices(facts, host.machine));
      for (const service of services)
        before = [placement.service(host, service, { dependsOn: before })];
      if (facts.sharedAddress === undefined) return before[0]!;
      return host.healthy(
        "endpoint-healthy",
        services.map(({ name }) => name),
        {
          parent: this,
          dependsOn: before,
          until: `curl --silent --insecure --output /dev/null --max-time 5 ${serverUrl(facts.endpoint.fromMachines)}/livez`,
        },
      );
    });
    this.registerOutputs({});
  }
}
