import { execa } from "execa";
import {
  type Architecture,
  defaultKubernetesVersion,
  type KubernetesVersion,
  kubernetesVersions,
  testImages,
} from "../../components/versions.ts";
import { proxyFile } from "../../node/downloads.ts";
import { quoted } from "../../node/shell.ts";
import { eventually, stretched } from "../access/command.ts";
import { type Check, Fault, failWith } from "./check.ts";
import {
  type Cluster,
  isReady,
  type NodeObject,
  type PodObject,
  type RunningPod,
} from "./cluster.ts";
import { apiAnswers, namespaceMade } from "./control-plane.ts";

/** The port on which the test image serves HTTP. */
export const port = 8080;

/** The Nodes that take Pods have the test image: from the mirror, if there is one; otherwise Nodes pull the image themselves. */
export const imageThere: Check<Cluster> = {
  name: "the nodes that take pods have the test image, or pull it",
  needs: [apiAnswers],
  async run(cluster) {
    const version = await serverVersion(cluster);
    const faults = new Map<string, string>();
    const nodes = nodesForPods(cluster);
    const provided = nodes.map(async (node) => {
      await provideImage(cluster, node, version).catch((error: Error) => {
        faults.set(node.metadata.name, error.message);
      });
    });
    await Promise.all(provided);
    // The other Nodes are tried all the same.
    cluster.chosen = nodes.filter(({ metadata }) => !faults.has(metadata.name));
    failWith(faults);
  },
  lookAt: (cluster, machines) => [
    cluster.kubectlLine("describe nodes"),
    ...cluster.journals("containerd", machines, []),
  ],
};

/** The version of the API server, or the default version. */
async function serverVersion(cluster: Cluster): Promise<KubernetesVersion> {
  const { serverVersion } = JSON.parse(await cluster.kubectl(["version", "--output=json"]));
  const known = Object.keys(kubernetesVersions) as KubernetesVersion[];
  return known.find((one) => serverVersion.gitVersion === `v${one}`) ?? defaultKubernetesVersion;
}

const controlPlane = "node-role.kubernetes.io/control-plane";

/** Nodes without taints; if there are fewer than two, those of the control plane, too. */
function nodesForPods({ nodes, machines, mirror }: Cluster): readonly NodeObject[] {
  const names = new Set(machines.map(({ name }) => name));
  const usable = nodes
    .filter((node) => isReady(node) && !node.spec.unschedulable)
    // Where there is a mirror, only machines of the stack can be given the image.
    .filter(({ metadata }) => mirror === undefined || names.has(metadata.name));
  const taints = ({ spec }: NodeObject) =>
    (spec.taints ?? []).filter(({ effect }) => effect !== "PreferNoSchedule");
  const free = usable.filter((node) => taints(node).length === 0);
  if (free.length >= 2) return free;
  return usable.filter((node) => taints(node).every(({ key }) => key === controlPlane));
}

async function provideImage(
  cluster: Cluster,
  { metadata: { name }, status }: NodeObject,
  version: KubernetesVersion,
): Promise<void> {
  const { agnhost } = testImages(version, status.nodeInfo.architecture as Architecture);
  cluster.image = agnhost.name;
  const machine = cluster.machines.find((one) => one.name === name);
  if (cluster.mirror === undefined || machine === undefined) return;
  // As after a pull, only containerd keeps the image: the archive is removed.
  const script = `
    set -euo pipefail
    mirror=${quoted(cluster.mirror)} image='${agnhost.name}' file='${agnhost.file}'
    if crictl inspecti "$image" >/dev/null 2>&1; then exit; fi
    trap 'rm -f "/opt/kthw/images/\${file##*/}"{,.name,.sum}' EXIT
    set -a; [ ! -f ${proxyFile} ] || . ${proxyFile}; set +a
    sums=$(curl --fail --silent --show-error --max-time 30 "$mirror/SHA256SUMS")
    read -r sum _ < <(grep -E "^[0-9a-f]{64} [ *](\\./)?$file\\$" <<<"$sums") ||
      { echo "the mirror $mirror has no $file" >&2; exit 1; }
    # In version 1 of the format, which the agents of older clusters read, too.
    kthw-node fetch <<<"image $image $mirror/$file sha256:$sum"
    kthw-node import-images`;
  await cluster.outputOn(machine, script, 120);
}

