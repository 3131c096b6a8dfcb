import assert from "node:assert/strict";
import fc from "fast-check";
import { itemsOf, laidOver } from "../services/extra-flags.ts";

describe("extra flags", () => {
  const ours = {
    "authorization-mode": "Node,RBAC",
    controllers: "*,bootstrapsigner,tokencleaner",
    "enable-admission-plugins": "NodeRestriction",
    "requestheader-allowed-names": "front-proxy-client",
    profiling: false,
  };
  for (const [flag, theirs, expected] of [
    ["enable-admission-plugins", "AlwaysPullImages", "NodeRestriction,AlwaysPullImages"],
    ["enable-admission-plugins", "", "NodeRestriction"],
    [
      "enable-admission-plugins",
      "PodNodeSelector,NodeRestriction",
      "PodNodeSelector,NodeRestriction",
    ],
    ["authorization-mode", "Webhook", "Node,RBAC,Webhook"],
    ["authorization-mode", "Webhook,RBAC", "Node,RBAC,Webhook"],
    ["authorization-mode", ["Webhook", "RBAC"], "Node,RBAC,Webhook"],
    ["authorization-mode", ["Webhook", "RBAC", "Node"], "Webhook,RBAC,Node"],
    ["authorization-mode", "Webhook,Node,RBAC", "Webhook,Node,RBAC"],
    ["controllers", "-cronjob", "*,bootstrapsigner,tokencleaner,-cronjob"],
    ["requestheader-allowed-names", "", "front-proxy-client"],
    ["profiling", "true", "true"],
  ] as const)
    it(`make of --${flag}=${ours[flag]} and ${theirs} ${expected}`, () => {
      assert.equal(laidOver(ours, { [flag]: theirs })[flag], expected);
    });

  it("keep ours in their order, and what is new comes after it", () => {
    const flags = laidOver(ours, { v: "2", profiling: "true" });
    assert.deepEqual(Object.keys(flags), [...Object.keys(ours), "v"]);
  });

  it("never take an item of ours out of a list", () => {
    const item = fc.constantFrom("Node", "RBAC", "Webhook", "ABAC", "");
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const list = itemsOf(
          `${laidOver(ours, { "authorization-mode": items.join(",") })["authorization-mode"]}`,
        );
        for (const mode of ["Node", "RBAC", ...items.filter((item) => item !== "")])
          assert.ok(list.includes(mode), `${list} lacks ${mode}`);
      }),
    );
  });
});
