import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { readDownloads } from "../node/downloads.ts";
import { founded, leftGates } from "./support/left.ts";
import {
  computed,
  describedBy,
  firstUpdate,
  type Graph,
  machineOf,
  runProgram,
  secretMark,
  stdinOf,
} from "./support/program.ts";
import { type Registration, unknown } from "./support/record.ts";

/** Each depends on those before it, never on those behind it. */
const layers = [
  "kthw:index:RotationBegin",
  "kthw:index:ClusterRecord",
  "kthw:index:LocalMachines",
  "kthw:index:Host",
  "kthw:index:Upgrade",
  "kthw:index:CertificateAuthority",
  "kthw:index:EtcdCluster",
  "kthw:index:ControlPlane",
  "kthw:index:NodeMembership",
  "kthw:index:BridgeNetwork",
  "kthw:index:WorkerPool",
  "kthw:index:CoreDNS",
  "kthw:index:RotationEnd",
];
const controllers = ["cp1", "cp2", "cp3"];
const workers = ["worker1", "worker2"];
const worker3 = { name: "worker3", address: "10.240.0.23", podCidr: "10.200.23.0/24" };
const worker4 = { name: "worker4", address: "10.240.0.24", podCidr: "10.200.24.0/24" };

describe("the program", () => {
  let graph: Graph;
  let exports: Awaited<ReturnType<typeof runProgram>>["exports"];
  let preview: Graph;
  before(async () => {
    ({ graph, exports } = await firstUpdate());
    ({ graph: preview } = await runProgram({ preview: true }));
  });

  describe("has a graph that", () => {
    it("has every URN once", () => {
      const urns = graph.resources.map(({ urn }) => urn);
      assert.deepEqual(
        urns.filter((urn, index) => urns.indexOf(urn) !== index),
        [],
      );
    });
    it("has only components at its top", () => {
      for (const { name, type, parent } of graph.resources)
        assert.equal(parent === "", layers.includes(type), `${type} ${name}`);
    });
    it("is the same in a preview and in an update", () => {
      const shape = ({ resources }: Graph) =>
        resources
          .map(({ inputs, dependsOn, provider, ...rest }) => ({
            ...rest,
            // In a preview, the id of a provider is not known yet.
            provider: provider.replace(/::[^:]*$/, ""),
            inputs: Object.keys(inputs).sort(),
            dependsOn: [...dependsOn].sort(),
          }))
          .sort((a, b) => a.urn.localeCompare(b.urn));
      assert.deepEqual(shape(preview), shape(graph));
    });
    it("flows one way", () => {
      const layer = (resource: Registration) => layers.indexOf(graph.top(resource).type);
      for (const resource of graph.resources)
        for (const earlier of resource.dependsOn.map((urn) => graph.at(urn)))
          assert.ok(
            layer(earlier) <= layer(resource),
            `${resource.name} waits for ${earlier.name}, which is of a later layer`,
          );
    });
  });

  describe("runs commands that", () => {
    it("are never replaced, by a trigger or else", () => {
      for (const { name, inputs } of graph.commands())
        assert.equal(inputs.triggers, undefined, name);
    });
    it("die with their machine", () => {
      for (const { name, deletedWith } of graph.commands()) {
        const owner = graph.at(deletedWith);
        assert.equal(owner.name, machineOf(name), name);
        assert.equal(graph.top(owner).type, "kthw:index:LocalMachines", name);
      }
    });
    it("wait for their machine", () => {
      for (const command of graph.commands())
        assert.ok(graph.awaited(command).has(graph.at(command.deletedWith)), command.name);
    });
    it("log nothing, and are not given what was printed before", () => {
      for (const { name, inputs } of graph.commands()) {
        assert.equal(inputs.logging, "none", name);
        assert.equal(inputs.addPreviousOutputInEnv, false, name);
        assert.equal(inputs.environment, undefined, name);
      }
    });
    it("are few", () => {
      for (const machine of controllers) assert.ok(graph.commands(machine).length <= 16, machine);
      for (const machine of workers) assert.ok(graph.commands(machine).length <= 8, machine);
      assert.equal(
        graph.commands().length,
        ["lb", ...controllers, ...workers].flatMap((machine) => graph.commands(machine)).length,
      );
    });
    it("do not wait when a service is made, wait when it changes, and clean up when it goes", () => {
      const services = graph.commands().filter((command) => isA("service", command));
      assert.ok(services.length > 0);
      for (const { name, inputs } of services) {
        assert.equal(inputs.create, "kthw-node apply", name);
        assert.match(String(inputs.update), /^kthw-node apply --wait # machine /, name);
        assert.equal(inputs.delete, "kthw-node remove", name);
      }
    });
    it("name all of a bundle but its texts in the open, in the first preview, too", () => {
      const bundles = graph.commands().filter((command) => isA("bundle", command));
      assert.ok(bundles.length > 0);
      for (const command of bundles) {
        const [verb, ...comment] = String(command.inputs.create).trimEnd().split("\n");
        assert.equal(verb, "kthw-node apply", command.name);
        const outline = stdinOf(command)
          .split("\n")
          .filter((line) => /^\S/.test(line));
        assert.deepEqual(
          comment,
          outline.map((line) => `# ${line}`),
          command.name,
        );
        assert.equal(preview.command(command.name).inputs.create, command.inputs.create);
      }
    });
    it("fetch every binary that another one on the machine names, and fetch it before", () => {
      for (const command of graph.commands()) {
        const text = `${stdinOf(command)} ${command.inputs.create}`;
        const named = isA("service", command) || command.inputs.stdin === undefined;
        for (const [binary = ""] of named ? text.matchAll(/\/opt\/kthw\/[\w./-]+/g) : []) {
          const fetch = graph.command(`${machineOf(command.name)}:binaries`);
          assert.ok(graph.awaited(command).has(fetch), `${command.name} does not wait`);
          const fetched = fetchedBinaries(stdinOf(fetch));
          assert.ok(
            fetched.some((path) => path === binary || path.startsWith(`${binary}/`)),
            `${command.name} names ${binary}, which is not fetched`,
          );
        }
      }
    });
    it("read only what a command before them has put on the machine", () => {
      for (const command of graph.commands()) {
        const placed = [...graph.awaited(command)]
          .filter(({ name }) => machineOf(name) === machineOf(command.name))
          .flatMap((earlier) => describedBy(earlier)?.files.map(({ path }) => path) ?? []);
        for (const path of readsOf(command))
          assert.ok(placed.includes(path), `${command.name} reads ${path}`);
      }
    });
    it("wait for services that the machine has by then", () => {
      const gates = graph.commands().filter(({ name }) => name.endsWith("-healthy"));
      assert.equal(gates.length, 3 * controllers.length + workers.length);
      for (const gate of gates)
        for (const service of awaitedServices(gate))
          assert.ok(graph.waits(gate.name, `${machineOf(gate.name)}:${service}`), gate.name);
    });
    it("have a gate for every service of a node, or wait themselves", async () => {
      const { graph: all } = await runProgram({
        settings: (settings) => {
          settings.controllerHealthProxy = true;
          settings.joinTokens = [{ name: "guests" }];
        },
      });
      for (const machine of [...controllers, ...workers]) {
        const gated = all.commands(machine).flatMap(awaitedServices);
        for (const { name, inputs } of all.commands(machine).filter((one) => isA("service", one)))
          assert.ok(
            gated.includes(name.slice(machine.length + 1)) ||
              inputs.create === "kthw-node apply --wait",
            `nobody waits for ${name}`,
          );
      }
    });
    it("name in their flags and files only credentials that are on the machine", () => {
      for (const command of graph.commands().filter((one) => isA("service", one))) {
        const text = describedBy(command)!.files.map((file) => file.text);
        const credentials = credentialsOf(graph, machineOf(command.name));
        const named = text
          .join("\n")
          .match(/\/(etc\/kubernetes|var\/lib\/kubelet)\/pki\/[\w/-]+\.\w+/g);
        for (const path of named ?? [])
          assert.ok(credentials.has(path), `${command.name} names ${path}, which nobody places`);
      }
    });
    it("restart for those credentials alone that the programs read only when they start", () => {
      const pki = "/etc/kubernetes/pki";
      const restarting: Readonly<Record<string, readonly string[]>> = {
        etcd: [`${pki}/etcd/ca.crt`],
        "kube-apiserver": [`${pki}/etcd/ca.crt`, `${pki}/sa.pub`, `${pki}/sa.key`],
        "kube-controller-manager": [`${pki}/ca.crt`, `${pki}/sa.key`],
      };
      for (const command of graph.commands().filter((one) => isA("service", one))) {
        const [, service = ""] = command.name.split(":");
        assert.deepEqual(readsOf(command), restarting[service] ?? [], command.name);
      }
    });
    it("change with every credential that they read", async function () {
      // Twenty runs of the program.
      this.timeout(120_000);
      for (const source of [
        ...["kubernetes-ca", "etcd-ca", "kubernetes-front-proxy-ca", "service-accounts"],
        ...["encryption-key1", "apiserver-etcd-client", "apiserver-kubelet-client"],
        ...["front-proxy-client", "controller-manager", "scheduler"],
        ...["apiserver", "etcd-server", "etcd-peer", "kubelet-server", "kubelet-client"].map(
          (name) => `cp1:${name}`,
        ),
        "cp1:kube-proxy-client",
      ]) {
        const { graph: changed } = await runProgram({
          outputs: (resource) =>
            resource.name === source
              ? Object.fromEntries(
                  Object.entries(computed(resource)).map(([key, value]) => [key, `${value}new\n`]),
                )
              : undefined,
        });
        const [before, after] = [graph, changed].map((one) => credentialsOf(one, "cp1"));
        const different = [...before!.keys()].filter(
          (path) => before!.get(path) !== after!.get(path),
        );
        assert.notEqual(different.length, 0, source);
        for (const command of graph.commands("cp1").filter((one) => isA("service", one))) {
          const reads = readsOf(command);
          const isRead = different.some((path) => reads.includes(path));
          const differs =
            steady(changed.command(command.name).inputs.update) !== steady(command.inputs.update);
          assert.equal(differs, isRead, `${command.name}, when ${source} changes`);
        }
      }
    });
    it("name their machine's id when they run again", () => {
      const ids = new Map<string, Set<unknown>>();
      for (const { name, inputs } of graph.commands().filter(({ inputs }) => inputs.update)) {
        const [, id] = / # machine ([^,]+), /.exec(String(inputs.update)) ?? [];
        const machine = machineOf(name);
        ids.set(machine, (ids.get(machine) ?? new Set()).add(id));
      }
      for (const [machine, { size }] of ids) assert.equal(size, 1, machine);
      assert.equal(new Set([...ids.values()].flatMap((id) => [...id])).size, ids.size);
    });
    it("do not run again when any pair was renewed, but its bundle and what asks the API with the operator's", async () => {
      const { graph: renewed } = await runProgram({
        outputs: ({ type }) =>
          type === "tls:index/locallySignedCert:LocallySignedCert"
            ? { certPem: "renewed\n" }
            : undefined,
      });
      assert.deepEqual(
        changes(graph, renewed).filter((change) => /^(cp|worker)\d:/.test(change)),
        [
          ...controllers.flatMap((name) => [
            `${name}:control-plane-pki stdin`,
            `${name}:etcd-pki stdin`,
            `${name}:kubelet-pki stdin`,
            `${name}:taints stdin`,
          ]),
          ...workers.map((name) => `${name}:kubelet-pki stdin`),
        ].sort(),
      );
    });
    it("all run again when the operator wants everything put right", async () => {
      const { graph: reasserted } = await runProgram({
        settings: (settings) => {
          settings.reassert = 1;
        },
      });
      assert.deepEqual(
        changes(graph, reasserted),
        graph
          .commands()
          .filter(({ name }) => !name.endsWith("-healthy"))
          .map(({ name }) => `${name} update`)
          .sort(),
      );
    });
  });

  describe("keeps secrets so that", () => {
    it("none stands in a command line or anywhere else in plain text", () => {
      for (const { name, inputs } of graph.resources)
        assert.ok(!plain(inputs).includes(secretMark), `${name} shows a secret`);
      for (const { name, inputs } of graph.commands())
        for (const verb of ["create", "update", "delete"])
          assert.notEqual(typeof inputs[verb], "object", `${name} has a secret ${verb}`);
    });
    it("each is in a file of its owner alone, behind a secret standard input", () => {
      for (const command of graph.commands())
        for (const { path, mode, text } of describedBy(command)?.files ?? [])
          if (text.includes(secretMark)) {
            assert.equal(mode, "0600", `${command.name} places ${path}`);
            assert.equal(typeof command.inputs.stdin, "object", `${command.name} shows ${path}`);
          }
    });
    it("every other standard input is known in the first preview", () => {
      for (const command of preview.commands()) {
        const { stdin } = command.inputs;
        if (command.name.endsWith("-pki")) assert.equal(stdin, unknown, command.name);
        else if (!command.name.endsWith("-healthy")) {
          assert.equal(typeof stdin, "string", command.name);
          assert.ok(!stdinOf(command).includes(unknown), command.name);
          assert.equal(stdin, graph.command(command.name).inputs.stdin, command.name);
        }
      }
    });
    it("the way into machines and into the cluster is one", () => {
      for (const { name, inputs } of graph.commands())
        assert.deepEqual(Object.keys(Object(inputs.connection)), ["secret"], name);
      const [provider] = graph.ofType("pulumi:providers:kubernetes");
      assert.deepEqual(Object.keys(Object(provider?.inputs.kubeconfig)), ["secret"]);
    });
  });

  describe("changes so little that", () => {
    const dropFirst = (list: unknown[]) => list.splice(0, 1);

    it("another worker is one more route to the other machines", async () => {
      const { graph: grown } = await runProgram({
        settings: ({ workerPools }) => workerPools[0]!.machines.push(worker3),
      });
      assertRoutes(graph, grown, {
        added: "  10.200.23.0/24 via 10.240.0.23 # worker3",
      });
    });
    it("machines and tokens that an update of a target leaves unmade are nothing to others", async () => {
      const { graph: grown, exports } = await runProgram({
        settings: (settings) => {
          settings.joinTokens = [{ name: "guests" }];
          settings.workerPools.push(
            { name: "comers", join: "kubeadm", discovery: "file", machines: [worker3] },
            { name: "others", join: "bootstrapToken", machines: [worker4] },
          );
        },
        outputs: (resource) =>
          /worker[34]|^join-token/.test(resource.name)
            ? Object.fromEntries(Object.keys(computed(resource)).map((key) => [key, undefined]))
            : undefined,
      });
      const [before, after] = [graph, grown].map((one) => one.command("worker1:kubelet").inputs);
      assert.deepEqual(after, before);
      assert.deepEqual(grown.command("worker3:kubelet-pki").inputs.stdin, { secret: null });
      assert.equal(await settled(exports.joinCommand as pulumi.Output<string>), undefined);
    });
    it("one worker less, be it the first, is one route less to the other machines", async () => {
      const { graph: shrunk } = await runProgram({
        settings: ({ workerPools }) => dropFirst(workerPools[0]!.machines),
      });
      assert.equal(shrunk.commands("worker1").length, 0);
      assertRoutes(graph, shrunk, {
        removed: "  10.200.21.0/24 via 10.240.0.21 # worker1",
      });
    });
    it("a kubelet's setting is one line on one machine", async () => {
      const { graph: after } = await runProgram({
        settings: ({ workerPools }) => {
          workerPools[0]!.machines[0]!.kubelet = { maxPods: 50 };
        },
      });
      assert.deepEqual(changes(graph, after), ["worker1:kubelet stdin"]);
      assert.deepEqual(lineChanges(graph, after, "worker1:kubelet"), {
        removed: [],
        added: ["  maxPods: 50"],
      });
    });
    it("an API server's flag is one line on each controller", async () => {
      const withFlag = (flags: Record<string, string>) =>
        runProgram({
          settings: (settings) => {
            settings.apiServer = { extraFlags: flags };
          },
        });
      const { graph: before } = await withFlag({ "event-ttl": "1h" });
      const { graph: after } = await withFlag({ "event-ttl": "2h" });
      const stdins = controllers.map((name) => `${name}:kube-apiserver`);
      assert.deepEqual(
        changes(before, after),
        stdins.map((name) => `${name} stdin`),
      );
      for (const name of stdins)
        assert.deepEqual(lineChanges(before, after, name), {
          removed: ["    --event-ttl=1h"],
          added: ["    --event-ttl=2h"],
        });
    });
    it("another pair of controllers restarts no etcd", async () => {
      const { graph: grown } = await runProgram({
        settings: ({ controllers }) =>
          controllers.push(
            { name: "cp4", address: "10.240.0.14", podCidr: "10.200.14.0/24" },
            { name: "cp5", address: "10.240.0.15", podCidr: "10.200.15.0/24" },
          ),
      });
      const lasting = (command: Registration) => {
        const { files, ...rest } = describedBy(command)!;
        return { ...rest, files: files.filter(({ live }) => !live) };
      };
      for (const machine of controllers) {
        const [before, after] = [graph, grown].map((one) =>
          lasting(one.command(`${machine}:etcd`)),
        );
        assert.deepEqual(after, before);
      }
    });
  });

  describe("goes through machines so that", () => {
    let first: Graph;
    let graph: Graph;
    before(async () => {
      ({ graph: first } = await firstUpdate());
      ({ graph } = await runProgram({ state: founded }));
    });

    it("controllers change one after another", () => {
      for (const service of [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "containerd",
        "kubelet",
        "kube-proxy",
      ])
        for (const [earlier, later] of [controllers.slice(0, 2), controllers.slice(1)])
          assert.ok(graph.waits(`${later}:${service}`, `${earlier}:${service}`), service);
    });
    it("API servers that join answer through the load balancer before the others restart", async () => {
      const graphAfter = async (...gates: string[]) =>
        (await runProgram({ state: leftGates(...gates) })).graph;
      const grown = await graphAfter("cp1:control-plane-healthy");
      for (const joining of ["cp2", "cp3"]) {
        assert.ok(grown.waits("lb:api-load-balancer", `${joining}:kube-apiserver-joined`));
        assert.ok(!grown.waits(`${joining}:kube-apiserver`, "cp1:kube-apiserver"));
      }
      assert.ok(grown.waits("cp1:kube-apiserver", "lb:api-load-balancer"));
      assert.ok(grown.waits("cp2:kube-controller-manager", "cp1:kube-apiserver"));
      const later = await graphAfter(
        ...controllers.map((name) => `${name}:control-plane-healthy`),
        "cp2:kube-apiserver-joined",
      );
      const joined = later.commands().filter(({ name }) => name.endsWith(":kube-apiserver-joined"));
      assert.deepEqual(
        joined.map(({ name }) => name),
        ["cp2:kube-apiserver-joined"],
      );
      assert.ok(later.waits("lb:api-load-balancer", "cp3:kube-apiserver"));
      assert.ok(graph.waits("lb:api-load-balancer", "cp3:kube-apiserver"));
    });
    it("as many workers change at a time as may be unavailable", async () => {
      const { graph: wide } = await runProgram({
        state: founded,
        settings: ({ workerPools }) => {
          workerPools[0]!.maxUnavailable = 2;
          workerPools[0]!.machines.push(worker3, worker4);
        },
      });
      for (const service of ["containerd", "kubelet", "kube-proxy"]) {
        const waits = (later: string, earlier: string) =>
          wide.waits(`${later}:${service}`, `${earlier}:${service}`);
        assert.ok(waits("worker3", "worker1"), service);
        assert.ok(waits("worker4", "worker2"), service);
        assert.ok(!waits("worker2", "worker1"), service);
        assert.ok(!waits("worker4", "worker3"), service);
        assert.ok(!waits("worker4", "worker1"), service);
        assert.ok(graph.waits(`worker2:${service}`, `worker1:${service}`), service);
      }
    });
    it("no worker waits for another pool's", () => {
      assert.ok(!graph.waits("worker1:kubelet", "cp1:kubelet"));
    });
    it("what builds on all of a component waits until all of it is healthy", () => {
      for (const machine of controllers) {
        for (const other of controllers) {
          assert.ok(graph.waits(`${other}:kube-apiserver`, `${machine}:etcd-healthy`));
          assert.ok(graph.waits(`${other}:kubelet`, `${machine}:control-plane-healthy`));
        }
        assert.ok(graph.waits(`${machine}:control-plane-healthy`, "lb:api-load-balancer"));
      }
    });
    it("the first creation waits for health only between components, and the control plane for no other machine's service", () => {
      for (const machine of controllers) {
        assert.ok(!first.waits("cp3:etcd", `${machine}:etcd-healthy`));
        assert.ok(!first.waits("cp3:kube-apiserver", `${machine}:etcd-healthy`));
        assert.ok(first.waits("cp3:kube-apiserver", `${machine}:etcd`));
        assert.ok(first.waits("cp3:kube-controller-manager", `${machine}:kube-apiserver`));
        assert.ok(first.waits("cp3:containerd", `${machine}:control-plane-healthy`));
        assert.ok(!first.waits("cp3:kube-scheduler", `${machine}:control-plane-healthy`));
        assert.ok(!first.waits("cp3:kubelet", `${machine}:node-healthy`));
      }
      for (const service of ["etcd", "kube-apiserver", "kube-controller-manager"])
        assert.ok(!first.waits(`cp3:${service}`, `cp1:${service}`), service);
      const [dns] = first.ofType("kubernetes:apps/v1:Deployment");
      assert.ok(!first.awaited(dns!).has(first.command("worker1:node-healthy")));
    });
    it("members of etcd leave once no API server names them and their Nodes have been drained", () => {
      const retiring = graph
        .commands()
        .filter(({ inputs }) => String(inputs.create).includes(" retire-others "));
      assert.equal(retiring.length, 1);
      const awaited = graph.awaited(retiring[0]!);
      for (const machine of controllers)
        assert.ok(awaited.has(graph.command(`${machine}:control-plane-healthy`)), machine);
      assert.ok([...awaited].some(({ name }) => name === "membership:nodes"));
    });
    it("what runs in the cluster waits for its API, and goes with it", () => {
      const [provider] = graph.ofType("pulumi:providers:kubernetes");
      const inCluster = graph.resources.filter(({ type }) => type.startsWith("kubernetes:"));
      assert.ok(inCluster.length > 0);
      for (const machine of controllers)
        assert.ok(graph.awaited(provider!).has(graph.command(`${machine}:control-plane-healthy`)));
      for (const resource of inCluster) assert.equal(resource.deletedWith, provider!.urn);
      const [dns] = graph.ofType("kubernetes:apps/v1:Deployment");
      for (const machine of [...controllers, ...workers])
        assert.ok(graph.awaited(dns!).has(graph.command(`${machine}:node-healthy`)), machine);
    });
  });

  describe("agrees with itself, so that", () => {
    const kubernetes = (type: string, name: string) => {
      const found = graph
        .ofType(`kubernetes:${type}`)
        .find(({ inputs }) => (inputs.metadata as { name: string }).name === name);
      // biome-ignore lint/suspicious/noExplicitAny: any Kubernetes object
      return found!.inputs as any;
    };

    const taints = (one: typeof graph) =>
      one
        .ofType("command:local:Command")
        .filter(({ name }) => name.endsWith(":taints"))
        .map(({ inputs }) => inputs.environment as { NODE: string; TAINTS: string })
        .map(({ NODE, TAINTS }) => [NODE, TAINTS]);

    it("Nodes have the labels and taints of their pool", () => {
      for (const machine of controllers)
        assert.deepEqual(kubernetes("core/v1:NodePatch", machine).metadata.labels, {
          "node-role.kubernetes.io/control-plane": "",
          "app.kubernetes.io/managed-by": "pulumi",
        });
      for (const machine of workers)
        assert.deepEqual(kubernetes("core/v1:NodePatch", machine).metadata.labels, {
          "app.kubernetes.io/managed-by": "pulumi",
        });
      assert.deepEqual(
        taints(graph),
        controllers.map((name) => [name, "node-role.kubernetes.io/control-plane:NoSchedule"]),
      );
    });

    it("Nodes keep the taints of others: the program owns no list of taints, and nothing where none are set", async () => {
      for (const { inputs } of graph.ofType("kubernetes:core/v1:NodePatch"))
        assert.deepEqual(Object.keys(inputs.spec as object), ["podCIDR", "podCIDRs"]);
      const { graph: untainted } = await runProgram({
        settings: (settings) => {
          settings.controllerTaints = [];
          settings.workerPools[0]!.taints = [];
        },
      });
      assert.deepEqual(taints(untainted), []);
    });

    it("kubelets start once their Nodes have their taints", () => {
      for (const machine of controllers) {
        const awaited = graph.awaited(graph.command(`${machine}:kubelet`));
        assert.ok(
          [...awaited].some(({ name }) => name === `${machine}:taints`),
          machine,
        );
      }
    });

    it("Nodes have the pod ranges of the settings before their kubelets start", () => {
      for (const [machine, range] of [
        ["cp1", "10.200.11.0/24"],
        ["worker2", "10.200.22.0/24"],
      ] as const) {
        const { spec } = kubernetes("core/v1:NodePatch", machine);
        assert.equal(spec.podCIDR, range);
        assert.deepEqual(spec.podCIDRs, [range]);
        const [node] = graph
          .ofType("kubernetes:core/v1:NodePatch")
          .filter(({ name }) => machineOf(name) === machine);
        assert.ok(graph.awaited(graph.command(`${machine}:kubelet`)).has(node!), machine);
        assert.equal(node!.retainOnDelete, true);
      }
    });
    it("guests have a kube-proxy and a pod network only where tokens invite them", async () => {
      assert.deepEqual(graph.ofType("kubernetes:apps/v1:DaemonSet"), []);
      for (const { name } of graph.commands()) assert.doesNotMatch(name, /:guest-routes$/);
      assert.match(
        stdinOf(graph.command("cp1:kube-controller-manager")),
        /--allocate-node-cidrs=false/,
      );
      const { graph: open } = await runProgram({
        settings: (settings) => {
          settings.joinTokens = [{ name: "guests" }];
        },
      });
      const daemonSets = open.ofType("kubernetes:apps/v1:DaemonSet");
      assert.deepEqual(daemonSets.map(({ name }) => name).sort(), ["kube-proxy", "pod-network"]);
      const nodes = open.ofType("kubernetes:core/v1:NodePatch");
      for (const { inputs } of daemonSets) {
        const [{ key, operator, values }] =
          // biome-ignore lint/suspicious/noExplicitAny: any Kubernetes object
          (inputs.spec as any).template.spec.affinity.nodeAffinity
            .requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions;
        assert.equal(operator, "NotIn");
        for (const node of nodes) {
          const { labels } = node.inputs.metadata as { labels: Record<string, string> };
          assert.ok(values.includes(labels[key]), node.name);
        }
      }
      for (const machine of [...controllers, ...workers])
        assert.match(
          stdinOf(open.command(`${machine}:guest-routes`)),
          /NODES=app\.kubernetes\.io\/managed-by!=pulumi/,
        );
      for (const machine of controllers)
        assert.match(
          stdinOf(open.command(`${machine}:kube-controller-manager`)),
          /--cluster-cidr=10\.200\.0\.0\/16/,
        );
    });
    it("API servers may use the kubelets' API under the name in their certificate", () => {
      const [request] = graph.resources.filter(
        ({ name }) => name === "apiserver-kubelet-client-request",
      );
      const { commonName } = request!.inputs.subject as { commonName: string };
      const { subjects } = kubernetes(
        "rbac.authorization.k8s.io/v1:ClusterRoleBinding",
        "kube-apiserver-kubelet-api",
      );
      assert.deepEqual(
        subjects.map(({ kind, name }: { kind: string; name: string }) => ({ kind, name })),
        [{ kind: "User", name: commonName }],
      );
    });
    it("pods ask the DNS server that runs", () => {
      const { clusterIP } = kubernetes("core/v1:Service", "kube-dns").spec;
      for (const machine of [...controllers, ...workers])
        assert.match(
          stdinOf(graph.command(`${machine}:kubelet`)),
          new RegExp(`^ {2}clusterDNS:\n {4}- ${clusterIP}$`, "m"),
        );
    });
  });

  describe("founds etcd so that", () => {
    const founders = (graph: Graph, machine: string) =>
      describedBy(graph.command(`${machine}:etcd-pki`))!.files.find(({ path }) =>
        path.endsWith("/founders"),
      )?.text;

    it("the members of the first update start together", () => {
      for (const machine of controllers)
        assert.equal(
          founders(graph, machine),
          "cp1=https://10.240.0.11:2380,cp2=https://10.240.0.12:2380,cp3=https://10.240.0.13:2380\n",
        );
    });
    it("it is remembered which machines they were", () => {
      const stash = foundersOf(graph);
      assert.deepEqual(stash?.ignoreChanges, ["input"]);
      const remembered = stash?.inputs.input as { name: string; id: string }[];
      assert.deepEqual(
        remembered.map(({ name }) => name),
        controllers,
      );
      assert.equal(new Set(remembered.map(({ id }) => id)).size, controllers.length);
    });
    it("a machine that was made anew is none of them", async () => {
      const { graph: rebuilt } = await runProgram({
        outputs: (resource) => {
          if (!/^etcd:founders-/.test(resource.name)) return undefined;
          const [first, ...others] = computed(resource).output as { id: string }[];
          return { output: [{ ...first, id: "the machine before" }, ...others] };
        },
      });
      assert.equal(founders(rebuilt, "cp1"), "");
      for (const machine of ["cp2", "cp3"])
        assert.equal(founders(rebuilt, machine), founders(graph, machine));
    });
    it("the first member of a later generation founds a cluster, which the others join", async () => {
      const { graph: restored } = await runProgram({
        settings: (settings) => {
          settings.etcd = { generation: 2 };
        },
      });
      assert.notEqual(foundersOf(restored)?.name, foundersOf(graph)?.name);
      // An update waits for each member before the next: none may wait for another to found the cluster.
      assert.equal(founders(restored, "cp1"), "cp1=https://10.240.0.11:2380\n");
      for (const machine of ["cp2", "cp3"]) assert.equal(founders(restored, machine), "");
    });
  });

  describe("gives out", () => {
    const awaitedBy = async (output: pulumi.Output<unknown>) => {
      const { allResources } = output as unknown as {
        allResources(): Promise<Set<pulumi.Resource>>;
      };
      const resources = [...(await allResources.call(output))];
      const urns = await Promise.all(resources.map(({ urn }) => settled(urn)));
      return new Set(urns.flatMap((urn) => [graph.at(urn), ...graph.awaited(graph.at(urn))]));
    };

    it("a kubeconfig that is a secret, once the cluster's DNS answers", async () => {
      assert.equal(await pulumi.isSecret(exports.kubeconfig), true);
      assert.match(await settled(exports.kubeconfig), /server: https:\/\/127\.0\.0\.1:16443\n/);
      const awaited = await awaitedBy(exports.kubeconfig);
      for (const machine of controllers)
        assert.ok(awaited.has(graph.command(`${machine}:control-plane-healthy`)), machine);
      for (const machine of [...controllers, ...workers])
        assert.ok(awaited.has(graph.command(`${machine}:node-healthy`)), machine);
      assert.ok(awaited.has(graph.ofType("kubernetes:apps/v1:Deployment")[0]!));
    });
    it("the API's address once it answers", async () => {
      assert.equal(await settled(exports.endpoint), "https://127.0.0.1:16443");
      const awaited = await awaitedBy(exports.endpoint);
      for (const machine of controllers)
        assert.ok(awaited.has(graph.command(`${machine}:control-plane-healthy`)), machine);
    });
    it("every machine with its role", () => {
      assert.deepEqual(
        exports.machines.map(({ name, address, role }) => `${name} ${address} ${role}`),
        [
          "lb 10.240.0.10 load balancer",
          "cp1 10.240.0.11 controller",
          "cp2 10.240.0.12 controller",
          "cp3 10.240.0.13 controller",
          "worker1 10.240.0.21 worker",
          "worker2 10.240.0.22 worker",
        ],
      );
    });
    it("the mirror of artifacts, as machines reach it", () => {
      assert.equal(exports.mirror, "file:///opt/kthw-mirror");
    });
    it("the hash of the authority's public key, as kubeadm join takes it", async () => {
      // openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
      assert.deepEqual(await settled(exports.caCertHashes), [
        "sha256:5f0bf0f93c3401e954d40265355fb795c5f9ee957824f19a898bc9298587d8f4",
      ]);
    });
  });
});

function settled<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve as (value: unknown) => void));
}

