import assert from "node:assert/strict";
import { remembering } from "./support/left.ts";
import { type Graph, machineOf, runProgram } from "./support/program.ts";

const controllers = ["cp1", "cp2", "cp3"];
const machines = ["lb", ...controllers, "worker1", "worker2"];
const nodes = machines.slice(1);

/** The program over a cluster that was made with another version. */
async function upgraded(from: string, to: string, maxUnavailable?: number): Promise<Graph> {
  const { graph } = await runProgram({
    settings: (settings) => {
      settings.kubernetesVersion = to;
      if (maxUnavailable !== undefined) settings.workerPools[0]!.maxUnavailable = maxUnavailable;
    },
    state: remembering(from),
  });
  return graph;
}

/** Every resource of these names, which begin with a machine's, is awaited by every one of the others. */
function assertOrder(graph: Graph, earlier: readonly string[], later: readonly string[]) {
  const named = (name: string) => {
    const found = graph.resources.find((resource) => resource.name === name);
    assert.ok(found, name);
    return found;
  };
  for (const one of later)
    for (const other of earlier)
      assert.ok(graph.awaited(named(one)).has(named(other)), `${one} does not wait for ${other}`);
}

const each = (names: readonly string[], ...services: string[]) =>
  services.flatMap((service) => names.map((name) => `${name}:${service}`));

describe("a change of Kubernetes' version", () => {
  let minor: Graph;
  let patch: Graph;
  before(async () => {
    minor = await upgraded("1.36.4", "1.37.2");
    patch = await upgraded("1.36.3", "1.36.4");
  });

  const names = (graph: Graph) => graph.resources.map(({ name }) => name);
  const services = [
    ...each(controllers, "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    ...each(nodes, "containerd", "kubelet", "kube-proxy"),
  ];

  it("gives every machine its binaries before the first service changes", () => {
    for (const graph of [minor, patch]) {
      const binaries = names(graph).filter((name) => name.endsWith(":binaries"));
      assert.deepEqual(binaries.map(machineOf).sort(), [...nodes].sort());
      assertOrder(graph, binaries, services);
    }
  });

  it("rolls etcd, then the API servers, then the other two, then the nodes", () => {
    const order = [
      each(controllers, "etcd"),
      each(controllers, "kube-apiserver"),
      each(controllers, "kube-controller-manager", "kube-scheduler"),
      each(nodes, "kubelet", "kube-proxy"),
    ];
    for (const graph of [minor, patch])
      for (const [index, later] of order.entries())
        if (index > 0) assertOrder(graph, order[index - 1]!, later);
  });

  it("rolls each service of the control plane one machine after another", () => {
    for (const service of ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]) {
      assertOrder(minor, [`cp1:${service}`], [`cp2:${service}`]);
      assertOrder(minor, [`cp2:${service}`], [`cp3:${service}`]);
    }
  });

  it("asks the cluster before the first service changes if the minor version does", () => {
    assertOrder(minor, ["cp1:upgrade-check"], services);
    assertOrder(minor, ["cp1:binaries"], ["cp1:upgrade-check"]);
    assert.ok(!names(patch).some((name) => name.endsWith(":upgrade-check")));
  });

  it("makes sure of the other members before the last one, which cannot go back", () => {
    assertOrder(minor, ["cp1:etcd", "cp2:etcd"], ["cp1:etcd-others-healthy"]);
    assertOrder(minor, ["cp1:etcd-others-healthy"], ["cp3:etcd"]);
    const { create } = minor.command("cp1:etcd-others-healthy").inputs;
    assert.match(
      String(create),
      /3\.7\.3.* healthy https:\/\/10\.240\.0\.11:2379,https:\/\/10\.240\.0\.12:2379'/,
    );
    assert.ok(!names(patch).includes("cp1:etcd-others-healthy"));
  });

  it("drains each node before its services change, and puts it back once it is Ready", () => {
    for (const node of nodes) {
      assertOrder(
        minor,
        [`${node}:drain-1.37`],
        each([node], "containerd", "kubelet", "kube-proxy"),
      );
      assertOrder(minor, each([node], "kubelet", "kube-proxy", "node-healthy"), [
        `${node}:return-1.37`,
      ]);
      const { environment, stdin } = minor.resources.find(
        ({ name }) => name === `${node}:drain-1.37`,
      )!.inputs as { environment: object; stdin: object };
      assert.deepEqual(environment, { NODE: node, VERSION: "1.37", DRAIN_TIMEOUT: "300" });
      assert.ok("secret" in stdin);
    }
    assert.ok(!names(patch).some((name) => name.includes(":drain")));
  });

  it("takes as many workers of a pool out of service as may be unavailable", async () => {
    assertOrder(minor, ["worker1:return-1.37"], ["worker2:drain-1.37"]);
    const graph = await upgraded("1.36.4", "1.37.2", 2);
    const [first, second] = ["worker1:return-1.37", "worker2:drain-1.37"].map(
      (name) => graph.resources.find((resource) => resource.name === name)!,
    );
    assert.ok(!graph.awaited(second!).has(first!));
  });

  it("comes to DNS after the nodes", () => {
    const dns = minor
      .ofType("kubernetes:apps/v1:Deployment")
      .find(({ name }) => name === "coredns");
    const awaited = new Set([...minor.awaited(dns!)].map(({ name }) => name));
    for (const name of each(nodes, "return-1.37")) assert.ok(awaited.has(name), name);
    assert.match(JSON.stringify(dns!.inputs), /coredns:v1\.14\.6/);
  });

  it("leaves a replica of DNS while nodes are drained, unless there is only one node", async () => {
    const budgets = ({ resources }: Graph) =>
      resources.filter(({ type }) => type === "kubernetes:policy/v1:PodDisruptionBudget");
    assert.deepEqual(budgets(minor)[0]!.inputs.spec, {
      maxUnavailable: 1,
      selector: { matchLabels: { "k8s-app": "kube-dns" } },
    });
    const { graph } = await runProgram({
      settings: (settings) => {
        settings.controllers = settings.controllers.slice(0, 1);
        settings.workerPools = [];
      },
    });
    assert.deepEqual(budgets(graph), []);
  });

  it("is followed by nothing in a cluster that has had one version", async () => {
    const { graph } = await runProgram();
    const extra = /:(drain-.*|return-.*|upgrade-check|etcd-others-healthy)$/;
    assert.deepEqual(
      names(graph).filter((name) => extra.test(name)),
      [],
    );
    const [etcd, binaries] = ["cp1:etcd", "worker1:binaries"].map((name) => graph.command(name));
    assert.ok(!graph.awaited(etcd!).has(binaries!));
  });

  it("is remembered once it begins, and not before", () => {
    const remembered = minor.resources.find(({ name }) => name === "kubernetes-versions");
    assert.deepEqual(remembered!.inputs.input, { version: "1.37.2", from: "1.36.4" });
    const awaited = new Set([...minor.awaited(remembered!)].map(({ name }) => name));
    for (const name of ["cp1:upgrade-check", ...each(nodes, "binaries")])
      assert.ok(awaited.has(name), name);
  });
});
