import { podNetwork } from "../../networks/pod-network.ts";
import { eventually, stretched } from "../access/command.ts";
import { type Check, Fault, failWith } from "./check.ts";
import {
  type Cluster,
  isReady,
  type NodeObject,
  type RunningPod,
  type ServiceObject,
} from "./cluster.ts";
import { deploymentRuns, execWorks, inPod, port } from "./workload.ts";

/** How long new Pods and Services may take until they can be reached. */
const timeoutSeconds = 15;

/** Pods reach each other across Nodes: each Pod asks the Pod on the next Node. */
export const podsTalk: Check<Cluster> = {
  name: "pods on different nodes talk to each other",
  needs: [deploymentRuns],
  async run(cluster) {
    const { nodes, pods } = cluster;
    // A cluster of one machine has nothing between nodes.
    if (nodes.length === 1) return;
    if (pods.length < 2) throw new Error("there is only one node that takes pods");
    for (const [index, pod] of pods.entries()) {
      const other = pods[(index + 1) % pods.length]!;
      await expectAnswer(cluster, pod, other.address, port, [other]);
    }
  },
  lookAt: (cluster, machines) => [
    ...cluster.machines
      .filter(({ name }) => machines.includes(name))
      .map(({ ssh }) => `${ssh} ip route`),
    ...cluster.journals(podNetwork, machines, []),
    cluster.kubectlLine(
      `logs --namespace=kube-system --selector=k8s-app=${podNetwork} --all-containers --prefix`,
    ),
  ],
};

/** The address of a Service leads to the Pods of the Service. */
export const serviceAnswers: Check<Cluster> = {
  name: "a Service answers at its address, from a pod on each node",
  needs: [deploymentRuns],
  async run(cluster) {
    const { clusterIP } = cluster.service!.spec;
    for (const pod of cluster.pods) await expectAnswer(cluster, pod, clusterIP, 80, cluster.pods);
  },
  lookAt: lookAtProxies,
};

/** The node port of a Service leads to the Pods of the Service, on every Node. */
export const nodePortAnswers: Check<Cluster> = {
  name: "a Service answers at its port of every node",
  needs: [deploymentRuns],
  async run(cluster) {
    // A load balancer is not a Node, so that the request comes from outside of the cluster.
    const [outside] = [...cluster.of("load balancer"), ...cluster.machines];
    const { nodePort } = cluster.service!.spec.ports[0]!;
    const faults = new Map<string, string>();
    const ask = async ({ metadata: { name }, status }: NodeObject) => {
      const address = status.addresses.find(({ type }) => type === "InternalIP")?.address;
      const url = `http://${address}:${nodePort}/hostname`;
      const curl = `curl --fail --silent --show-error --max-time 5 ${url}`;
      const work = async () =>
        expectOneOf(cluster.pods, await cluster.outputOn(outside!, curl), url);
      await eventually(work, timeoutSeconds, cluster.signal).catch((error: Error) => {
        faults.set(name, `${name}: ${error.message}`);
      });
    };
    await Promise.all(cluster.nodes.filter(isReady).map(ask));
    failWith(faults);
  },
  lookAt: lookAtProxies,
};

/** Pods reach the API servers by the Service `kubernetes`. */
export const apiFromPods: Check<Cluster> = {
  name: "the API's own Service can be reached, from a pod on each node",
  needs: [execWorks],
  async run(cluster) {
    const service: ServiceObject = await cluster.get(
      "service",
      "kubernetes",
      "--namespace=default",
    );
    const target = `${service.spec.clusterIP}:443`;
    for (const pod of cluster.pods) await expectConnection(cluster, pod, target);
  },
  lookAt: (cluster, machines) => [
    cluster.kubectlLine("get endpointslices --namespace=default"),
    ...lookAtProxies(cluster, machines),
  ],
};

/** DNS resolves the name of a Service. */
export const dnsFinds: Check<Cluster> = {
  name: "DNS finds a Service, from a pod on each node",
  needs: [serviceAnswers, execWorks],
  async run(cluster) {
    for (const pod of cluster.pods)
      for (const name of ["web", `web.${await domainOf(cluster, pod)}`])
        await expectConnection(cluster, pod, `${name}:80`);
  },
  lookAt: lookAtDns,
};