function isA(kind: "service" | "bundle", command: Registration): boolean {
  return describedBy(command)?.kind === kind;
}

/** What a service reads of others when it starts. */
function readsOf(command: Registration): readonly string[] {
  const described = describedBy(command);
  return described?.kind === "service" ? described.reads : [];
}

/** The services that a gate waits for; none for another command. */
function awaitedServices({ inputs }: Registration): string[] {
  const [, services] = /^kthw-node wait (.*?)(?: --within |$)/.exec(String(inputs.create)) ?? [];
  return services?.split(" ") ?? [];
}

/** The texts of all credentials of a machine, by path. */
function credentialsOf(graph: Graph, machine: string): ReadonlyMap<string, string> {
  return new Map(
    graph
      .commands(machine)
      .filter((command) => isA("bundle", command))
      .flatMap((command) =>
        describedBy(command)!.files.map(({ path, text }) => [path, text] as const),
      ),
  );
}

/** Paths on the machine of what `kthw-node fetch` reads. */
function fetchedBinaries(text: string): string[] {
  return readDownloads(text).flatMap((download) =>
    download.kind === "binaries"
      ? Object.values(download.members).map(
          (binary) => `/opt/kthw/${download.name}/${download.version}/${binary}`,
        )
      : [],
  );
}

/** What remembers the machines that founded etcd. */
function foundersOf(graph: Graph): Registration | undefined {
  return graph.ofType("pulumi:index:Stash").find(({ name }) => name.startsWith("etcd:founders-"));
}

