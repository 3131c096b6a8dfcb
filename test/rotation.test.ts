import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { noTurn, rotated, type Turns, turnOf } from "../components/rotation.ts";
import { formerUnused } from "../services/rotation.ts";
import { mistakesInTurns, type Remembered, rememberedIn } from "../settings/rotation.ts";
import { facts } from "./support/facts.ts";
import { describedBy, type Graph, runProgram, stdinOf } from "./support/program.ts";

const none: Turns = {
  kubernetesCa: noTurn,
  etcdCa: noTurn,
  frontProxyCa: noTurn,
  serviceAccountKey: noTurn,
};

describe("the steps of a rotation", () => {
  const remembered = (begun: number, done: number | undefined): Remembered => ({
    begun: { etcdCa: begun },
    done: done === undefined ? undefined : { etcdCa: done },
  });
  const mistakes = (text: string | undefined, begun: number, done: number | undefined) =>
    mistakesInTurns({ ...none, etcdCa: turnOf(text) }, remembered(begun, done)).map((mistake) =>
      mistake.replace("certificates.rotation.etcdCa: ", ""),
    );

  it("follow one another, and go back until the former generation is dropped", () => {
    const order = [undefined, "trust 2", "sign 2", "drop 1", "trust 3", "sign 3", "drop 2"];
    for (const [step, text] of order.entries())
      for (const [then, later] of order.entries()) {
        const isAllowed =
          then === step || then === step + 1 || (then === step - 1 && step % 3 !== 0);
        assert.equal(mistakes(later, step, step).length, isAllowed ? 0 : 1, `${text}, ${later}`);
      }
  });

  it("are refused out of order with the next one", () => {
    assert.deepEqual(mistakes("sign 2", 0, 0), [
      "does not follow nothing, got sign 2; write trust 2",
    ]);
    assert.deepEqual(mistakes("drop 1", 1, 1), [
      "does not follow trust 2, got drop 1; write sign 2",
    ]);
    assert.deepEqual(mistakes("sign 2", 3, 3), [
      "does not follow drop 1, got sign 2; write drop 1",
    ]);
    assert.deepEqual(mistakes(undefined, 2, 2), [
      "does not follow sign 2, got nothing; write trust 2",
    ]);
  });

  it("wait for an update that was cut off, or go back to where it came from", () => {
    const cutOff = "the update to sign 2 did not end";
    assert.deepEqual(mistakes("sign 2", 2, 1), []);
    assert.deepEqual(mistakes("trust 2", 2, 1), []);
    assert.deepEqual(mistakes("drop 1", 2, 1), [
      `${cutOff}, got drop 1; write sign 2 and end that update`,
    ]);
    assert.deepEqual(mistakes(undefined, 2, 1), [
      `${cutOff}, got nothing; write sign 2 and end that update`,
    ]);
    assert.deepEqual(mistakes("trust 2", 0, undefined), [
      "the update to nothing did not end, got trust 2; write nothing and end that update",
    ]);
  });

  it("are read from the state, that of an earlier version of the program included", () => {
    const stash = (name: string, input: unknown) => ({
      urn: `urn:pulumi:x::kthw::pulumi:index:Stash::${name}`,
      type: "pulumi:index:Stash",
      outputs: { input, output: "the first" },
    });
    const { begun, done } = remembered(2, 1);
    const state = [stash("rotation:begun", begun), stash("rotation:done", done)];
    assert.deepEqual(rememberedIn(state), { begun, done });
    assert.equal(rememberedIn([]), undefined);
    const old = [{ urn: "x", type: "kthw:index:CertificateAuthority", outputs: {} }];
    assert.deepEqual(rememberedIn(old), { begun: {}, done: {} });
    const first = { ...none, kubernetesCa: turnOf("trust 2") };
    assert.deepEqual(mistakesInTurns(first, rememberedIn(old)), []);
    assert.deepEqual(mistakesInTurns(first, rememberedIn(state)), [
      "certificates.rotation.etcdCa: the update to sign 2 did not end, got nothing; write sign 2 and end that update",
    ]);
    const skipping = { ...none, serviceAccountKey: turnOf("sign 2"), etcdCa: turnOf("trust 2") };
    assert.deepEqual(mistakesInTurns(skipping, rememberedIn(state)), [
      "certificates.rotation.serviceAccountKey: does not follow nothing, got sign 2; write trust 2",
    ]);
  });
});

