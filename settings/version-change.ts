import {
  type RememberedVersions,
  type VersionChange,
  versionsStash,
} from "../components/upgrade.ts";
import { kubernetesVersions, minorOf, oldestFirst } from "../components/versions.ts";
import { type Left, stashed } from "./state.ts";

/** The version of clusters that were made before the state remembered versions. */
const formerVersion = "1.36.4";

/** The versions in a state; undefined for a cluster that is to be made. */
function versionsIn(state: readonly Left[]): RememberedVersions | undefined {
  const record = stashed(state, "record:cluster") as { kubernetesVersion?: string } | undefined;
  if (!record) return undefined;
  const remembered = stashed(state, versionsStash) as RememberedVersions | undefined;
  if (remembered) return remembered;
  // An earlier version of the program remembered the first version, and each that was reached since.
  const { kubernetesVersion: first = formerVersion } = record;
  const reached = Object.keys(kubernetesVersions).filter(
    (version) => stashed(state, `kubernetes-${version}`) === "reached",
  );
  const [version = first, from] = [...new Set([first, ...reached])].sort(oldestFirst).reverse();
  return { version, ...(from !== undefined && { from }) };
}

/** The change to a version that this update makes, or that an earlier one began; undefined if the cluster has had one version only. */
export function versionChange(state: readonly Left[], to: string): VersionChange | undefined {
  const had = versionsIn(state);
  const isBegun = had?.version === to;
  const from = isBegun ? had.from : had?.version;
  if (from === undefined) return undefined;
  return { from, to, isMinor: minorOf(from) !== minorOf(to), isBegun };
}

/** What is wrong with a change of version, and what to do about it. */
export function upgradeFault(
  from: string | undefined,
  to: string,
): { readonly wrong: string; readonly todo: string } | undefined {
  if (from === undefined) return undefined;
  if (oldestFirst(from, to) > 0) {
    const todo = `put ${from} back: neither the data of etcd nor the objects of Kubernetes go back to an older version`;
    return { wrong: `older than ${from}, which the cluster has had`, todo };
  }
  const [major, minor] = minorOf(from).split(".").map(Number) as [number, number];
  const next = `${major}.${minor + 1}`;
  if (minorOf(to) === minorOf(from) || minorOf(to) === next) return undefined;
  const way = Object.keys(kubernetesVersions).find((version) => minorOf(version) === next);
  const todo = way
    ? `set ${way} for one update, then ${to} for the next`
    : `let an earlier release of this program, which has ${next}, upgrade the cluster to it first`;
  return { wrong: `skips ${next}, which follows the cluster's ${from}`, todo };
}
