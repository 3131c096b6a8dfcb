import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { knownValue } from "../node/known-value.ts";
import { type ClusterFacts, serverUrl } from "../services/cluster-facts.ts";
import { loadBalancerServices } from "../services/roles.ts";
import { placed } from "../services/service.ts";
import { asksStanding, turnsOf } from "../services/shared-address.ts";
import { endpointGate, sharedAddressRecord } from "../settings/shared-address.ts";
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
    const { facts, hosts, dependsOn } = args;
    const { sharedAddress } = facts;
    const placement = new Placement(this);
    if (sharedAddress === undefined) {
      this.ready = hosts.map((host) => {
        const { apiLoadBalancer } = loadBalancerServices(facts, host.machine);
        return placement.service(host, apiLoadBalancer, { dependsOn });
      });
    } else {
      new pulumi.Stash(sharedAddressRecord, { input: sharedAddress }, { parent: this });
      this.ready = this.#inTurns(args, sharedAddress, placement);
    }
    this.registerOutputs({});
  }

  /** Places the services of load balancers that share an address, one load balancer after another. */
  #inTurns(
    { facts, hosts, dependsOn }: ApiLoadBalancerArgs,
    sharedAddress: string,
    placement: Placement,
  ): pulumi.Resource[] {
    const services = hosts.map(({ machine }) =>
      Object.values(loadBalancerServices(facts, machine)),
    );
    const about = JSON.stringify(services.flat().map(placed));
    const asked = hosts.map((host) =>
      host.asks("shared-address-standing", asksStanding(sharedAddress), {
        parent: this,
        dependsOn,
        about,
      }),
    );
    const turns = Promise.all(asked.map(({ stdout }) => knownValue(stdout))).then(turnsOf);
    const gates: pulumi.Resource[] = hosts.map((host, index) => {
      const own = asked[index]!;
      // Known once all have answered: by then the gates of all are there.
      const former = turns.then((turns) => gates[turns[turns.indexOf(index) - 1]!] ?? own);
      let before: readonly pulumi.Input<pulumi.Resource>[] = [own, former];
      for (const service of services[index]!)
        before = [placement.service(host, service, { dependsOn: before })];
      return host.healthy(
        endpointGate,
        services[index]!.map(({ name }) => name),
        {
          parent: this,
          dependsOn: before,
          until: `curl --silent --insecure --output /dev/null --max-time 5 ${serverUrl(facts.endpoint.fromMachines)}/livez`,
        },
      );
    });
    return gates;
  }
}