/** A Pod of a Deployment runs on every Node that takes Pods: the scheduler and the kubelets work. */
export const deploymentRuns: Check<Cluster> = {
  name: "a Deployment runs on every node that takes pods",
  needs: [namespaceMade],
  async run(cluster) {
    if (cluster.chosen.length === 0) throw new Error("no node that takes pods has the test image");
    const objects = [deployment(cluster), service].map((object) => JSON.stringify(object));
    await cluster.inNamespace(["apply", "--filename=-"], objects.join("\n---\n"));
    const status = ["rollout", "status", "deployment/web", `--timeout=${stretched(90)}s`];
    try {
      await cluster.inNamespace(status, "", 100);
    } catch (error) {
      if (cluster.signal.aborted) throw error;
      throw await explained(cluster, error as Error);
    }
    const pods = await podsOf(cluster);
    cluster.pods = pods.map(
      ({ metadata: { name }, spec, status }): RunningPod => ({
        name,
        node: spec.nodeName!,
        address: status.podIP!,
      }),
    );
    cluster.service = await cluster.get("service", "web");
    const used = new Set(cluster.pods.map(({ node }) => node));
    const unused = cluster.chosen.map(({ metadata }) => metadata.name).filter((n) => !used.has(n));
    if (unused.length > 0) throw new Fault(`no pod on ${unused.join(", ")}`, ...unused);
  },
  lookAt: (cluster, machines) => [
    ...cluster.journals("kubelet", machines, cluster.of("worker")),
    ...cluster.journals("containerd", machines, []),
    ...cluster.journals("kube-scheduler", [], cluster.of("controller")),
  ],
};

const labels = { app: "web" };

function deployment({ chosen, image }: Cluster): object {
  const hosts = chosen.map(({ metadata }) => metadata.labels!["kubernetes.io/hostname"]);
  const here = { key: "kubernetes.io/hostname", operator: "In", values: hosts };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: chosen.length,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          tolerations: [{ key: controlPlane, operator: "Exists" }],
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [here] }],
              },
            },
          },
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "DoNotSchedule",
              labelSelector: { matchLabels: labels },
            },
          ],
          containers: [
            {
              name: "agnhost",
              image,
              imagePullPolicy: "IfNotPresent",
              args: ["netexec", `--http-port=${port}`],
              readinessProbe: { httpGet: { path: "/healthz", port }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  };
}

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { type: "NodePort", selector: labels, ports: [{ port: 80, targetPort: port }] },
};

async function podsOf(cluster: Cluster): Promise<readonly PodObject[]> {
  return (await cluster.get<{ items: PodObject[] }>("pods", "--selector=app=web")).items;
}

/** An error that also says why Pods are not ready, with the warnings about them: both go with the namespace. */
async function explained(cluster: Cluster, error: Error): Promise<Error> {
  const pods = await podsOf(cluster).catch(() => []);
  const late = pods.filter(
    ({ status }) =>
      !status.containerStatuses?.length || status.containerStatuses.some(({ ready }) => !ready),
  );
  const lines = late.map(({ metadata, spec, status }) => {
    const waiting = status.containerStatuses?.[0]?.state.waiting;
    const why = [waiting?.reason, waiting?.message].filter((one) => one !== undefined).join(": ");
    return `${metadata.name} on ${spec.nodeName ?? "no node"}: ${why || status.phase}`;
  });
  const columns = "--output=custom-columns=OBJECT:.involvedObject.name,MESSAGE:.message";
  const warnings = ["get", "events", "--field-selector=type=Warning", "--no-headers", columns];
  const events = await cluster.inNamespace(warnings).catch(() => "");
  const machines = late.flatMap(({ spec }) => spec.nodeName ?? []);
  return new Fault([error.message, ...lines, events.trim()].join("\n"), ...machines);
}

