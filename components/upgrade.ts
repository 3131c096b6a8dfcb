import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { type KubernetesVersion, kubernetesVersions, minorOf } from "./versions.ts";

/** A change from one version of Kubernetes to another. */
export interface VersionChange {
  readonly from: string;
  readonly to: string;
  /** Whether it is one from a minor version to the next, for which Nodes are drained. */
  readonly isMinor: boolean;
  /** Whether an earlier update has begun it. */
  readonly isBegun: boolean;
}

/** What a machine is asked before anything changes. */
export interface Inspection {
  /** The machine's name. */
  readonly machine: string;
  /** Shell commands, which fail and say why on a machine that must not change. */
  readonly command: string;
}

export interface UpgradeArgs {
  /** The version of the settings. */
  readonly version: KubernetesVersion;
  /** The change to that version; undefined if the cluster has had no other. */
  readonly change: VersionChange | undefined;
  /** All machines. */
  readonly hosts: readonly Host[];
  readonly inspections: readonly Inspection[];
}

/** What Pulumi's state remembers: the newest version that the cluster has had, and the one before. */
export interface RememberedVersions {
  readonly version: string;
  readonly from?: string;
}

/** The name in Pulumi's state of the versions that a cluster has had. */
export const versionsStash = "kubernetes-versions";

/** The begin of a change of version: nothing of the cluster changes before every machine has the binaries of the new version. */
export class Upgrade extends pulumi.ComponentResource {
  /** The gates after which services may change: those of the change of version, if there is one. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: UpgradeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Upgrade", name, {}, opts);
    const { version, change, hosts } = args;
    const checks = args.inspections.map(({ machine, command }) => {
      const host = hosts.find((one) => one.machine.name === machine)!;
      return host.inspects("upgrade-check", command, { parent: this, dependsOn: [host.ready] });
    });
    const input: RememberedVersions = { version, ...(change && { from: change.from }) };
    const staged = change ? [...checks, ...hosts.map(({ ready }) => ready)] : [];
    const begun = new pulumi.Stash(versionsStash, { input }, { parent: this, dependsOn: staged });
    this.ready = change ? [begun] : [];
    this.registerOutputs({});
  }
}

/** Whether a change raises etcd to another minor version, from which the last member cannot go back. */
export function changesEtcd({ from, to }: VersionChange): boolean {
  const table: Readonly<Record<string, { readonly etcd: string }>> = kubernetesVersions;
  const [before, after] = [table[from]?.etcd, table[to]!.etcd];
  return before === undefined || minorOf(before) !== minorOf(after);
}
