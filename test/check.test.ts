import assert from "node:assert/strict";
import { type NodeFields, nodeDifferences, placedNodes } from "../operations/check/nodes.ts";
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
      command("cp1:node", {
        create:
          "sudo -n sh -c 'test -d /proc' </dev/null && sudo -n install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node",
        stdin: "the agent",
      }),
      command("cp1:binaries", { create: "kthw-node fetch", stdin: "the list" }),
      command("cp1:etcd", { create: "sudo -n kthw-node apply --wait", stdin: "etcd" }),
      command("cp1:etcd-pki", { create: "kthw-node apply\n# outline", stdin: secret }),
      command("cp1:etcd-healthy", { create: "kthw-node wait etcd" }),
      command("lb:nginx", { create: "kthw-node apply", stdin: "nginx" }),
    ]);
    assert.deepEqual(
      [...placed],
      [
        [
          "cp1",
          { agent: "the agent", descriptions: ["etcd", "a secret\n"], fetched: ["the list"] },
        ],
        ["lb", { agent: "", descriptions: ["nginx"], fetched: [] }],
      ],
    );
  });

  describe("compares what the program writes of a Node", () => {
    const hostname = { "kubernetes.io/hostname": "worker1" };
    const node = (
      labels: Record<string, string>,
      podCIDR: string | undefined,
      ...taints: { key: string; value?: string; effect: string }[]
    ): NodeFields => ({
      metadata: { name: "worker1", labels },
      spec: { ...(podCIDR && { podCIDR }), taints },
    });
    const taint = { key: "gpu", value: "yes", effect: "NoSchedule" };
    const others = { key: "node.kubernetes.io/not-ready", effect: "NoExecute" };
    const resource = (type: string, name: string, inputs: object, outputs = {}) => ({
      type,
      urn: `urn:pulumi:x::y::kthw:index:WorkerPool$${type}::${name}`,
      inputs: inputs as Record<string, unknown>,
      outputs,
    });
    const written = placedNodes([
      resource(
        "kubernetes:core/v1:NodePatch",
        "worker1:kubernetes-node",
        {
          metadata: { name: "worker1", labels: { disk: "ssd", zone: "a" } },
          spec: { podCIDR: "10.200.1.0/24" },
        },
        { __fieldManager: "pulumi-1" },
      ),
      resource("command:local:Command", "worker1:taints", {
        environment: { NODE: "worker1", TAINTS: "gpu=yes:NoSchedule" },
      }),
    ]);
    const differences = (...found: NodeFields[]) =>
      nodeDifferences(written, found).map(({ kind, what }) => `${kind}: ${what}`);

    it("and leaves the rest to others", () => {
      const more = { disk: "ssd", zone: "a", more: "x", ...hostname };
      assert.deepEqual(differences(node(more, "10.200.1.0/24", others, taint)), []);
    });

    it("a missing one, changed fields, and a range that nobody can change", () => {
      assert.deepEqual(differences(), ["missing: the Node is missing"]);
      assert.deepEqual(differences(node({ disk: "hdd", ...hostname }, "10.200.2.0/24", others)), [
        "field: the Node's label disk=ssd: hdd",
        "field: the Node's label zone=a: missing",
        "final: the Node's podCIDR 10.200.1.0/24: 10.200.2.0/24",
        "taint: the Node's taint gpu=yes:NoSchedule: missing",
      ]);
    });

    it("one that no kubelet has registered", () => {
      assert.deepEqual(differences(node({ disk: "ssd", zone: "a" }, undefined, taint)), [
        "unregistered: the Node's label kubernetes.io/hostname: missing",
        "field: the Node's podCIDR 10.200.1.0/24: missing",
      ]);
    });

    it("with the taints that earlier versions of the program wrote into the object", () => {
      const [former] = placedNodes([
        resource("kubernetes:core/v1:NodePatch", "worker1:kubernetes-node", {
          metadata: { name: "worker1" },
          spec: { taints: [taint] },
        }),
      ]);
      assert.deepEqual(former!.taints, ["gpu=yes:NoSchedule"]);
    });
  });
});
