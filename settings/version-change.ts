import type { Inspection, VersionChange } from "../components/upgrade.ts";
import { kubernetesVersions, minorOf, oldestFirst } from "../components/versions.ts";
import type { Host } from "../node/host.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { controllerManagerKubeconfigPath } from "../services/kube-controller-manager.ts";

/** The APIs that a minor version no longer serves, so that their objects must go before. */
const removedApis: Readonly<Record<string, readonly string[]>> = {
  "1.37": ["scheduling.k8s.io/v1alpha2"],
};

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

/** What machines are asked before a change of the minor version: the first controller, of the cluster. */
export function inspections(
  change: VersionChange | undefined,
  { folders }: ClusterFacts,
  controllers: readonly Host[],
): Inspection[] {
  if (!change?.isMinor) return [];
  return [{ host: controllers[0]!, command: clusterCheck(change, folders.kubernetes) }];
}

/** Shell commands for a controller that fail where objects or Nodes of the living cluster stand in the way of a minor version. */
export function clusterCheck({ to }: VersionChange, binaries: string): string {
  const minor = minorOf(to);
  return `refused=
kube() { ${binaries}/kubectl --cache-dir=/dev/null --kubeconfig=${controllerManagerKubeconfigPath} "$@"; }
refuse() { echo "$1" >&2; refused=yes; }
for api in ${(removedApis[minor] ?? []).join(" ")}; do
  for kind in $(kube get --raw "/apis/$api" 2>/dev/null | grep -o '"name":"[a-z]*"' | cut -d'"' -f4); do
    objects=$(kube get "$kind.\${api#*/}.\${api%/*}" --all-namespaces --output='jsonpath={range .items[*]} {.metadata.namespace}/{.metadata.name}{end}')
    test -z "$objects" || refuse "kubernetesVersion: ${minor} no longer serves $api, got $kind$objects; delete them, and make them anew with another version of the API once the cluster has ${minor}"
  done
done
nodes=$(kube get nodes --output='jsonpath={range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion}{"\\n"}{end}') || exit
while read -r node version; do
  test -n "$version" || continue
  old=\${version#v*.}
  test $((${minor.split(".")[1]} - \${old%%.*})) -le 3 || refuse "kubernetesVersion: ${minor} works with kubelets of three earlier minor versions at most, got $version on $node; upgrade that first"
done <<EOF
$nodes
EOF
test -z "$refused"`;
}
