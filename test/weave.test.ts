import { strict as assert } from "node:assert";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { downloadsFor } from "../components/downloads.ts";
import { defaultKubernetesVersion } from "../components/versions.ts";
import {
  clusterRules,
  peersAtFirst,
  weaveImages,
  weavePodSpec,
} from "../networks/weave/manifests.ts";
import { weaveService } from "../networks/weave/service.ts";
import type { Weave } from "../networks/weave/settings.ts";
import { kernelCheck } from "../services/kernel.ts";
import { facts } from "./support/facts.ts";
import { type Graph, runProgram, stdinOf } from "./support/program.ts";
import type { Registration } from "./support/record.ts";
import { weaveObjects, withWeaveNet } from "./support/weave.ts";

const nodes = ["cp1", "cp2", "cp3", "worker1", "worker2"];
const weave = (differing: Partial<Weave> = {}): Weave => ({
  fastDatapath: true,
  imageDigests: {},
  ...differing,
});

describe("the program with Weave Net", () => {
  let graph: Graph;
  let bridged: Graph;
  before(async () => {
    ({ graph } = await withWeaveNet());
    ({ graph: bridged } = await runProgram());
  });

  // biome-ignore lint/suspicious/noExplicitAny: any Kubernetes object
  const object = (kind: string, of = graph): any => weaveObjects(of).get(kind)!.inputs;

  it("has a component of its own in the place of the other network's", () => {
    const components = ({ resources }: Graph) =>
      resources.filter(({ parent }) => parent === "").map(({ type, name }) => `${type} ${name}`);
    const [weave, bridge] = [components(graph), components(bridged)];
    assert.deepEqual(
      weave.map((one) => one.replace("WeaveNet", "BridgeNetwork")).sort(),
      bridge.sort(),
    );
  });
  it("has all objects under one name, and keeps them as long as the cluster lives", () => {
    assert.deepEqual([...weaveObjects(graph).keys()].sort(), [
      "ClusterRole",
      "ClusterRoleBinding",
      "ConfigMap",
      "DaemonSet",
      "Role",
      "RoleBinding",
      "ServiceAccount",
    ]);
    const [provider] = graph.ofType("pulumi:providers:kubernetes");
    for (const one of weaveObjects(graph).values()) {
      const { name, namespace } = one.inputs.metadata as { name: string; namespace?: string };
      assert.equal(name, "weave-net");
      assert.equal(namespace, /ClusterRole/.test(one.type) ? undefined : "kube-system");
      assert.equal(one.deletedWith, provider!.urn, one.type);
    }
  });
  it("lets Weave Net do what it needs, and no more", () => {
    assert.deepEqual(object("ClusterRole").rules, [
      {
        apiGroups: [""],
        resources: ["pods", "namespaces", "nodes"],
        verbs: ["get", "list", "watch"],
      },
      {
        apiGroups: ["networking.k8s.io"],
        resources: ["networkpolicies"],
        verbs: ["get", "list", "watch"],
      },
      { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch", "update"] },
    ]);
    assert.deepEqual(object("Role").rules, [
      {
        apiGroups: [""],
        resources: ["configmaps"],
        resourceNames: ["weave-net"],
        verbs: ["get", "update"],
      },
    ]);
    for (const kind of ["ClusterRole", "Role"]) {
      const { roleRef, subjects } = object(`${kind}Binding`);
      assert.deepEqual(roleRef, {
        apiGroup: "rbac.authorization.k8s.io",
        kind,
        name: "weave-net",
      });
      assert.deepEqual(subjects, [
        { kind: "ServiceAccount", name: "weave-net", namespace: "kube-system" },
      ]);
    }
    assert.ok(clusterRules.every(({ verbs }) => !verbs.includes("*")));
  });
  it("makes the list of peers itself, so that the list goes with the network", () => {
    assert.ok(
      graph
        .awaited(weaveObjects(graph).get("DaemonSet")!)
        .has(weaveObjects(graph).get("ConfigMap")!),
    );
    assert.deepEqual(Object.keys(object("ConfigMap")).sort(), ["apiVersion", "kind", "metadata"]);
  });
  it("keeps its pods where a node joins or leaves", () => {
    assert.deepEqual(weaveObjects(graph).get("DaemonSet")!.ignoreChanges, [peersAtFirst]);
  });
  it("runs Weave Net on every node, whatever its taints, before the node is Ready", () => {
    const { metadata, spec } = object("DaemonSet");
    assert.equal(metadata.annotations["pulumi.com/skipAwait"], "true");
    assert.equal(spec.minReadySeconds, 5);
    assert.deepEqual(spec.updateStrategy, { type: "RollingUpdate" });
    for (const [label, value] of Object.entries(spec.selector.matchLabels))
      assert.equal(spec.template.metadata.labels[label], value);
    assert.deepEqual(
      spec.template.spec,
      weavePodSpec({ ...facts, nodes: nodes.map((name) => ({ name, address: "" })) }, weave()),
    );
    const { affinity, nodeSelector, tolerations } = spec.template.spec;
    assert.equal(affinity, undefined);
    assert.deepEqual(nodeSelector, { "kubernetes.io/os": "linux" });
    assert.deepEqual(tolerations, [
      { effect: "NoSchedule", operator: "Exists" },
      { effect: "NoExecute", operator: "Exists" },
    ]);
  });

  describe("in an order in which", () => {
    const daemonSet = () => weaveObjects(graph).get("DaemonSet")!;
    it("machines are prepared before their kubelets and the pods", () => {
      for (const node of nodes) {
        assert.ok(graph.waits(`${node}:kubelet`, `${node}:pod-network`), node);
        assert.ok(graph.awaited(daemonSet()).has(graph.command(`${node}:pod-network`)), node);
      }
    });
    it("no object waits for a node, and each node for the network on it", () => {
      const late = graph.commands().filter(({ name }) => /:(kubelet|node-healthy)$/.test(name));
      assert.equal(late.length, 2 * nodes.length);
      for (const one of weaveObjects(graph).values())
        for (const command of late) assert.ok(!graph.awaited(one).has(command), command.name);
      for (const node of nodes) {
        const gate = graph.command(`${node}:node-healthy`);
        assert.ok(graph.awaited(gate).has(daemonSet()), node);
        assert.match(
          String(gate.inputs.create),
          /wait containerd kubelet kube-proxy pod-network .*wait --for=condition=Ready .* && curl [^&]* http:\/\/127\.0\.0\.1:6784\/status/,
        );
      }
    });
    it("a Node is deleted before its machine is cleaned up", () => {
      const [list] = graph.resources.filter(({ name }) => name === "membership:nodes");
      for (const node of nodes)
        assert.ok(graph.awaited(graph.command(`${node}:pod-network`)).has(list!), node);
    });
  });

  it("gives no Node a range of pods, and lets no controller do so", async () => {
    const { graph: open } = await withWeaveNet({ joinTokens: [{ name: "guests" }] });
    for (const one of [graph, open]) {
      for (const { inputs } of one.ofType("kubernetes:core/v1:NodePatch"))
        assert.deepEqual(
          Object.keys(inputs.spec as object).filter((field) => field.startsWith("podCIDR")),
          [],
        );
      for (const { name, inputs } of one.resources)
        assert.doesNotMatch(`${name} ${JSON.stringify(inputs)}`, /worker\d:podCidr/);
      assert.match(
        stdinOf(one.command("cp1:kube-controller-manager")),
        /--allocate-node-cidrs=false/,
      );
    }
    const sets = open.ofType("kubernetes:apps/v1:DaemonSet").map(({ name }) => name);
    assert.deepEqual(sets.sort(), ["kube-proxy", "weave-net"]);
    for (const { name } of open.commands()) assert.doesNotMatch(name, /guest-routes/);
  });
  it("has the same services as with the other network, but for the network itself", () => {
    const texts = (of: Graph) =>
      new Map(
        of
          .commands()
          .filter(({ name }) => !/:(pod-network|node|node-healthy)$/.test(name))
          .map((command) => [command.name, stdinOf(command)]),
      );
    assert.deepEqual(texts(graph), texts(bridged));
  });
  it("asks the kernel of each node in the first command there, and no load balancer's", () => {
    const create = (name: string) => String(graph.command(name).inputs.create);
    for (const node of nodes) {
      assert.match(create(`${node}:node`), /^sh -c '.*dummy:DUMMY.*' <\/dev\/null && install /s);
      for (const command of graph.commands(node))
        if (command.name !== `${node}:node`)
          assert.ok(graph.waits(command.name, `${node}:node`), command.name);
    }
    assert.equal(create("lb:node"), String(bridged.command("lb:node").inputs.create));
    assert.match(create("lb:node"), /^install /);
  });

  describe("and a password", () => {
    const password = "correct horse";
    const holding = (one: Registration) => JSON.stringify(one.inputs).includes(password);
    let encrypted: Graph;
    before(async () => {
      process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify(["kthw:weave"]);
      ({ graph: encrypted } = await withWeaveNet({ weave: { password } }).finally(() => {
        delete process.env.PULUMI_CONFIG_SECRET_KEYS;
      }));
    });

    it("keeps it in a Secret alone", () => {
      assert.deepEqual(encrypted.resources.filter(holding), [
        weaveObjects(encrypted).get("Secret"),
      ]);
      assert.deepEqual(object("Secret", encrypted).stringData, {
        secret: { password },
      });
    });
    it("gives it to Weave Net, whose pods are replaced when it changes", () => {
      const { template } = object("DaemonSet", encrypted).spec;
      const { env } = template.spec.containers[0];
      assert.deepEqual(
        env.filter(({ name }: { name: string }) => name === "WEAVE_PASSWORD"),
        [
          {
            name: "WEAVE_PASSWORD",
            valueFrom: { secretKeyRef: { name: "weave-net", key: "password" } },
          },
        ],
      );
      assert.match(template.metadata.annotations["checksum/password"], /^[0-9a-f]{12}$/);
      assert.equal(object("DaemonSet").spec.template.metadata.annotations, undefined);
    });
    it("needs of the kernel what encrypts", () => {
      assert.match(String(encrypted.command("cp1:node").inputs.create), / esp4:INET_ESP /);
    });
  });
});

describe("the pod of Weave Net", () => {
  const spec = weavePodSpec(facts, weave());
  const [main, npc] = spec.containers;
  const [init] = spec.initContainers;
  const all = [init!, main!, npc!];
  const variables = (container: { readonly env: readonly object[] }) =>
    new Map(
      container.env.map((one) => {
        const { name, value, valueFrom } = one as Record<string, unknown>;
        return [name as string, value ?? valueFrom];
      }),
    );
  const mounts = ({ volumeMounts }: (typeof all)[number]) =>
    volumeMounts.map(({ name, mountPath }) => {
      const { hostPath } = spec.volumes.find((volume) => volume.name === name)!;
      return `${hostPath.path} ${mountPath}`;
    });

  it("shares the network of its node, and comes first", () => {
    assert.equal(spec.hostNetwork, true);
    assert.equal(spec.dnsPolicy, "ClusterFirstWithHostNet");
    assert.equal(spec.priorityClassName, "system-node-critical");
    assert.equal(spec.serviceAccountName, "weave-net");
    for (const { securityContext } of all) assert.deepEqual(securityContext, { privileged: true });
  });
  it("is of the maintained fork, by tag, and pulled once", () => {
    const images = all.map(({ image }) => image);
    const [kube, policies] = ["weave-kube", "weave-npc"].map(
      (product) => `docker.io/rajchaudhuri/${product}:2.9.0`,
    );
    assert.deepEqual(images, [kube, kube, policies]);
    for (const { imagePullPolicy } of all) assert.equal(imagePullPolicy, "IfNotPresent");
    const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
    const imageDigests = { weaveKube: digest("a"), weaveNpc: digest("b") };
    const pinned = weavePodSpec(facts, weave({ imageDigests }));
    assert.deepEqual(
      [...pinned.initContainers, ...pinned.containers].map(({ image }) => image),
      [`${kube}@${digest("a")}`, `${kube}@${digest("a")}`, `${policies}@${digest("b")}`],
    );
  });
  it("programs one packet filter in all containers", () => {
    for (const container of all)
      assert.equal(variables(container).get("IPTABLES_BACKEND"), "nft", container.name);
  });
  it("takes addresses out of the range of all pods, which kube-proxy knows", () => {
    assert.equal(variables(main!).get("IPALLOC_RANGE"), facts.podCidr);
  });
  it("divides the range only with more than half of the first nodes", () => {
    const { env } = main!;
    assert.deepEqual(env[0], { name: "IPALLOC_INIT", value: `consensus=${facts.nodes.length}` });
    assert.equal(peersAtFirst, "spec.template.spec.containers[0].env[0].value");
  });
  it("names its CNI plugin by its version, since one that is there is never replaced", () => {
    assert.equal(variables(init!).get("WEAVE_VERSION"), "2.9.0");
  });
  it("starts what its images start, with the folders of the node", () => {
    assert.deepEqual(init!.command, ["/home/weave/init.sh"]);
    assert.deepEqual(main!.command, ["/home/weave/launch.sh"]);
    const lock = "/run/xtables.lock /run/xtables.lock";
    assert.deepEqual(mounts(init!), [
      "/opt /host/opt",
      "/home /host/home",
      "/etc /host/etc",
      "/lib/modules /lib/modules",
      lock,
    ]);
    assert.deepEqual(mounts(main!), [
      "/var/lib/weave /weavedb",
      "/var/lib/dbus /host/var/lib/dbus",
      "/etc/machine-id /host/etc/machine-id",
      lock,
    ]);
    assert.deepEqual(mounts(npc!), [lock]);
    const { hostPath } = spec.volumes.find(({ name }) => name === "xtables-lock")!;
    assert.equal(hostPath.type, "FileOrCreate");
  });
  it("knows its node, calls nobody, and shows its metrics to the node alone", () => {
    const fieldRef = { fieldRef: { fieldPath: "spec.nodeName" } };
    assert.deepEqual(variables(main!).get("HOSTNAME"), fieldRef);
    assert.deepEqual(variables(npc!).get("HOSTNAME"), fieldRef);
    assert.equal(variables(main!).get("INIT_CONTAINER"), "true");
    assert.equal(variables(main!).get("CHECKPOINT_DISABLE"), "1");
    assert.equal(variables(main!).get("WEAVE_METRICS_ADDR"), "127.0.0.1:6782");
    assert.deepEqual(npc!.args, ["--metrics-addr=127.0.0.1:6781"]);
    assert.deepEqual(main!.readinessProbe?.httpGet, {
      host: "127.0.0.1",
      path: "/status",
      port: 6784,
    });
    for (const { resources } of [main!, npc!])
      assert.deepEqual(resources, { requests: { cpu: "50m" } });
  });
  it("has the datapath and the MTU of the settings", () => {
    assert.ok(!variables(main!).has("WEAVE_NO_FASTDP"));
    assert.ok(!variables(main!).has("WEAVE_MTU"));
    const other = weavePodSpec(facts, weave({ fastDatapath: false, mtu: 8916 })).containers[0]!;
    assert.equal(variables(other).get("WEAVE_NO_FASTDP"), "1");
    assert.equal(variables(other).get("WEAVE_MTU"), "8916");
  });
});

describe("the images of Weave Net", () => {
  const images = weaveImages("arm64");
  const downloads = (mirrored: readonly string[]) =>
    downloadsFor(
      [{ binaries: ["kubelet"] }],
      { kubernetesVersion: defaultKubernetesVersion, architecture: "arm64" },
      {
        mirrorUrl: "https://mirror.example.com",
        sums: new Map(mirrored.map((file) => [file, "5f0b"])),
      },
      images,
    ).filter((one) => one.kind === "image" && one.name.includes("weave"));

  it("are those that its pods name", () => {
    const { initContainers, containers } = weavePodSpec(facts, weave());
    assert.deepEqual(
      images.map(({ name }) => name),
      [...new Set([...initContainers, ...containers].map(({ image }) => image))],
    );
  });
  it("come from a mirror that has them, and else from their registry", () => {
    assert.deepEqual(downloads([]), []);
    assert.deepEqual(downloads(["images/weave-npc-2.9.0-arm64.tar"]), [
      {
        kind: "image",
        name: "docker.io/rajchaudhuri/weave-npc:2.9.0",
        url: "https://mirror.example.com/images/weave-npc-2.9.0-arm64.tar",
        sum: "sha256:5f0b",
      },
    ]);
  });
});

describe("Weave Net on a machine", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-weave-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("declares what machines send each other", () => {
    const { ports, otherTraffic } = weaveService(facts, weave());
    assert.deepEqual(ports, [6781, 6782, 6783, 6784]);
    assert.deepEqual(otherTraffic, [{ udpPort: 6783 }, { udpPort: 6784 }]);
    const others = (differing: Partial<Weave>) =>
      weaveService(facts, weave(differing)).otherTraffic;
    assert.deepEqual(others({ fastDatapath: false, password: "x" }), [{ udpPort: 6783 }]);
    assert.deepEqual(others({ password: "x" }), [
      { udpPort: 6783 },
      { udpPort: 6784 },
      { ipProtocol: 50 },
    ]);
  });

  /** Runs a requirement, with another folder in the place of one, and returns what it says; undefined if it is met. */
  const refusal = (requirement: string, former: string, other: string) => {
    const { status, stdout } = spawnSync("bash", ["-c", requirement.replaceAll(former, other)], {
      encoding: "utf8",
    });
    return status === 0 ? undefined : stdout.trim();
  };

  it("is refused beside a configuration that comes before its own", () => {
    const [requirement] = weaveService(facts, weave()).requires!;
    const cni = path.join(folder, "net.d");
    const refused = () => refusal(requirement!, "/etc/cni/net.d", cni);
    const put = (name: string) => writeFileSync(path.join(cni, name), "{}");
    assert.equal(refused(), undefined);
    mkdirSync(cni);
    assert.equal(refused(), undefined);
    put("10-weave.conflist");
    put("README");
    assert.equal(refused(), undefined);
    put("87-podman.conflist");
    assert.equal(refused(), undefined);
    put("10-bridge.conflist");
    assert.equal(
      refused(),
      `the configuration of another network comes before 10-weave.conflist, got ${cni}/10-bridge.conflist; move it away, or make the machine anew`,
    );
  });
  it("is refused without a machine id", () => {
    const requirement = weaveService(facts, weave()).requires![1]!;
    const file = path.join(folder, "machine-id");
    const refused = () => refusal(requirement, "/etc/machine-id", file);
    writeFileSync(file, "0123456789abcdef0123456789abcdef\n");
    assert.equal(refused(), undefined);
    for (const text of ["", "uninitialized\n"]) {
      writeFileSync(file, text);
      assert.match(refused()!, /^no machine id, after which weave names its peers, got /);
    }
  });

  it("is refused beside the legacy packet filter", () => {
    const requirement = weaveService(facts, weave()).requires![2]!;
    const bin = path.join(folder, "bin");
    mkdirSync(bin);
    const refused = () =>
      spawnSync("/bin/bash", ["-c", requirement], { encoding: "utf8", env: { PATH: bin } });
    assert.equal(refused().status, 0);
    for (const [backend, status] of [
      ["nf_tables", 0],
      ["legacy", 1],
    ] as const) {
      const script = `#!/bin/sh\necho "iptables v1.8.9 (${backend})"\n`;
      writeFileSync(path.join(bin, "iptables"), script, { mode: 0o755 });
      assert.equal(refused().status, status, backend);
    }
    assert.equal(
      refused().stdout.trim(),
      "iptables uses its legacy backend, got iptables v1.8.9 (legacy); run update-alternatives --set iptables /usr/sbin/iptables-nft",
    );
  });

  describe("asks the kernel", () => {
    const needs = (differing: Partial<Weave> = {}) =>
      kernelCheck([weaveService(facts, weave(differing))]);
    /** Runs a check on a kernel with these modules and this configuration. */
    const ask = (
      check: string,
      kernel: { loaded?: string[]; loadable?: string[]; options?: string[] },
    ) => {
      const { loaded = [], loadable = [], options = [] } = kernel;
      const place = mkdtempSync(path.join(folder, "kernel-"));
      for (const module of loaded) mkdirSync(path.join(place, module), { recursive: true });
      writeFileSync(path.join(place, "config"), options.map((one) => `CONFIG_${one}=y\n`).join(""));
      execFileSync("gzip", [path.join(place, "config")]);
      const modprobe = path.join(place, "modprobe");
      writeFileSync(
        modprobe,
        `#!/bin/sh\ncase " ${loadable.join(" ")} " in *" $3 "*) ;; *) exit 1 ;; esac\n`,
        {
          mode: 0o755,
        },
      );
      const script = check
        .replace("/sys/module", place)
        .replace("/proc/config.gz", path.join(place, "config.gz"));
      const { status, stderr } = spawnSync("sh", ["-c", script], {
        encoding: "utf8",
        env: { PATH: `${place}:${process.env.PATH}` },
      });
      return { passes: status === 0, said: stderr };
    };
    const modules = (check: string) =>
      [...check.matchAll(/ (\w+):([A-Z_]+)(?= |$)/gm)].map(([, module, option]) => ({
        module: module!,
        option: option!,
      }));

    it("for modules that are loaded, can be loaded, or are built in", () => {
      const all = modules(needs());
      assert.equal(all.length, 14);
      for (const kernel of [
        { loaded: all.map(({ module }) => module) },
        { loadable: all.map(({ module }) => module) },
        { options: all.map(({ option }) => option) },
      ])
        assert.deepEqual(ask(needs(), kernel), { passes: true, said: "" });
    });
    it("and names all that is missing, each with the way out", () => {
      const here = modules(needs()).filter(({ module }) => !/dummy|xt_set|openvs/.test(module));
      const { passes, said } = ask(needs(), { loaded: here.map(({ module }) => module) });
      assert.ok(!passes);
      const [first, second, ...rest] = said.trimEnd().split("\n");
      assert.match(
        first!,
        /^\S+: its kernel lacks what network weave needs, got \S+ without dummy xt_set; load the modules, use a kernel that has them, such as Debian's, or another network$/,
      );
      assert.match(
        second!,
        /: its kernel lacks what weave\.fastDatapath needs, got \S+ without openvswitch; .* or set weave\.fastDatapath to false$/,
      );
      assert.deepEqual(rest, []);
    });
    it("for Open vSwitch only with the fast datapath, and for ESP only where that encrypts", () => {
      const named = (differing: Partial<Weave>) =>
        modules(needs(differing)).map(({ module }) => module);
      assert.ok(!named({ fastDatapath: false }).includes("openvswitch"));
      assert.ok(named({ fastDatapath: false }).includes("dummy"));
      assert.ok(!named({}).includes("esp4"));
      assert.ok(!named({ fastDatapath: false, password: "x" }).includes("esp4"));
      assert.ok(named({ password: "x" }).includes("esp4"));
    });
  });
});
