import type { ResourceState } from "../plan/steps.ts";

/** The part of a Node that the program writes, and that is compared. */
export interface NodeFields {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly podCIDR?: string;
    readonly taints?: readonly Taint[];
  };
}

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** The Nodes as the last update has written them. */
export function placedNodes(resources: readonly ResourceState[]): NodeFields[] {
  return resources
    .filter(({ type }) => type === "kubernetes:core/v1:NodePatch")
    .map(({ inputs }) => inputs as unknown as NodeFields);
}

/** What differs between the Nodes as they were written and as they are, one difference in each line. Labels and taints of others are none. */
export function nodeDifferences(
  placed: readonly NodeFields[],
  found: readonly NodeFields[],
): string[] {
  const byName = new Map(found.map((node) => [node.metadata.name, node]));
  return placed.flatMap(({ metadata: { name, labels = {} }, spec = {} }) => {
    const node = byName.get(name);
    if (node === undefined) return [`${name}: the Node is missing`];
    const { podCIDR, taints = [] } = node.spec ?? {};
    const has = node.metadata.labels ?? {};
    return [
      ...Object.entries(labels)
        .filter(([key, value]) => has[key] !== value)
        .map(([key, value]) => `label ${key}=${value}: ${key in has ? has[key] : "missing"}`),
      ...(spec.podCIDR === podCIDR || spec.podCIDR === undefined
        ? []
        : [`podCIDR ${spec.podCIDR}: ${podCIDR ?? "missing"}`]),
      ...(spec.taints ?? [])
        .filter((taint) => !taints.some((other) => text(other) === text(taint)))
        .map((taint) => `taint ${text(taint)}: missing`),
    ].map((line) => `${name}: the Node's ${line}`);
  });
}

function text({ key, value = "", effect }: Taint): string {
  return value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
