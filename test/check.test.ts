import assert from "node:assert/strict";
import { type NodeFields, nodeDifferences } from "../operations/check/nodes.ts";
import { placedByMachine } from "../operations/check/placed.ts";

describe("make check", () => {
  const command = (name: string, inputs: Record<string, unknown>) => ({
    type: "command:remote:Command",
    urn: `urn:pulumi:x::y::kthw:index:Host$command:remote:Command::${name}`,
    inputs,
  });

  it("asks each machine for what was placed there, secrets included", () => {
    const secret = { "4dabf18193072939515e22adb298388d": "…", plaintext: '"a secret\\n"' };
    const placed = placedByMachine([
      command("cp1:node", { create: "install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node" }),
      command("cp1:binaries", { create: "kthw-node fetch", stdin: "the list" }),
      command("cp1:etcd", { create: "sudo -n kthw-node apply --wait", stdin: "etcd" }),
      command("cp1:etcd-pki", { create: "kthw-node apply\n# outline", stdin: secret }),
      command("cp1:etcd-healthy", { create: "kthw-node wait etcd" }),
      command("lb:nginx", { create: "kthw-node apply", stdin: "nginx" }),
    ]);
    assert.deepEqual(
      [...placed],
      [
        ["cp1", { descriptions: ["etcd", "a secret\n"], fetched: ["the list"] }],
        ["lb", { descriptions: ["nginx"], fetched: [] }],
      ],
    );
  });

  it("compares what the program writes of a Node, and leaves the rest to others", () => {
    const node = (
      labels: Record<string, string>,
      podCIDR: string,
      ...taints: { key: string; value?: string; effect: string }[]
    ): NodeFields => ({ metadata: { name: "worker1", labels }, spec: { podCIDR, taints } });
    const taint = { key: "gpu", value: "yes", effect: "NoSchedule" };
    const written = node({ disk: "ssd", zone: "a" }, "10.200.1.0/24", taint);
    const others = { key: "node.kubernetes.io/not-ready", effect: "NoExecute" };
    const same = node({ disk: "ssd", zone: "a", more: "x" }, "10.200.1.0/24", others, taint);
    assert.deepEqual(nodeDifferences([written], [same]), []);
    assert.deepEqual(nodeDifferences([written], []), ["worker1: the Node is missing"]);
    assert.deepEqual(nodeDifferences([written], [node({ disk: "hdd" }, "10.200.2.0/24", others)]), [
      "worker1: the Node's label disk=ssd: hdd",
      "worker1: the Node's label zone=a: missing",
      "worker1: the Node's podCIDR 10.200.1.0/24: 10.200.2.0/24",
      "worker1: the Node's taint gpu=yes:NoSchedule: missing",
    ]);
  });
});
