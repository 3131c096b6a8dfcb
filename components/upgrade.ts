import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { knownValue } from "../node/known-value.ts";
import { type KubernetesVersion, kubernetesVersions, minorOf, oldestFirst } from "./versions.ts";

export interface UpgradeArgs {
  /** The version of the settings. */
  readonly version: KubernetesVersion;
  /** The version that the cluster was made with; undefined in the preview of the first update. */
  readonly first: Promise<string | undefined>;
}

/** A change from one version of Kubernetes to another. */
export interface VersionChange {
  readonly from: string;
  readonly to: string;
  /** Whether it is one from a minor version to the next, for which Nodes are drained. */
  readonly isMinor: boolean;
}

/** What a machine is asked before anything changes. */
export interface Inspection {
  readonly host: Host;
  /** Shell commands, which fail and say why on a machine that must not change. */
  readonly command: string;
}

const reached = "reached";

/**
 * The versions that a cluster has had, which Pulumi's state remembers, and the gates of a change from one to another: nothing of the
 * cluster changes before every machine has the binaries of the new version.
 */
export class Upgrade extends pulumi.ComponentResource {
  /** The change that this update makes or that an earlier one made; undefined if the cluster has had one version only. */
  readonly change: Promise<VersionChange | undefined>;
  /** The newest version that the cluster has had besides that of the settings. */
  readonly former: Promise<string | undefined>;
  readonly #version: string;

  constructor(name: string, args: UpgradeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Upgrade", name, {}, opts);
    const { version, first } = args;
    this.#version = version;
    const others = Object.keys(kubernetesVersions).filter((other) => other !== version);
    const had = others.map(async (other) =>
      (await knownValue(this.#remember(other, "not reached").input)) === reached ? [other] : [],
    );
    this.former = Promise.all([first.then((one = version) => [one]), ...had]).then((versions) =>
      versions
        .flat()
        .filter((one) => one !== version)
        .sort(oldestFirst)
        .at(-1),
    );
    this.change = this.former.then((from) =>
      from === undefined
        ? undefined
        : { from, to: version, isMinor: minorOf(from) !== minorOf(version) },
    );
    this.registerOutputs({});
  }

  /** The gates after which services may change: those of the change of version, if there is one. */
  begin(
    change: VersionChange | undefined,
    { hosts, inspections }: { hosts: readonly Host[]; inspections: readonly Inspection[] },
  ): readonly pulumi.Resource[] {
    const checks = inspections.map(({ host, command }) =>
      host.inspects("upgrade-check", command, { parent: this, dependsOn: [host.ready] }),
    );
    const staged = [...checks, ...hosts.map(({ ready }) => ready)];
    const gate = this.#remember(this.#version, reached, change && staged);
    return change ? [gate] : [];
  }

  #remember(version: string, input: string, dependsOn: readonly pulumi.Resource[] = []) {
    return new pulumi.Stash(
      `kubernetes-${version}`,
      { input },
      {
        parent: this,
        dependsOn: [...dependsOn],
        ...(input !== reached && { ignoreChanges: ["input"] }),
      },
    );
  }
}

/** Whether a change raises etcd to another minor version, from which the last member cannot go back. */
export function changesEtcd({ from, to }: VersionChange): boolean {
  const table: Readonly<Record<string, { readonly etcd: string }>> = kubernetesVersions;
  const [before, after] = [table[from]?.etcd, table[to]!.etcd];
  return before === undefined || minorOf(before) !== minorOf(after);
}
