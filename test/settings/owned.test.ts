import assert from "node:assert/strict";
import { managedLabel } from "../../services/guest-nodes.ts";
import { changed, mistakes } from "../support/settings.ts";

const kubelet = "the kubelet, which puts it right again";
const owners = {
  "app.kubernetes.io/managed-by": "the program, which tells its nodes from others by it",
  "beta.kubernetes.io/arch": kubelet,
  "beta.kubernetes.io/os": kubelet,
  "kubernetes.io/arch": kubelet,
  "kubernetes.io/hostname": kubelet,
  "kubernetes.io/os": kubelet,
};
const node = "the node controller, which puts it on and takes it off";

describe("labels and taints that are somebody's already", () => {
  for (const [key, owner] of Object.entries(owners))
    it(`${key} is refused as a label`, () => {
      for (const where of ["workerPools[0].labels", "controllerLabels"])
        assert.deepEqual(mistakes(changed({ [where]: { [key]: "x" } })), [
          `${where}["${key}"]: a label of ${owner}, got x; choose another key`,
        ]);
    });

  it("are those by which the program tells its nodes", () =>
    assert.ok(Object.keys(managedLabel).every((key) => key in owners)));

  it("leave every other label and taint free", () => {
    const labels = {
      "topology.kubernetes.io/zone": "a",
      "node.kubernetes.io/instance-type": "large",
      "node-restriction.kubernetes.io/team": "blue",
      "node-role.kubernetes.io/worker": "",
    };
    const taints = ["node.kubernetes.io/out-of-service=nodeshutdown:NoExecute", "a:NoSchedule"];
    const raw = changed({ "workerPools[0].labels": labels, "workerPools[0].taints": taints });
    assert.deepEqual(mistakes(raw), []);
  });

  for (const taint of [
    "node.kubernetes.io/not-ready:NoExecute",
    "node.kubernetes.io/unreachable:NoSchedule",
    "node.kubernetes.io/disk-pressure=a:NoSchedule",
    "node.kubernetes.io/unschedulable:NoSchedule",
  ])
    it(`${taint} is refused as a taint`, () => {
      for (const where of ["workerPools[0].taints", "controllerTaints"])
        assert.deepEqual(mistakes(changed({ [where]: [taint] })), [
          `${where}[0]: a taint of ${node}, got ${taint}; choose another key`,
        ]);
    });
});
