import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import type { Host } from "../node/host.ts";
import { rolling } from "../node/rolling.ts";
import type { ClusterFacts, MachineFacts } from "../services/cluster-facts.ts";
import { etcd, initialCluster, membersHealthy } from "../services/etcd.ts";
import type { Issuer } from "./certificate-authority.ts";
import { Placement } from "./placement.ts";

export interface EtcdClusterArgs {
  readonly facts: ClusterFacts;
  /** One member on each. */
  readonly hosts: readonly Host[];
  /** Signs the members' certificates. */
  readonly ca: Issuer;
}

/** An etcd cluster over TLS: the members of the first update found it together, each later one joins it. */
export class EtcdCluster extends pulumi.ComponentResource {
  /** The gates after which every member is healthy. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: EtcdClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:EtcdCluster", name, {}, opts);
    const { facts, hosts } = args;
    const placement = new Placement(this, { authorities: { "etcd-ca": args.ca } });

    // Remembers its first value for good: which machines, not which names, founded the cluster.
    const founders = new pulumi.Stash(
      `${name}:founders-${facts.etcdGeneration}`,
      {
        input: hosts.map(({ machine }) => ({
          name: machine.name,
          address: machine.address,
          id: machine.id,
        })),
      },
      { parent: this, ignoreChanges: ["input"] },
    ).output as pulumi.Output<(MachineFacts & { id: string })[]>;

    const members = rolling(hosts, 1, (host, before) => {
      const service = etcd(facts, host.machine);
      const bundle = placement.bundle(host, "etcd", [service], {
        founders: derive([founders, host.machine.id], (all, id) =>
          all.some((one) => one.id === id) ? `${initialCluster(all)}\n` : "",
        ),
      });
      return placement.service(host, service, { dependsOn: [bundle, ...before] });
    });
    this.ready = members.map((member, index) =>
      hosts[index]!.healthy("etcd-healthy", ["etcd"], {
        parent: this,
        dependsOn: [member],
        // Asked anew when a member comes or goes: without all of those that stay, none may leave.
        ...(index === hosts.length - 1 && { until: membersHealthy(facts) }),
      }),
    );
    this.registerOutputs({});
  }
}
