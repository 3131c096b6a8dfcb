import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import {
  describedBy,
  firstUpdate,
  type Graph,
  type LocalSettings,
  machineOf,
  runProgram,
  secretMark,
  stdinOf,
} from "./support/program.ts";
import { unknown } from "./support/record.ts";

const machine = (number: number) => ({
  name: `worker${number}`,
  address: `10.240.0.2${number}`,
  podCidr: `10.200.2${number}.0/24`,
});
const own = { id: "0a1b2c", secret: "secret0of0own000" };
const clusterInfoPath = "/api/v1/namespaces/kube-public/configmaps/cluster-info";

/** A pool for each way to join, and tokens for others. */
function everyWay(settings: LocalSettings): void {
  settings.workerPools.push(
    { name: "bootstrap-token", join: "bootstrapToken", machines: [machine(3)] },
    { name: "kubeadm-token", join: "kubeadm", machines: [machine(4)] },
    { name: "kubeadm-file", join: "kubeadm", discovery: "file", machines: [machine(5)] },
  );
  settings.joinTokens = [{ name: "lab" }, { name: "own", token: `${own.id}.${own.secret}` }];
}

describe("machines join", () => {
  let graph: Graph;
  let preview: Graph;
  let exports: Awaited<ReturnType<typeof runProgram>>["exports"];
  const file = (machine: string, path: string) =>
    graph
      .commands(machine)
      .flatMap((command) => describedBy(command)?.files.map((file) => ({ ...file, command })) ?? [])
      .find((file) => file.path === path);
  const secretOf = (name: string) =>
    graph.ofType("kubernetes:core/v1:Secret").find((one) => one.name === name)!;
  const fetches = (graph: Graph, machine: string, binary: string) =>
    stdinOf(graph.command(`${machine}:binaries`)).includes(`\n  - ${binary}\n`);
  const authentication = (graph: Graph) =>
    describedBy(graph.command("cp1:kube-apiserver"))!.files.find(({ path }) =>
      path.endsWith("/authentication.yaml"),
    )!.text;

  before(async () => {
    ({ graph, exports } = await runProgram({ settings: everyWay }));
    ({ graph: preview } = await runProgram({ settings: everyWay, preview: true }));
  });

  it("by certificates, and nothing else is made, unless settings want it", async () => {
    const { graph, exports } = await firstUpdate();
    const types = new Set(graph.resources.map(({ type }) => type));
    for (const type of [
      "kthw:index:NodeBootstrap",
      "kthw:index:JoinTokens",
      "kubernetes:core/v1:Secret",
      "kubernetes:rbac.authorization.k8s.io/v1:Role",
    ])
      assert.ok(!types.has(type), type);
    assert.ok(!authentication(graph).includes(clusterInfoPath));
    for (const machine of ["cp1", "worker1"]) assert.ok(!fetches(graph, machine, "kubeadm"));
    assert.equal(exports.joinCommand, null);
    assert.equal(exports.joinCommands, null);
  });

  it("with a graph that has every URN once and is the same in a preview", () => {
    const urns = (graph: Graph) => graph.resources.map(({ urn }) => urn).sort();
    assert.deepEqual(urns(graph), [...new Set(urns(graph))]);
    assert.deepEqual(urns(preview), urns(graph));
  });

  it("by few commands", () => {
    // One more of each is the routes to machines that are not in the settings.
    for (const name of ["cp1", "cp2", "cp3"]) assert.ok(graph.commands(name).length <= 17, name);
    for (const name of ["worker1", "worker2", "worker3"])
      assert.ok(graph.commands(name).length <= 9, name);
    for (const name of ["worker4", "worker5"]) assert.ok(graph.commands(name).length <= 10, name);
  });

  it("in a first preview that knows all but secrets", () => {
    for (const { name, inputs } of preview.commands()) {
      if (inputs.stdin === undefined) continue;
      if (name.endsWith("-pki")) assert.equal(inputs.stdin, unknown, name);
      else assert.equal(inputs.stdin, graph.command(name).inputs.stdin, name);
    }
    const { inputs } = preview.command("worker4:kubeadm-join");
    assert.match(String(inputs.create), / kubeadm join --config=\/etc\/kubernetes\/kubeadm-join/);
  });

  it("without showing a token", () => {
    const plain = (inputs: unknown) =>
      JSON.stringify(inputs, (_, value) =>
        value !== null && typeof value === "object" && "secret" in value ? "[secret]" : value,
      );
    for (const { name, inputs } of graph.resources) {
      for (const secret of [secretMark, own.secret])
        assert.ok(!plain(inputs).includes(secret), `${name} shows a secret`);
      for (const verb of ["create", "update", "delete"])
        if (name.includes(":")) assert.notEqual(typeof inputs[verb], "object", `${name} ${verb}`);
    }
    for (const [machine, path] of [
      ["worker3", "/etc/kubernetes/bootstrap-kubelet.conf"],
      ["worker4", "/etc/kubernetes/kubeadm-join.yaml"],
      ["worker5", "/etc/kubernetes/kubeadm-join.yaml"],
    ] as const) {
      const { text, mode, command } = file(machine, path)!;
      assert.ok(text.includes(`${secretMark} ${machine}:bootstrap-token`), machine);
      assert.equal(mode, "0600", machine);
      assert.equal(typeof command.inputs.stdin, "object", machine);
    }
  });

  it("with tokens that the cluster knows by what stands before the dot", () => {
    const name = (token: string) =>
      (secretOf(token).inputs.metadata as { name: string }).name.replace("bootstrap-token-", "");
    assert.equal(name("join-token:own"), own.id);
    assert.match(name("join-token:lab"), /^[0-9a-f]{6}$/);
    for (const token of graph.ofType("random:index/randomPassword:RandomPassword")) {
      if (!token.name.includes("token")) continue;
      assert.deepEqual(token.ignoreChanges, ["keepers"], token.name);
      const secret = secretOf(token.name);
      assert.equal(secret.deletedWith, graph.ofType("pulumi:providers:kubernetes")[0]?.urn);
      const { secret: data } = secret.inputs.stringData as { secret: Record<string, string> };
      const { expires } = token.inputs.keepers as { expires: string };
      assert.equal(data.expiration, expires);
      const hours = (Date.parse(expires) - Date.now()) / 3_600_000;
      assert.ok(hours > 23 && hours <= 24, `${token.name}: ${hours} hours`);
    }
  });

  it("with a token each, and another one after they were made anew or put right again", async () => {
    const trigger = (graph: Graph, name: string) =>
      graph.resources.find(
        (one) => one.name === name && one.type === "random:index/randomPassword:RandomPassword",
      )!.replacementTrigger as { for: string; hours: number };
    const { graph: later } = await runProgram({
      settings: (settings) => {
        everyWay(settings);
        settings.reassert = 1;
      },
    });
    for (const machine of ["worker3", "worker4", "worker5"]) {
      const name = `${machine}:bootstrap-token`;
      const [, id] = /# machine ([^,]+),/.exec(
        String(graph.command(`${machine}:kubelet`).inputs.update),
      )!;
      assert.deepEqual(trigger(graph, name), { for: `machine ${id}, reassert 0`, hours: 24 });
      assert.match(trigger(later, name).for, /, reassert 1$/);
    }
    assert.deepEqual(trigger(graph, "join-token:lab"), { for: "", hours: 24 });
    assert.deepEqual(trigger(later, "join-token:lab"), trigger(graph, "join-token:lab"));
    assert.deepEqual(trigger(graph, "join-token:own"), { for: "", hours: 24, id: own.id });
  });

  it("once the cluster lets them", () => {
    for (const machine of ["worker3", "worker4", "worker5"]) {
      const awaited = graph.awaited(graph.command(`${machine}:kubelet`));
      assert.ok(awaited.has(secretOf(`${machine}:bootstrap-token`)), machine);
      for (const resource of graph.resources)
        if (graph.top(resource).type === "kthw:index:NodeBootstrap" && resource.parent !== "")
          assert.ok(awaited.has(resource), `${machine} waits for ${resource.name}`);
    }
    for (const machine of ["worker4", "worker5"]) {
      assert.ok(graph.waits(`${machine}:kubeadm-join`, `${machine}:kubelet`), machine);
      assert.ok(graph.waits(`${machine}:kubeadm-join`, `${machine}:kubelet-pki`), machine);
      assert.ok(graph.waits(`${machine}:node-healthy`, `${machine}:kubeadm-join`), machine);
      const { create, update } = graph.command(`${machine}:kubeadm-join`).inputs;
      assert.match(String(update), /, reassert 0$/);
      assert.ok(String(update).startsWith(`${create} # machine `), machine);
    }
    assert.ok(!graph.awaited(graph.command("worker1:kubelet")).has(secretOf("join-token:lab")));
  });

  it("with kubelets that are given a serving certificate, and a client's by certificates alone", () => {
    for (const [machine, given] of [
      ["worker1", true],
      ["worker3", false],
      ["worker4", false],
    ] as const) {
      assert.equal(
        file(machine, "/var/lib/kubelet/pki/kubelet-client.crt") !== undefined,
        given,
        machine,
      );
      assert.equal(file(machine, "/etc/kubernetes/kubelet.conf") !== undefined, given, machine);
      assert.ok(file(machine, "/var/lib/kubelet/pki/kubelet.crt"), machine);
      const kubelet = describedBy(graph.command(`${machine}:kubelet`));
      assert.ok(kubelet?.kind === "service");
      // A kubelet that renews its certificate itself reads the authority when it starts, every other one reads all anew.
      assert.deepEqual(kubelet.reads, given ? [] : ["/var/lib/kubelet/pki/ca.crt"], machine);
    }
  });

  it("knowing the cluster by a token and a hash, or by a file", () => {
    const joining = (machine: string) => file(machine, "/etc/kubernetes/kubeadm-join.yaml")!.text;
    assert.match(joining("worker4"), /^ {4}caCertHashes:\n {6}- sha256:[0-9a-f]{64}$/m);
    assert.equal(file("worker4", "/etc/kubernetes/kubeadm-discovery.conf"), undefined);
    assert.match(
      joining("worker5"),
      /^ {4}kubeConfigPath: \/etc\/kubernetes\/kubeadm-discovery.conf$/m,
    );
    assert.match(
      file("worker5", "/etc/kubernetes/kubeadm-discovery.conf")!.text,
      /server: https:\/\/10\.240\.0\.10:6443$/m,
    );
  });

  it("with kubeadm on the machines where it runs", () => {
    for (const machine of ["cp1", "cp2", "cp3", "worker4", "worker5"])
      assert.ok(fetches(graph, machine, "kubeadm"), machine);
    for (const machine of ["worker1", "worker3"])
      assert.ok(!fetches(graph, machine, "kubeadm"), machine);
    for (const command of graph.commands().filter(({ name }) => name.endsWith(":kubeadm-join")))
      assert.ok(
        graph.awaited(command).has(graph.command(`${machineOf(command.name)}:binaries`)),
        command.name,
      );
  });

  it("in a cluster that publishes about itself what kubeadm asks for, and no more than is needed", async () => {
    const published = (graph: Graph) =>
      graph
        .ofType("kubernetes:core/v1:ConfigMap")
        .map(({ name }) => name)
        .filter((name) => /^cluster-info|^kubeadm-config|^kubelet-config/.test(name))
        .sort();
    assert.deepEqual(published(graph), ["cluster-info", "kubeadm-config", "kubelet-config"]);
    assert.ok(authentication(graph).endsWith(`    - path: ${clusterInfoPath}\n`));
    const { graph: alone } = await runProgram({
      settings: ({ workerPools }) =>
        workerPools.push({ name: "more", join: "bootstrapToken", machines: [machine(3)] }),
    });
    assert.deepEqual(published(alone), []);
    assert.ok(!authentication(alone).includes(clusterInfoPath));
    const bindings = alone
      .ofType("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding")
      .map(({ inputs }) => (inputs.metadata as { name: string }).name)
      .filter((name) => name.startsWith("kubeadm:"));
    assert.deepEqual(bindings.sort(), [
      "kubeadm:kubelet-bootstrap",
      "kubeadm:node-autoapprove-bootstrap",
      "kubeadm:node-autoapprove-certificate-rotation",
    ]);
  });

  it("by a command line to paste, where nobody knows them", async () => {
    const settled = (output: pulumi.Output<string>) =>
      new Promise<string>((resolve) => output.apply(resolve as (text: string) => void));
    const { joinCommand, joinCommands } = exports;
    assert.deepEqual(Object.keys(joinCommands!), ["lab", "own"]);
    assert.equal(await pulumi.isSecret(joinCommand!), true);
    assert.equal(await settled(joinCommand!), await settled(joinCommands!.lab!));
    const own = await settled(joinCommands!.own!);
    assert.match(
      own,
      /^kubeadm join 10\.240\.0\.10:6443 --token 0a1b2c\.secret0of0own000 --discovery-token-ca-cert-hash sha256:[0-9a-f]{64} /,
    );
    assert.match(own, / # until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });
});
