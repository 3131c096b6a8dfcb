import assert from "node:assert/strict";
import { describeService } from "../node/description.ts";
import type { MachineDifference } from "../operations/check/differences.ts";
import { silentControllers, turnsOf } from "../operations/repair/turns.ts";
import { waysOut } from "../operations/repair/ways-out.ts";

describe("make repair", () => {
  const services = (...names: string[]) => ({
    agent: "",
    fetched: [],
    descriptions: names.map((name) =>
      describeService({ name, unit: `${name}.service`, files: [] }),
    ),
  });
  const placed = {
    machines: [],
    texts: new Map([
      ["cp1", services("kube-apiserver", "kubelet")],
      ["cp2", services("kube-apiserver", "kubelet")],
      ["cp3", services("kube-apiserver", "kubelet")],
      ["lb", services("api-load-balancer")],
      ["worker1", services("kubelet")],
    ]),
  };
  const on = (
    machine: string,
    what: string,
    kind: MachineDifference["kind"] = "placed",
  ): MachineDifference => ({ machine, what, kind });
  const order = (...machines: MachineDifference[]) =>
    turnsOf(placed, { machines }).map(({ machine }) => machine);

  it("touches the machines with differences alone, and each once", () => {
    assert.deepEqual(order(), []);
    assert.deepEqual(order(on("cp2", "/a: content"), on("cp2", "/b: content")), ["cp2"]);
  });

  it("goes through load balancers, controllers and workers, and first mends controllers that do not work", () => {
    const all = ["worker1", "cp1", "lb"].map((name) => on(name, "/etc/x: content"));
    const down = on("cp3", "etcd.service: not running");
    assert.deepEqual(order(...all, down), ["lb", "cp3", "cp1", "worker1"]);
    const unhealthy = on("cp2", "etcd.service: not healthy: no leader");
    assert.deepEqual(order(on("cp1", "/a: content"), unhealthy), ["cp2", "cp1"]);
  });

  it("knows the controllers that do not answer, and leaves them alone", () => {
    const silent = on("cp1", "cannot be reached", "unreachable");
    const machines = [silent, on("worker1", "cannot be reached", "unreachable")];
    assert.deepEqual(silentControllers(placed, { machines }), ["cp1"]);
    assert.deepEqual(order(...machines), []);
  });

  it("says what to do about what it cannot put right", () => {
    const node = (kind: "final" | "field") => ({ node: "worker1", what: "…", kind });
    assert.deepEqual(waysOut({ machines: [], nodes: [] }), []);
    assert.match(
      waysOut({ machines: [], nodes: [node("final")] }).join(),
      /^nobody can change .* kubectl delete node worker1, then make repair$/,
    );
    assert.match(
      waysOut({ machines: [on("cp1", "cannot be reached", "unreachable")], nodes: [] }).join(),
      /^make up starts a machine again/,
    );
    assert.match(
      waysOut({ machines: [on("cp1", "…", "nothing placed")], nodes: [] }).join(),
      /^make up places/,
    );
    assert.match(waysOut({ machines: [], nodes: [node("field")] }).join(), /^make smoke/);
    assert.match(waysOut({ machines: [], nodes: [], api: "refused" }).join(), /^make smoke/);
  });
});
