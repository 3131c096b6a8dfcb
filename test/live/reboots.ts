/** Kills a machine with forty Pods ten times, lets `make up` start it again, and prints what each boot leaves on the machine and on this computer. */

import { importTestImage, list, namespace, podSpec } from "./support/cluster.ts";
import { lookAtComputer } from "./support/computer.ts";
import { LiveStack } from "./support/live-stack.ts";
import { eventually, sleep, step, succeeded } from "./support/run.ts";

const boots = 10;
const pods = 40;
const node = "worker1";
const stack = await LiveStack.create();
const { machines } = stack;

/** Counts of what a Pod takes on a machine, as lines `name count`. */
const countScript = `
count() { echo "$1 $(wc -l)"; }
ls /var/lib/cni/networks/bridge | grep '^[0-9.]*$' | count addresses
ls /var/lib/cni/results 2>/dev/null | count "cni results"
cat /proc/self/mountinfo | count mounts
find /sys/fs/cgroup -mindepth 1 -type d | count cgroups
find /sys/fs/cgroup -path '*/kubepods*' -type d | count "cgroups of Pods"
nft list ruleset | grep 'chain ' | count chains
nft list ruleset | count "lines of the packet filter"
ip -o link | grep veth | count veths
ls /run/netns 2>/dev/null | count "network namespaces"
crictl pods --quiet | count sandboxes
crictl pods --quiet --state ready | count "ready sandboxes"
crictl ps --all --quiet | count containers
crictl ps --quiet | count "running containers"
/opt/kthw/containerd/*/ctr --namespace k8s.io snapshots ls | count snapshots
/opt/kthw/containerd/*/ctr --namespace k8s.io containers ls --quiet | count "containerd containers"
ls /run/containerd/io.containerd.runtime.v2.task/k8s.io | count bundles
ls /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes | count "sandbox folders"
ls /var/lib/containerd/io.containerd.grpc.v1.cri/containers | count "container folders"
pgrep containerd-shim | count shims
ls /var/lib/kubelet/pods | count "kubelet folders"
ls /var/log/pods | count "log folders"
ls /var/log/containers | count "log links"
`;

type Counts = ReadonlyMap<string, number>;
const count = async (): Promise<Counts> => {
  const lines = (await machines.inside(node, countScript)).trim().split("\n");
  const counts = new Map(
    lines.map((line) => {
      const [, name = "", number] = /^(.*) (\d+)$/.exec(line) ?? [];
      return [name, Number(number)];
    }),
  );
  const computer = [...(await lookAtComputer(stack.name))];
  for (const kind of ["mount", "namespace", "control group", "interface", "process"])
    counts.set(`computer: ${kind}`, computer.filter((line) => line.startsWith(`${kind}: `)).length);
  return counts;
};

/** All Pods run on the machine. */
async function running(): Promise<Counts> {
  return eventually(async () => {
    const all = await list(stack, "pods", `--namespace=${namespace}`);
    const ready = all.filter(({ status }) =>
      status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
    );
    const counts = await count();
    const containers = counts.get("running containers")!;
    if (ready.length !== pods || all.length !== pods || containers < pods)
      throw new Error(`${ready.length} of ${all.length} Pods are Ready, ${containers} containers`);
    return counts;
  }, 300);
}

/** The same, once what went with the Pods before is gone: the kubelet removes what is no longer of use once a minute. */
async function settled(): Promise<Counts> {
  await running();
  await sleep(90);
  return running();
}

const rows: Counts[] = [];
try {
  await stack.configure((settings) => {
    settings.controllers!.splice(1);
    settings.workerPools![0]!.machines!.splice(1);
  });
  await stack.leaveOutPreviews();
  succeeded(await step("make up", () => stack.make("up")));
  await importTestImage(stack, [node]);
  await stack.kubectl(["create", "namespace", namespace]);
  const template = {
    metadata: { labels: { app: "many" } },
    spec: {
      ...podSpec,
      nodeName: node,
      containers: podSpec.containers.map(({ readinessProbe: _, ...container }) => ({
        ...container,
        args: ["pause"],
      })),
    },
  };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "many", namespace },
    spec: { replicas: pods, selector: { matchLabels: { app: "many" } }, template },
  };
  await stack.kubectl(["apply", "--filename=-"], JSON.stringify(deployment));
  rows.push(await step(`${pods} Pods`, running));
  for (let boot = 1; boot <= boots; boot++) {
    await machines.kill(node);
    // Two Pods go while their machine is away.
    const [one, other] = await list(stack, "pods", `--namespace=${namespace}`);
    const gone = [one, other].map((pod) => pod!.metadata.name);
    const force = ["--force", "--grace-period=0", `--namespace=${namespace}`];
    await stack.kubectl(["delete", "pod", ...gone, ...force]);
    succeeded(await step(`boot ${boot}: make up`, () => stack.make("up")));
    const settles = boot === 1 || boot === boots;
    rows.push(await step(`boot ${boot}: ${pods} Pods`, settles ? settled : running));
  }
} finally {
  const names = [...(rows[0]?.keys() ?? [])];
  for (const name of names)
    console.log(
      `${name.padEnd(28)} ${rows.map((row) => `${row.get(name)}`.padStart(4)).join(" ")}`,
    );
  const [, first, ...later] = rows;
  const leaked = names.filter((name) => later.at(-1)!.get(name)! > first!.get(name)!);
  console.log(leaked.length === 0 ? "nothing leaks" : `more than after the first boot: ${leaked}`);
  await stack.remove();
}
