import { eventually } from "../access/command.ts";
import { etcdctl } from "../access/etcdctl.ts";
import type { StackMachine } from "../access/stack.ts";
import { type Check, Fault, failWith } from "./check.ts";
import { type Cluster, isReady, type NodeObject } from "./cluster.ts";

/** The API servers are ready, asked at the endpoint. */
export const apiAnswers: Check<Cluster> = {
  name: "the API answers at its endpoint",
  async run(cluster) {
    await cluster.kubectl(["get", "--raw", "/readyz?verbose"]);
  },
  lookAt: (cluster) => [
    ...cluster.journals("api-load-balancer", [], cluster.of("load balancer")),
    ...cluster.journals("kube-apiserver", [], cluster.of("controller")),
  ],
};

/** Every machine but the load balancers is a Node, and every Node is Ready. */
export const nodesReady: Check<Cluster> = {
  name: "all nodes are Ready",
  needs: [apiAnswers],
  async run(cluster) {
    await eventually(() => expectNodesReady(cluster), 10, cluster.signal);
  },
  lookAt: (cluster, machines) => [
    cluster.kubectlLine("describe nodes"),
    cluster.makeLine("repair"),
    ...cluster.journals("kubelet", machines, cluster.of("worker")),
  ],
};

/** No two Nodes have the same ids: Kubernetes does not mind, but an overlay takes two such machines for one. */
export const nodesDiffer: Check<Cluster> = {
  name: "no two nodes have the same machine id",
  needs: [nodesReady],
  async run({ nodes }) {
    const faults = new Map<string, string>();
    const known = new Map<string, string>();
    for (const { metadata, status } of nodes) {
      const { machineID, systemUUID } = status.nodeInfo;
      const id = `${machineID}, board ${systemUUID}`;
      const other = known.get(id);
      if (other !== undefined)
        faults.set(metadata.name, `${metadata.name} has the ids of ${other}: machine ${id}`);
      known.set(id, metadata.name);
    }
    failWith(faults);
  },
  lookAt: (cluster, machines) =>
    cluster.machines
      .filter(({ name }) => machines.includes(name))
      .map(({ ssh }) => `${ssh} cat /etc/machine-id /sys/class/dmi/id/product_uuid`),
};

/** Taints that the controller manager removes some seconds after a Node has become Ready. */
const temporaryTaints = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

async function expectNodesReady(cluster: Cluster): Promise<void> {
  cluster.nodes = (await cluster.get<{ items: NodeObject[] }>("nodes")).items;
  const known = new Set(cluster.nodes.map(({ metadata }) => metadata.name));
  const faults = new Map(
    cluster.machines
      .filter(({ name, role }) => role !== "load balancer" && !known.has(name))
      .map(({ name }) => [
        name,
        `${name} is no node; a kubelet makes its Node only when it starts, as make repair lets it`,
      ]),
  );
  for (const node of cluster.nodes.filter((one) => !isReady(one))) {
    const { name } = node.metadata;
    const ready = node.status.conditions.find(({ type }) => type === "Ready");
    faults.set(name, `${name} is not Ready: ${ready?.message ?? "it has not said anything"}`);
  }
  for (const { metadata, spec } of cluster.nodes.filter(isReady)) {
    const taint = spec.taints?.find(({ key }) => temporaryTaints.includes(key));
    if (taint !== undefined)
      faults.set(metadata.name, `${metadata.name} is Ready, but still has the taint ${taint.key}`);
  }
  failWith(faults);
}

/** Every service that kthw-node placed on a machine is healthy. */
export const servicesHealthy: Check<Cluster> = {
  name: "the services of every machine are healthy",
  async run(cluster) {
    const faults = new Map<string, string>();
    await Promise.all(
      cluster.machines.map(async (machine) => {
        const script = "cd /var/lib/kthw/services && exec kthw-node wait *";
        const said = await cluster.runOn(machine, script, 30).then(
          ({ code, stdout, stderr }) => (code === 0 ? undefined : `${stdout}\n${stderr}`),
          (error) => String(error.message),
        );
        if (said !== undefined) faults.set(machine.name, said.trim());
      }),
    );
    failWith(faults);
  },
  lookAt: (cluster, machines) =>
    cluster.machines
      .filter(({ name }) => machines.includes(name))
      .map(({ ssh }) => `${ssh} systemctl list-units --failed`),
};

