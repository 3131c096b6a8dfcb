import assert from "node:assert/strict";
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
