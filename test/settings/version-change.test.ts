import assert from "node:assert/strict";
import { upgradeFault, versionChange } from "../../settings/version-change.ts";
import { leftStash } from "../support/left.ts";
import { changed, mistakes } from "../support/settings.ts";

describe("a version of Kubernetes", () => {
  const faults: readonly (readonly [from: string, to: string, fault?: string])[] = [
    ["1.36.3", "1.36.4"],
    ["1.36.4", "1.37.2"],
    ["1.36.3", "1.37.2"],
    ["1.36.10", "1.37.2"],
    [
      "1.37.2",
      "1.36.4",
      "older than 1.37.2, which the cluster has had; put 1.37.2 back: neither the data of etcd nor the objects of Kubernetes go back to an older version",
    ],
    [
      "1.36.10",
      "1.36.4",
      "older than 1.36.10, which the cluster has had; put 1.36.10 back: neither the data of etcd nor the objects of Kubernetes go back to an older version",
    ],
    [
      "1.35.9",
      "1.37.2",
      "skips 1.36, which follows the cluster's 1.35.9; set 1.36.4 for one update, then 1.37.2 for the next",
    ],
    [
      "1.34.1",
      "1.36.4",
      "skips 1.35, which follows the cluster's 1.34.1; let an earlier release of this program, which has 1.35, upgrade the cluster to it first",
    ],
  ];
  for (const [from, to, fault] of faults)
    it(`${to} is ${fault ? "refused" : "taken"} after ${from}`, () => {
      const found = upgradeFault(from, to);
      assert.equal(found && `${found.wrong}; ${found.todo}`, fault);
    });

  it("is taken for a new cluster", () =>
    assert.equal(upgradeFault(undefined, "1.37.2"), undefined));
});

describe("settings that a new minor version no longer takes", () => {
  const former = {
    "apiServer.extraFlags.enable-admission-plugins": "JobValidation",
    "apiServer.extraFlags.feature-gates": "SidecarContainers=true",
    "controllerManager.extraFlags.concurrent-service-syncs": 3,
    "controllerManager.extraFlags.controllers": "-service-lb-controller",
    "workerPools[0].kubelet": { featureGates: { GangScheduling: true } },
  };

  it("are taken by the version before", () => assert.deepEqual(mistakes(changed(former)), []));

  it("are all named", () => {
    const found = mistakes(changed({ ...former, kubernetesVersion: "1.37.2" }));
    assert.equal(found.length, Object.keys(former).length, found.join("\n"));
    for (const name of [
      "JobValidation",
      "SidecarContainers",
      "concurrent-service-syncs",
      "service-lb-controller",
      "GangScheduling",
    ])
      assert.ok(
        found.some((mistake) => mistake.includes(name)),
        `${name} in ${found.join("\n")}`,
      );
  });
});

describe("what the state remembers of versions", () => {
  const cluster = leftStash("record:cluster", { kubernetesVersion: "1.36.3" });
  const remembering = (version: string, from?: string) => [
    cluster,
    leftStash("kubernetes-versions", { version, ...(from && { from }) }),
  ];
  const patch = { from: "1.36.3", to: "1.36.4", isMinor: false };
  const minor = { from: "1.36.4", to: "1.37.2", isMinor: true };

  it("is no change in the first update, and while the version stays", () => {
    assert.equal(versionChange([], "1.36.4"), undefined);
    assert.equal(versionChange(remembering("1.36.3"), "1.36.3"), undefined);
  });

  it("is a change from the newest version that the cluster has had", () => {
    const change = versionChange(remembering("1.36.4", "1.36.3"), "1.37.2");
    assert.deepEqual(change, { ...minor, isBegun: false });
  });

  it("is the same change after the update that began it", () => {
    const change = versionChange(remembering("1.37.2", "1.36.4"), "1.37.2");
    assert.deepEqual(change, { ...minor, isBegun: true });
  });

  it("is a way back after a newer version", () => {
    const change = versionChange(remembering("1.37.2", "1.36.4"), "1.36.4");
    assert.deepEqual([change?.from, change?.to], ["1.37.2", "1.36.4"]);
  });

  describe("of a cluster that an earlier version of the program has made", () => {
    const reached = (version: string, input = "reached") =>
      leftStash(`kubernetes-${version}`, input);

    it("is its first version", () => {
      assert.deepEqual(versionChange([cluster, reached("1.36.3")], "1.36.4"), {
        ...patch,
        isBegun: false,
      });
      const earliest = leftStash("record:cluster", "10.32.0.0/24");
      assert.equal(versionChange([earliest], "1.36.4"), undefined);
      assert.equal(versionChange([earliest], "1.37.2")?.from, "1.36.4");
    });

    it("is each version that it has reached since", () => {
      const state = [cluster, reached("1.36.4"), reached("1.37.2", "not reached")];
      assert.deepEqual(versionChange(state, "1.36.4"), { ...patch, isBegun: true });
      assert.deepEqual(versionChange(state, "1.37.2"), { ...minor, isBegun: false });
    });
  });
});