/** `kubectl exec` runs commands in a Pod on each Node, and reports a failed command. */
export const execWorks: Check<Cluster> = {
  name: "exec into a pod on each node",
  needs: [deploymentRuns],
  async run(cluster) {
    for (const { name, node } of cluster.pods) {
      const said = await inPod(cluster, name, "/bin/cat", "/etc/hostname").catch((error: Error) => {
        throw new Fault(`${node}: ${error.message}`, node);
      });
      if (said.trim() !== name) throw new Fault(`${node}: the pod ${name} is ${said.trim()}`, node);
    }
    const { name } = cluster.pods[0]!;
    const failed = await inPod(cluster, name, "/bin/cat", "/nowhere").then(
      () => false,
      ({ message }: Error) => message.includes("/nowhere"),
    );
    if (!failed) throw new Error("the failure of a command in a pod was not told");
  },
  lookAt: lookAtKubelets,
};

/** Runs a command in a Pod of the test image; returns the standard output. */
export async function inPod(cluster: Cluster, pod: string, ...command: string[]): Promise<string> {
  return cluster.inNamespace(["exec", pod, "--", ...command]);
}

/** `kubectl logs` shows the output of a Pod on each Node. */
export const logsShown: Check<Cluster> = {
  name: "logs of a pod on each node",
  needs: [deploymentRuns],
  async run(cluster) {
    for (const { name, node } of cluster.pods) {
      const logs = await cluster.inNamespace(["logs", name]).catch((error: Error) => {
        throw new Fault(`${node}: ${error.message}`, node);
      });
      if (!logs.includes(`Started HTTP server on port ${port}`))
        throw new Fault(`${node}: not what the pod writes when it starts: ${logs}`, node);
    }
  },
  lookAt: lookAtKubelets,
};

/** `kubectl port-forward` reaches a port of a Pod from the operator's computer. */
export const portForwarded: Check<Cluster> = {
  name: "port-forward to a pod",
  needs: [deploymentRuns],
  async run(cluster) {
    const { name, node } = cluster.pods[0]!;
    const answer = await eventually(() => askThroughPortForward(cluster, name), 10, cluster.signal);
    if (answer !== name) throw new Fault(`${name} answered ${answer}`, node);
  },
  lookAt: lookAtKubelets,
};

async function askThroughPortForward(cluster: Cluster, pod: string): Promise<string> {
  const namespace = `--namespace=${cluster.namespace}`;
  const args = ["port-forward", namespace, "--address=127.0.0.1", `pod/${pod}`, `:${port}`];
  const forward = execa("kubectl", args, {
    all: true,
    stdin: "ignore",
    timeout: stretched(15) * 1000,
    cancelSignal: cluster.signal,
    reject: false,
    cleanup: false,
  });
  for await (const line of forward.iterable({ from: "all" })) {
    const [, local] = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
    if (local === undefined) continue;
    try {
      const signal = AbortSignal.timeout(stretched(5) * 1000);
      return await (await fetch(`http://127.0.0.1:${local}/hostname`, { signal })).text();
    } finally {
      forward.kill();
    }
  }
  const { message, all } = await forward;
  throw new Error(message ?? all);
}

/** Command lines for exec, logs or port-forward that fail. */
function lookAtKubelets(cluster: Cluster, machines: readonly string[]): readonly string[] {
  return [
    cluster.kubectlLine("get clusterrolebindings --output=wide"),
    ...cluster.journals("kubelet", machines, cluster.of("worker")),
    ...cluster.journals("kube-apiserver", [], cluster.of("controller")),
  ];
}
