import * as pulumi from "@pulumi/pulumi";
import type { Inspection, VersionChange } from "../components/upgrade.ts";
import { isSupported, minorOf } from "../components/versions.ts";
import { onMachine } from "../operations/access/shell.ts";
import { type ShellMachine, shellMachines } from "../operations/access/stack.ts";
import type { JoinMode } from "../services/cluster-facts.ts";
import { controllerManagerKubeconfigPath } from "../services/kube-controller-manager.ts";
import { kubeletFlagsPath } from "../services/kubelet.ts";
import { knownTo } from "./kubernetes.ts";
import { refuse } from "./refuse.ts";
import type { Left } from "./state.ts";

/** The APIs that a minor version no longer serves, so that their objects must go before. */
const removedApis: Readonly<Record<string, readonly string[]>> = {
  "1.37": ["scheduling.k8s.io/v1alpha2"],
};

/** What machines are asked before a change of the minor version: the first controller of the cluster, and each worker that joined by kubeadm of its flags. */
export function inspectionsBefore(
  change: VersionChange | undefined,
  groups: readonly { readonly join: JoinMode; readonly nodes: readonly { name: string }[] }[],
): Inspection[] {
  if (!change?.isMinor) return [];
  const ofFlags = kubeletFlagsCheck(change);
  const joined = groups.filter(({ join }) => join === "kubeadm" && ofFlags !== "");
  return [
    { machine: groups[0]!.nodes[0]!.name, command: clusterCheck(change) },
    ...joined.flatMap(({ nodes }) =>
      nodes.map(({ name }) => ({ machine: name, command: ofFlags })),
    ),
  ];
}

/** Shows in a preview what the update would find on the machines before it changes anything, and ends the program if that stands in the way. */
export async function foresee(
  change: VersionChange | undefined,
  inspections: readonly Inspection[],
  state: readonly Left[],
): Promise<void> {
  if (!pulumi.runtime.isDryRun() || change?.isBegun) return;
  const { found, unreached } = await foreseen(inspections, state);
  for (const why of unreached)
    await pulumi.log.warn(`kubernetesVersion: ${why}; the update asks again`);
  if (found.length > 0) await refuse(found);
}

/** What machines say when they are asked: each thing that stands in the way, and why a machine cannot be asked. */
export async function foreseen(inspections: readonly Inspection[], state: readonly Left[]) {
  const found: string[] = [];
  const unreached: string[] = [];
  const ask = async (machine: ShellMachine, command: string) => {
    try {
      const { code, stderr } = await onMachine(machine, command);
      if (code !== 0) found.push(...stderr.trim().split("\n"));
    } catch (error) {
      unreached.push((error as Error).message);
    }
  };
  const machines = shellMachines(state);
  await Promise.all(
    inspections.flatMap(({ machine, command }) =>
      machines.filter(({ name }) => name === machine).map((known) => ask(known, command)),
    ),
  );
  return { found, unreached };
}

/** Shell commands for a controller that fail where objects or Nodes of the living cluster stand in the way of a minor version. */
export function clusterCheck({ to }: VersionChange, binaries = "/opt/kthw/kubernetes"): string {
  const minor = minorOf(to);
  return `refused=
kubectl=$(find ${binaries} -name kubectl | sort --version-sort | tail -n 1)
kube() { "$kubectl" --cache-dir=/dev/null --kubeconfig=${controllerManagerKubeconfigPath} "$@"; }
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

/** Shell commands for a machine that joined by kubeadm; they fail if kubeadm's file has flags that the new kubelet no longer takes. */
export function kubeletFlagsCheck({ from, to }: VersionChange): string {
  if (!isSupported(from) || !isSupported(to)) return "";
  const [before, after] = [knownTo(from).flags.kubelet, knownTo(to).flags.kubelet];
  const gone = [...before.keys()].filter((flag) => !after.has(flag));
  if (gone.length === 0) return "";
  return `found=$(grep -oE -- '--(${gone.join("|")})($|[= "])' ${kubeletFlagsPath} 2>/dev/null | tr -d '= "' | tr '\\n' ' ')
test -z "$found" || {
  echo "${kubeletFlagsPath} on $(uname -n): kubelet ${minorOf(to)} does not know some flags and would not start, got \${found% }; take them out" >&2
  exit 1
}`;
}
