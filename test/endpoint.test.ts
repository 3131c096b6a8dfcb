import assert from "node:assert/strict";
import { mistakesOfAddress } from "../settings/shared-address.ts";
import { type Graph, runProgram, stdinOf } from "./support/program.ts";

const own = "https://10.240.0.11:6443";

describe("a cluster of one machine", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await runProgram({ stack: "small" }));
  });

  it("has that machine alone, and nothing in front of the API", () => {
    const machines = new Set(graph.commands().map(({ name }) => name.split(":")[0]));
    assert.deepEqual([...machines], ["cp1"]);
    assert.ok(!graph.commands().some(({ name }) => name.endsWith(":api-load-balancer")));
  });
  it("reaches the API at the controller itself", () => {
    for (const service of ["kubelet", "kube-proxy"])
      assert.match(stdinOf(graph.command(`cp1:${service}`)), new RegExp(`server: ${own}$`, "m"));
    assert.ok(String(graph.command("cp1:control-plane-healthy").inputs.create).includes(own));
    const network = graph.resources.find(({ name }) => name === "machines:network")!;
    const { KTHW_API_TARGET } = network.inputs.environment as Record<string, string>;
    assert.equal(KTHW_API_TARGET, "10.240.0.11:6443");
  });
  it("runs pods on the controller", () =>
    assert.ok(!graph.resources.some(({ name }) => name.endsWith(":taints"))));
});

describe("two load balancers", () => {
  const address = "10.240.0.5";
  let graph: Graph;
  before(async () => {
    ({ graph } = await runProgram({
      settings: (settings) => {
        settings.loadBalancers.push({ name: "lb2", address: "10.240.0.9" });
        settings.endpoint = { address };
      },
    }));
  });

  it("share an address by which all machines reach the API", () => {
    for (const name of ["worker1:kubelet", "worker1:kube-proxy", "cp1:kubelet"])
      assert.ok(stdinOf(graph.command(name)).includes(`server: https://${address}:6443`), name);
    const requests = graph.ofType("tls:index/certRequest:CertRequest");
    const { inputs } = requests.find(({ name }) => /^cp1:.*apiserver/.test(name))!;
    assert.ok((inputs.ipAddresses as string[]).includes(address));
  });
  it("know each other, and none knows itself", () => {
    const peers = (name: string) =>
      /unicast_peer \{\n([^}]*)\}/
        .exec(stdinOf(graph.command(`${name}:shared-address`)))![1]!
        .trim();
    assert.equal(peers("lb"), "10.240.0.9 # lb2");
    assert.equal(peers("lb2"), "10.240.0.10 # lb");
  });
  it("change one after another, nginx first", () => {
    assert.ok(graph.waits("lb:shared-address", "lb:api-load-balancer"));
    assert.ok(graph.waits("lb2:api-load-balancer", "lb:shared-address"));
    assert.ok(graph.waits("lb:api-load-balancer", "cp3:kube-apiserver"));
  });
  it("are waited for until one has the address, and the operator is led there then", () => {
    const endpoint = graph.resources.find(({ name }) => name === "machines:endpoint")!;
    const gates = ["lb", "lb2"].map((name) => graph.command(`${name}:endpoint-healthy`));
    for (const gate of gates) {
      assert.ok(String(gate.inputs.create).includes(`https://${address}:6443/livez`));
      assert.ok(graph.awaited(endpoint).has(gate));
      assert.ok(graph.awaited(graph.command("cp1:control-plane-healthy")).has(gate));
    }
    const [provider] = graph.ofType("pulumi:providers:kubernetes");
    assert.ok(graph.awaited(provider!).has(endpoint));
  });
  it("have the same way to the API from this computer as the first of them alone", () => {
    const network = graph.resources.find(({ name }) => name === "machines:network")!;
    const { KTHW_API_TARGET } = network.inputs.environment as Record<string, string>;
    assert.equal(KTHW_API_TARGET, "10.240.0.10:6443");
  });
  it("share one address for good: another one only by way of none", () => {
    const urn =
      "urn:pulumi:mocks::kthw::kthw:index:ApiLoadBalancer$pulumi:index:Stash::shared-address";
    const left = [{ urn, type: "pulumi:index:Stash", outputs: { input: address } }];
    assert.deepEqual(mistakesOfAddress([], address), []);
    assert.deepEqual(mistakesOfAddress(left, address), []);
    assert.deepEqual(mistakesOfAddress(left, undefined), []);
    assert.deepEqual(mistakesOfAddress(left, "10.240.0.6"), [
      "endpoint.address: not to be changed while machines use another, got 10.240.0.6; put 10.240.0.5 back, or go by one load balancer without endpoint in an update in between",
    ]);
  });
});