/** DNS denies a name that does not exist, instead of not answering. */
export const dnsDenies: Check<Cluster> = {
  name: "DNS denies a name that does not exist",
  needs: [execWorks],
  async run(cluster) {
    const pod = cluster.pods[0]!;
    const nobody = `nobody.${await domainOf(cluster, pod)}:80`;
    const said = await connect(cluster, pod, nobody).then(
      () => `${nobody} was found`,
      ({ message }: Error) => message,
    );
    if (!said.includes("no such host")) throw new Fault(said, pod.node);
  },
  lookAt: lookAtDns,
};

/** Fails unless a Pod can open a connection to `target`, a name or an address with a port. */
async function expectConnection(cluster: Cluster, pod: RunningPod, target: string): Promise<void> {
  const work = () => connect(cluster, pod, target);
  await eventually(work, timeoutSeconds, cluster.signal).catch((error: Error) => {
    throw new Fault(`${pod.node}: ${error.message}`, pod.node);
  });
}

async function connect(cluster: Cluster, pod: RunningPod, target: string): Promise<void> {
  await inPod(cluster, pod.name, "/agnhost", "connect", target, `--timeout=${stretched(5)}s`);
}

/** The first search domain of a Pod: that of the Services in its namespace, such as default.svc.cluster.local. */
async function domainOf(cluster: Cluster, { name, node }: RunningPod): Promise<string> {
  const text = await inPod(cluster, name, "/bin/cat", "/etc/resolv.conf");
  const [, domain] = /^search (\S+)/m.exec(text) ?? [];
  if (domain?.startsWith(`${cluster.namespace}.svc.`)) return domain;
  throw new Fault(`the pod's resolv.conf does not search its own namespace first: ${text}`, node);
}

/** Fails unless one of the `expected` Pods answers an HTTP request of a Pod. */
async function expectAnswer(
  cluster: Cluster,
  { name, node }: RunningPod,
  host: string,
  port: number,
  expected: readonly RunningPod[],
): Promise<void> {
  const what = `from ${name} on ${node} to ${host}:${port}`;
  const request = { namespace: cluster.namespace, pod: name, host, port };
  const kubectl = (args: readonly string[]) => cluster.kubectl(args);
  const ask = async () => expectOneOf(expected, await dial(kubectl, request), what);
  await eventually(ask, timeoutSeconds, cluster.signal).catch((error: Error) => {
    const others = expected.length === 1 ? [expected[0]!.node] : [];
    throw new Fault(error.message, node, ...others);
  });
}

function expectOneOf(pods: readonly RunningPod[], answer: string, what: string): void {
  if (pods.some(({ name }) => name === answer)) return;
  throw new Error(`${what}: not one of the pods answered, but ${JSON.stringify(answer)}`);
}

/** A request that a Pod of the test image sends on behalf of the API server. */
export interface Dial {
  readonly namespace: string;
  readonly pod: string;
  readonly host: string;
  readonly port: number;
}

/** Lets a Pod request `/hostname` over HTTP, and returns the answer; `kubectl` runs kubectl. */
export async function dial(
  kubectl: (args: readonly string[]) => Promise<string>,
  { namespace, pod, host, port: to }: Dial,
): Promise<string> {
  const query = new URLSearchParams({
    host,
    port: `${to}`,
    protocol: "http",
    request: "hostname",
    tries: "1",
  });
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}:${port}/proxy/dial?${query}`;
  const { responses = [], errors } = JSON.parse(await kubectl(["get", "--raw", path]));
  if (responses.length === 0) throw new Error(`${pod} asked ${host}:${to}: ${errors}`);
  return responses[0];
}

/** Command lines for a Service that does not answer. */
function lookAtProxies(cluster: Cluster, machines: readonly string[]): readonly string[] {
  return [
    cluster.kubectlLine("get services,endpointslices --all-namespaces"),
    ...cluster.journals("kube-proxy", machines, cluster.of("worker")),
  ];
}

/** Command lines for DNS that does not answer. */
function lookAtDns(cluster: Cluster): readonly string[] {
  return [
    cluster.kubectlLine(
      "get pods,endpointslices --namespace=kube-system --selector=k8s-app=kube-dns",
    ),
    cluster.kubectlLine("logs --namespace=kube-system --selector=k8s-app=kube-dns"),
  ];
}
