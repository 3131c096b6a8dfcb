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
  /** The hosts of the members, one member on each. */
  readonly hosts: readonly Host[];
  /** Signs the members' certificates. */
  readonly ca: Issuer;
  /** Resources that must be done before a member changes. */
  readonly dependsOn: readonly pulumi.Resource[];
  /** How many members may change at the same time. */
  readonly maxUnavailable: number;
  /** Whether the last member to change cannot go back, so that it waits until all others are healthy with the new binaries. */
  readonly isOneWay: boolean;
}

/** An etcd cluster over TLS: the members of the first update found the cluster together, and each later member joins. */
export class EtcdCluster extends pulumi.ComponentResource {
  /** The gates after which every member is healthy. */
  readonly ready: readonly pulumi.Resource[];
  /** The members. */
  readonly members: readonly pulumi.Resource[];

  constructor(name: string, args: EtcdClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:EtcdCluster", name, {}, opts);
    const { facts, hosts } = args;
    const placement = new Placement(this, { authorities: { "etcd-ca": args.ca } });

    // The stash keeps its first value: the machines, not the names, that founded the cluster.
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

    const othersHealthy = (before: readonly pulumi.Resource[]) =>
      hosts[0]!.healthy("etcd-others-healthy", ["etcd"], {
        parent: this,
        dependsOn: before,
        until: membersHealthy({ ...facts, controllers: facts.controllers.slice(0, -1) }),
      });
    const members = rolling(hosts, args.maxUnavailable, (host, before, index) => {
      const service = etcd(facts, host.machine);
      const bundle = placement.bundle(host, "etcd", [service], {
        founders: derive([founders, host.machine.id], (all, id) => {
          // Later an update goes from member to member, and each must be healthy before the next: one founds, the others join.
          const first = facts.etcdGeneration === 1 ? all : all.slice(0, 1);
          return first.some((one) => one.id === id) ? `${initialCluster(first)}\n` : "";
        }),
      });
      const isLast = index === hosts.length - 1 && before.length > 0;
      const gates = isLast && args.isOneWay ? [othersHealthy(before)] : before;
      return placement.service(host, service, { dependsOn: [...args.dependsOn, bundle, ...gates] });
    });
    this.members = members;
    this.ready = members.map((member, index) =>
      hosts[index]!.healthy("etcd-healthy", ["etcd"], {
        parent: this,
        dependsOn: [member],
        // The command changes with the members, so that it runs again: no member may leave unless all that stay are healthy.
        ...(index === hosts.length - 1 && { until: membersHealthy(facts) }),
      }),
    );
    this.registerOutputs({});
  }
}
