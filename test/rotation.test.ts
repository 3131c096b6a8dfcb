import assert from "node:assert/strict";
import { noTurn, rotated, type Turns, turnOf } from "../components/rotation.ts";
import { mistakesInTurns, type Remembered, rememberedIn } from "../settings/rotation.ts";
import { describedBy, type Graph, runProgram, stdinOf } from "./support/program.ts";

const none: Turns = {
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
    const first = { ...none, serviceAccountKey: turnOf("trust 2") };
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

  it("of the service-account key asks for tokens of the former one before it is dropped", async () => {
    for (const [step, graph] of Object.entries(await steps("serviceAccountKey"))) {
      const checks = graph.commands().filter(({ name }) => name === "cp1:former-tokens");
      assert.equal(checks.length, step === "drop" ? 1 : 0, step);
      if (step === "drop") assert.ok(graph.waits("cp3:control-plane-pki", "cp1:former-tokens"));
    }
  });

  it("restarts what cannot read it anew, and nothing else", async () => {
    const before = await at("etcdCa", undefined);
    const restarting = (name: string, step: string): RegExp | undefined => {
      const all: Readonly<Record<string, RegExp>> = {
        "etcdCa sign": /:(etcd|kube-apiserver)$/,
        "etcdCa drop": /:(etcd|kube-apiserver)$/,
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
