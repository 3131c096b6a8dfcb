import { output, stretched } from "../access/command.ts";
import type { NodeDifference, PlacedNode } from "../check/nodes.ts";

/** Puts the fields and taints of a Node back that the program writes; the Node is made if it is missing. Those of others stay. */
export async function putNode(
  { name, object, fieldManager, taints }: PlacedNode,
  differences: readonly NodeDifference[],
): Promise<void> {
  const has = (kind: NodeDifference["kind"]) => differences.some((one) => one.kind === kind);
  if (has("missing") || has("field")) {
    const { metadata, spec: { taints: _, ...spec } = {} } = object;
    const node = { apiVersion: "v1", kind: "Node", metadata, ...(!has("final") && { spec }) };
    // As the owner of the fields, so that a later update may take them away.
    const owner = ["--server-side", "--force-conflicts", `--field-manager=${fieldManager}`];
    await kubectl(["apply", ...owner, "--filename=-"], JSON.stringify(node));
  }
  if ((has("missing") || has("taint")) && taints.length > 0)
    await kubectl(["taint", "nodes", name, ...taints, "--overwrite"]);
}

/** Waits until a Node is Ready. */
export async function nodeReady(name: string): Promise<void> {
  const seconds = stretched(60);
  await kubectl(["wait", "--for=condition=Ready", `node/${name}`, `--timeout=${seconds}s`]);
}

async function kubectl(args: readonly string[], input = ""): Promise<void> {
  await output("kubectl", args, { input, timeoutSeconds: 70 });
}