/** Every controller has a healthy, voting member of etcd. */
export const etcdHealthy: Check<Cluster> = {
  name: "every controller is a healthy member of etcd",
  async run(cluster) {
    const controllers = cluster.of("controller");
    const ask = async (command: string) =>
      JSON.parse(
        await outputOnFirst(cluster, controllers, `${etcdctl} --write-out=json ${command}`),
      );
    const { members }: { members: { name?: string; isLearner?: boolean }[] } =
      await ask("member list");
    const faults = new Map<string, string>();
    for (const { name } of controllers) {
      const member = members.find((one) => one.name === name);
      if (member === undefined) faults.set(name, `${name} is no member of etcd that has started`);
      else if (member.isLearner)
        faults.set(name, `${name} is a learner of etcd, which does not vote`);
    }
    for (const { name } of members) {
      if (!controllers.some((machine) => machine.name === name))
        faults.set(
          name ?? "",
          `${name || "what has not started"} is a member of etcd, but no controller`,
        );
    }
    const health: { endpoint: string; health: boolean; error?: string }[] =
      // Status 1 means an unhealthy member: an answer, and no reason to ask another controller.
      await ask("endpoint health --cluster || [ $? = 1 ]");
    // Every member counts as unhealthy while one has raised an alarm: the check of room and alarms tells of those.
    const unhealthy = health.filter((one) => !one.health && !one.error?.startsWith("Active Alarm"));
    for (const { endpoint, error } of unhealthy) {
      const machine = controllers.find(({ address }) => new URL(endpoint).hostname === address);
      const name = machine?.name ?? endpoint;
      faults.set(name, `${name}'s member of etcd is not healthy: ${error}`);
    }
    failWith(faults);
  },
  lookAt: (cluster, machines) => cluster.journals("etcd", machines, cluster.of("controller")),
};

/** A new namespace gets a service account: the controller managers work. */
export const namespaceMade: Check<Cluster> = {
  name: "a new namespace gets its service account",
  needs: [apiAnswers],
  async run(cluster) {
    await cluster.kubectl(["create", "namespace", cluster.namespace]);
    const account = ["get", "serviceaccount", "default"];
    await eventually(() => cluster.inNamespace(account), 20, cluster.signal);
  },
  lookAt: (cluster) => cluster.journals("kube-controller-manager", [], cluster.of("controller")),
};

/** A Secret is encrypted in etcd. */
export const secretsEncrypted: Check<Cluster> = {
  name: "a secret is encrypted in etcd",
  needs: [namespaceMade],
  async run(cluster) {
    const text = "under-the-oak";
    const secret = ["create", "secret", "generic", "treasure", `--from-literal=where=${text}`];
    await cluster.inNamespace(secret);
    const key = `/registry/secrets/${cluster.namespace}/treasure`;
    const stored = await outputOnFirst(
      cluster,
      cluster.of("controller"),
      `${etcdctl} get --print-value-only ${key} | tr -c '[:print:]' .`,
    );
    const start = stored.slice(0, 40);
    if (!stored.startsWith(cluster.encryptedPrefix))
      throw new Error(`it starts with ${start}, not with ${cluster.encryptedPrefix}`);
    if (stored.includes(text)) throw new Error("its text can be read there");
  },
  lookAt: (cluster) => [
    ...cluster
      .of("controller")
      .map(({ ssh }) => `${ssh} grep encryption /etc/systemd/system/kube-apiserver.service`),
    ...cluster.journals("kube-apiserver", [], cluster.of("controller")),
  ],
};

/** Runs a script on one machine after another until it succeeds; returns the standard output. */
async function outputOnFirst(
  cluster: Cluster,
  machines: readonly StackMachine[],
  script: string,
): Promise<string> {
  const errors: string[] = [];
  for (const machine of machines) {
    try {
      return await cluster.outputOn(machine, script);
    } catch (error) {
      if (cluster.signal.aborted) throw error;
      errors.push((error as Error).message);
    }
  }
  throw new Fault(errors.join("\n"), ...machines.map(({ name }) => name));
}