/** The inputs as they stand in plain state: without what is secret. */
function plain(inputs: unknown): string {
  return JSON.stringify(inputs, (_, value) =>
    value !== null && typeof value === "object" && "secret" in value ? "[secret]" : value,
  );
}

/** Which inputs differ of the resources that both programs have, as `name input`, sorted. */
function changes(before: Graph, after: Graph): string[] {
  const afterwards = new Map(after.resources.map((resource) => [resource.urn, resource.inputs]));
  return before.resources
    .flatMap(({ urn, name, inputs }) => {
      const now = afterwards.get(urn);
      if (now === undefined) return [];
      return [...new Set([...Object.keys(inputs), ...Object.keys(now)])]
        .filter((key) => steady(inputs[key]) !== steady(now[key]))
        .map((key) => `${name} ${key}`);
    })
    .sort();
}

/** A value without the ids that are made up for machines which do not run. */
function steady(value: unknown): string | undefined {
  return JSON.stringify(value)?.replaceAll(/\b[0-9a-f]{32}\b/g, "id");
}

/** The lines between the first and the last that differ. */
function lineChanges(before: Graph, after: Graph, command: string) {
  const removed = stdinOf(before.command(command)).split("\n");
  const added = stdinOf(after.command(command)).split("\n");
  while (removed.length > 0 && removed[0] === added[0]) {
    removed.shift();
    added.shift();
  }
  while (removed.length > 0 && removed.at(-1) === added.at(-1)) {
    removed.pop();
    added.pop();
  }
  return { removed, added };
}

/** Asserts that the machines that stay differ by one route each. */
function assertRoutes(before: Graph, after: Graph, line: { added?: string; removed?: string }) {
  const staying = before
    .commands()
    .map(({ name }) => name)
    .filter(
      (name) =>
        name.endsWith(":pod-network") && after.commands().some((command) => command.name === name),
    )
    .sort();
  assert.deepEqual(changes(before, after), [
    ...staying.filter((name) => name < "m").map((name) => `${name} stdin`),
    "membership:nodes environment",
    ...staying.filter((name) => name > "m").map((name) => `${name} stdin`),
  ]);
  for (const name of staying)
    assert.deepEqual(lineChanges(before, after, name), {
      removed: line.removed ? [line.removed] : [],
      added: line.added ? [line.added] : [],
    });
}
