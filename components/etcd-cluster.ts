import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import type { Host } from "../node/host.ts";
import {
  type EtcdMember,
  etcdClientUrl,
  etcdService,
  foundersPath,
  initialCluster,
  membersHealthy,
  retireOthers,
} from "../services/etcd.ts";
import type { Issuer } from "./certificate-authority.ts";
import { etcdPeer, etcdServer } from "./pki.ts";

export interface EtcdClusterArgs {
  /** One member on each. */
  readonly nodes: readonly Host[];
  /** Signs the members' certificates. */
  readonly ca: Issuer;
  /** Folder of the binaries on the machines. */
  readonly binaries: string;
  /** Raised to found the cluster again from a snapshot. */
  readonly generation: number;
}

/** An etcd cluster over TLS: the members of the first update found it together, each later one joins it. */
export class EtcdCluster extends pulumi.ComponentResource {
  /** Client URLs, one per member. */
  readonly endpoints: readonly string[];
  /** The gates after which every member is healthy. */
  readonly ready: readonly pulumi.Resource[];
  /** Shell command on a member's machine by which former members leave: for when no client names them any more. */
  readonly retire: string;

  constructor(name: string, args: EtcdClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:EtcdCluster", name, {}, opts);
    const members: EtcdMember[] = args.nodes.map(({ machine }) => ({
      name: machine.name,
      address: machine.address,
    }));
    this.endpoints = members.map(etcdClientUrl);
    this.retire = retireOthers(args.binaries, members);

    // Remembers its first value for good: which machines, not which names, founded the cluster.
    const founders = new pulumi.Stash(
      `${name}:founders-${args.generation}`,
      {
        input: args.nodes.map(({ machine }) => ({
          name: machine.name,
          address: machine.address,
          id: machine.id,
        })),
      },
      { parent: this, ignoreChanges: ["input"] },
    ).output as pulumi.Output<(EtcdMember & { id: string })[]>;

    let previous: pulumi.Resource | undefined;
    this.ready = args.nodes
      .map((node) => {
        const { machine } = node;
        const server = args.ca.issue(etcdServer(machine), { parent: this });
        const peer = args.ca.issue(etcdPeer(machine), { parent: this });
        const pki = "/etc/kubernetes/pki/etcd";
        const owned = { owner: "etcd:etcd" };
        const bundle = node.bundle(
          {
            name: "etcd",
            users: ["etcd"],
            files: [
              { path: `${pki}/ca.crt`, text: args.ca.trustPem },
              { path: `${pki}/server.crt`, text: server.certPem },
              { path: `${pki}/server.key`, text: server.keyPem, mode: "0600", ...owned },
              { path: `${pki}/peer.crt`, text: peer.certPem },
              { path: `${pki}/peer.key`, text: peer.keyPem, mode: "0600", ...owned },
              {
                path: foundersPath,
                text: derive([founders, machine.id], (all, id) =>
                  all.some((one) => one.id === id) ? `${initialCluster(all)}\n` : "",
                ),
              },
            ],
          },
          { parent: this },
        );
        const service = node.service(
          etcdService({
            member: { name: machine.name, address: machine.address },
            members,
            binaries: args.binaries,
            generation: args.generation,
          }),
          {
            parent: this,
            dependsOn: [node.ready, bundle, ...(previous ? [previous] : [])],
            certificates: [args.ca.trustPem, server.certPem, peer.certPem],
          },
        );
        previous = service;
        return service;
      })
      .map((service, index) =>
        args.nodes[index]!.healthy("etcd-healthy", ["etcd"], {
          parent: this,
          dependsOn: [service],
          // Asked anew when a member comes or goes: without all of those that stay, none may leave.
          ...(index === members.length - 1 && { until: membersHealthy(args.binaries, members) }),
        }),
      );
    this.registerOutputs({});
  }
}