describe("the Kubernetes authority is dropped", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-drop-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What is said against it where curl, which asks the kubelet of guest1, is this shell script. */
  function refusal(curl: string, authorities = 2): string {
    const programs = { kubectl: "echo cp1 10.0.0.1; echo guest1 10.0.0.2; echo gone", curl };
    for (const [name, text] of Object.entries(programs))
      writeFileSync(path.join(folder, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
    writeFileSync(path.join(folder, "ca.key"), "");
    writeFileSync(path.join(folder, "ca.crt"), "BEGIN CERTIFICATE\n".repeat(authorities));
    const turns = { ...none, kubernetesCa: turnOf("drop 1") };
    const folders = { ...facts.folders, kubernetes: folder };
    const command = formerUnused({ ...facts, turns, folders });
    const env = { PATH: `${folder}:${process.env.PATH}` };
    const script = command.replaceAll("/etc/kubernetes/pki", folder);
    const { status, stderr } = spawnSync("sh", ["-c", script], { env, encoding: "utf8" });
    assert.equal(status === 0, stderr === "");
    return stderr.trim();
  }
  const answer = (code: number, status: string) =>
    `case "$*" in *https://10.0.0.2:10250/*) echo ${status}; exit ${code} ;; *) echo 200 ;; esac`;
  const where = "certificates.rotation.kubernetesCa: the kubelet of guest1";

  it("where every kubelet that answers knows the new one", () => {
    assert.equal(refusal(answer(0, "200")), "");
    assert.equal(refusal(answer(7, "000")), "");
  });

  it("not while a guest is known by the former one, or knows that alone", () => {
    assert.equal(
      refusal(answer(60, "000")),
      `${where} has a certificate of the authority that is to be dropped; let the machine join anew`,
    );
    assert.equal(
      refusal(answer(0, "401")),
      `${where} knows its clients by the authority alone that is to be dropped; let the machine join anew`,
    );
  });

  it("not while the certificate of a guest is not approved, but where there is no former one any more", () => {
    assert.equal(
      refusal(answer(35, "000")),
      `${where} serves with no certificate, so that nobody sees which authority it knows; approve its request for one`,
    );
    assert.equal(refusal(answer(35, "000"), 1), "");
  });
});

describe("a rotation", function () {
  this.timeout(180_000);
  const graphs = new Map<string, Promise<Graph>>();
  const run = async (rotation: object) => {
    const { graph } = await runProgram({
      settings: (settings) => {
        settings.certificates = { rotation };
      },
    });
    return graph;
  };
  const at = (name: string, step: string | undefined): Promise<Graph> => {
    const rotation = step === undefined ? {} : { [name]: step };
    const key = JSON.stringify(rotation);
    const graph = graphs.get(key) ?? run(rotation);
    graphs.set(key, graph);
    return graph;
  };
  const textOf = (graph: Graph, command: string, path: string) =>
    describedBy(graph.command(command))
      ?.files.find((file) => file.path === path)
      ?.text.replaceAll(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g, "")
      .replaceAll("certificate ", "")
      .trim()
      .split("\n");
  const signerOf = (graph: Graph, certificate: string) => {
    const [leaf] = graph
      .ofType("tls:index/locallySignedCert:LocallySignedCert")
      .filter(({ name }) => name === certificate);
    return String(leaf!.inputs.caCertPem).split("\n")[0]!.replace("certificate ", "");
  };
  const steps = async (name: string) => ({
    trust: await at(name, "trust 2"),
    sign: await at(name, "sign 2"),
    drop: await at(name, "drop 1"),
  });
  const pki = "/etc/kubernetes/pki";
  const deploymentOf = (graph: Graph) =>
    graph.ofType("kubernetes:apps/v1:Deployment")[0]!.inputs.spec as {
      template: { metadata: { annotations?: Record<string, string> } };
    };

  it("of the front proxy's authority trusts both, signs by the new, drops the old", async () => {
    const name = "kubernetes-front-proxy-ca";
    for (const [step, graph] of Object.entries(await steps("frontProxyCa"))) {
      const both = [name, `${name}-2`];
      const trusted = textOf(graph, "cp1:control-plane-pki", `${pki}/front-proxy-ca.crt`);
      assert.deepEqual(trusted, step === "drop" ? [`${name}-2`] : both, step);
      const signer = step === "trust" ? name : `${name}-2`;
      assert.equal(signerOf(graph, "front-proxy-client"), signer, step);
      assert.ok(graph.command("cp1:front-proxy-authority-published"));
    }
  });

  it("of etcd's authority signs by the new with a cross certificate, trusts it alone, drops the cross certificate", async () => {
    for (const [step, graph] of Object.entries(await steps("etcdCa"))) {
      const trusted = textOf(graph, "cp1:etcd-pki", `${pki}/etcd/ca.crt`);
      assert.deepEqual(trusted, [step === "trust" ? "etcd-ca" : "etcd-ca-2"], step);
      for (const [command, file, leaf] of [
        ["cp1:etcd-pki", "etcd/server.crt", "cp1:etcd-server"],
        ["cp1:etcd-pki", "etcd/peer.crt", "cp1:etcd-peer"],
        ["cp1:control-plane-pki", "apiserver-etcd-client.crt", "apiserver-etcd-client"],
      ] as const) {
        const chain = step === "drop" ? [leaf] : [leaf, "etcd-ca-2-cross"];
        assert.deepEqual(textOf(graph, command, `${pki}/${file}`), chain, step);
        assert.equal(signerOf(graph, leaf), "etcd-ca-2", step);
      }
    }
  });

  it("of the Kubernetes authority trusts both, signs by the new with a cross certificate, drops the old", async () => {
    for (const [step, graph] of Object.entries(await steps("kubernetesCa"))) {
      const trusted = step === "drop" ? ["kubernetes-ca-2"] : ["kubernetes-ca", "kubernetes-ca-2"];
      const signer = step === "trust" ? "kubernetes-ca" : "kubernetes-ca-2";
      for (const [command, file] of [
        ["cp1:control-plane-pki", `${pki}/ca.crt`],
        ["worker1:kubelet-pki", "/var/lib/kubelet/pki/ca.crt"],
      ] as const)
        assert.deepEqual(textOf(graph, command, file), trusted, step);
      const signing = textOf(graph, "cp1:control-plane-pki", `${pki}/ca-signing.crt`);
      assert.deepEqual(signing, [signer], step);
      const manager = stdinOf(graph.command("cp1:kube-controller-manager"));
      assert.match(manager, /--cluster-signing-cert-file=\S+\/ca-signing\.crt /, step);
      for (const [command, file, leaf, isChained] of [
        ["cp1:control-plane-pki", `${pki}/apiserver.crt`, "cp1:apiserver", true],
        ["worker1:kubelet-pki", "/var/lib/kubelet/pki/kubelet.crt", "worker1:kubelet-server", true],
        ["worker1:kubelet-pki", `${pki}/kube-proxy.crt`, "worker1:kube-proxy-client", false],
        // Kubelets of guests know only the former authority.
        [
          "cp1:control-plane-pki",
          `${pki}/apiserver-kubelet-client.crt`,
          "apiserver-kubelet-client",
          true,
        ],
      ] as const) {
        const chain = step === "sign" && isChained ? [leaf, "kubernetes-ca-2-cross"] : [leaf];
        assert.deepEqual(textOf(graph, command, file), chain, step);
        assert.equal(signerOf(graph, leaf), signer, step);
      }
      const gates = graph.commands().filter(({ name }) => /:authority-look/.test(name));
      const gate = { trust: "authority-looks-counted", sign: "authority-looked-at" }[step];
      const expected = gate ? ["cp1", "cp2", "cp3"].map((machine) => `${machine}:${gate}`) : [];
      assert.deepEqual(gates.map(({ name }) => name).sort(), expected, step);
      for (const { name } of gates)
        assert.ok(graph.waits(name, name.replace(/:.*/, ":control-plane-pki")), name);
      assert.ok(graph.command("cp1:authority-published"));
      const { metadata } = deploymentOf(graph).template;
      assert.equal(metadata.annotations?.["kthw/authority"], step === "trust" ? undefined : "2");
    }
  });

  it("starts the clients of the API again when the new authority has signed their pairs, not when the old one goes", async () => {
    const reads = (graph: Graph, command: string) => {
      const described = describedBy(graph.command(command));
      return described?.kind === "service" ? described.reads : [];
    };
    const before = await at("kubernetesCa", undefined);
    const { trust, sign, drop } = await steps("kubernetesCa");
    for (const [command, pair] of [
      ["cp1:kube-scheduler", `${pki}/scheduler`],
      ["worker1:kubelet", "/var/lib/kubelet/pki/kubelet-client"],
      ["worker1:kube-proxy", `${pki}/kube-proxy`],
    ] as const) {
      for (const graph of [before, trust, drop]) assert.deepEqual(reads(graph, command), []);
      assert.deepEqual(reads(sign, command), [`${pair}.crt`, `${pair}.key`]);
      // The agent leaves a service alone that reads less than before, if what the service read is the same.
      const bundle = command.startsWith("cp1") ? "cp1:control-plane-pki" : "worker1:kubelet-pki";
      assert.deepEqual(textOf(sign, bundle, `${pair}.crt`), textOf(drop, bundle, `${pair}.crt`));
    }
    for (const command of ["cp1:kube-apiserver", "cp1:kube-controller-manager"])
      for (const graph of [trust, sign, drop])
        assert.deepEqual(reads(graph, command), reads(before, command));
  });

  it("of the service-account key trusts both, signs by the new, drops the old", async () => {
    for (const [step, graph] of Object.entries(await steps("serviceAccountKey"))) {
      const bundle = stdinOf(graph.command("cp1:control-plane-pki"));
      const both = /public service-accounts\n {2}public service-accounts-2\n/;
      const newOnly = /sa\.pub 0644 root:root\n {2}public service-accounts-2\n/;
      assert.match(bundle, step === "drop" ? newOnly : both, step);
      const signing = step === "trust" ? "service-accounts" : "service-accounts-2";
      assert.ok(bundle.includes(`TOP SECRET ${signing}\n`), step);
      assert.equal(bundle.includes("TOP SECRET service-accounts\n"), step === "trust", step);
      const renewed = graph.commands().filter(({ name }) => name.endsWith(":tokens-renewed"));
      assert.equal(renewed.length, step === "sign" ? 5 : 0, step);
    }
  });

  it("asks whether the former one is used before it is dropped, and before credentials change", async () => {
    for (const name of ["kubernetesCa", "serviceAccountKey"])
      for (const [step, graph] of Object.entries(await steps(name))) {
        const checks = graph.commands().filter((command) => command.name === "cp1:former-unused");
        assert.equal(checks.length, step === "drop" ? 1 : 0, step);
        if (step === "drop")
          for (const bundle of ["cp3:control-plane-pki", "worker1:kubelet-pki"])
            assert.ok(graph.waits(bundle, "cp1:former-unused"), `${name}: ${bundle}`);
      }
  });

  it("keeps the identity of the cluster's objects", async () => {
    const identity = (graph: Graph) =>
      graph.ofType("pulumi:providers:kubernetes").map(({ inputs }) => inputs.clusterIdentifier);
    const name = "control-plane:identifier";
    const first = await at("kubernetesCa", undefined);
    assert.equal(
      first.ofType("pulumi:index:Stash").find((one) => one.name === name),
      undefined,
    );
    const trust = await at("kubernetesCa", "trust 2");
    assert.deepEqual(identity(trust), identity(first));
    const { inputs } = trust.ofType("pulumi:index:Stash").find((one) => one.name === name)!;
    assert.deepEqual([inputs.input], identity(first));
    const left = { type: "pulumi:index:Stash", outputs: { input: "the first" } };
    const { graph } = await runProgram({
      state: { [`urn:pulumi:mocks::kthw::pulumi:index:Stash::${name}`]: left },
      settings: (settings) => {
        settings.certificates = { rotation: { kubernetesCa: "drop 1" } };
      },
    });
    assert.deepEqual(identity(graph), ["the first"]);
  });

  it("restarts what cannot read it anew, and nothing else", async () => {
    const before = await at("etcdCa", undefined);
    const restarting = (name: string, step: string): RegExp | undefined => {
      const all: Readonly<Record<string, RegExp>> = {
        "etcdCa sign": /:(etcd|kube-apiserver)$/,
        "etcdCa drop": /:(etcd|kube-apiserver)$/,
        "kubernetesCa trust": /:kube-controller-manager$/,
        "kubernetesCa sign": /:(kube-controller-manager|kube-scheduler|kubelet|kube-proxy)$/,
        "kubernetesCa drop": /:kube-controller-manager$/,
        "serviceAccountKey trust": /:kube-apiserver$/,
        "serviceAccountKey sign": /:(kube-apiserver|kube-controller-manager)$/,
        "serviceAccountKey drop": /:(kube-apiserver|kube-controller-manager)$/,
      };
      return all[`${name} ${step}`];
    };
    for (const name of rotated)
      for (const [step, graph] of Object.entries(await steps(name)))
        for (const command of graph.commands("cp1"))
          if (describedBy(command)?.kind === "service") {
            const [one, other] = [before.command(command.name), command].map(({ inputs }) =>
              String(inputs.update).replaceAll(/machine \S+,/g, ""),
            );
            const restarts = restarting(name, step)?.test(command.name) ?? false;
            assert.equal(one !== other, restarts, `${name}, ${step}: ${command.name}`);
          }
  });
});
