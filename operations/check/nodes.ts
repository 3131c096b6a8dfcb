import { nameOf, type ResourceState } from "../plan/steps.ts";

/** The part of a Node that is compared. */
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

/** A Node as the last update has written it. */
export interface PlacedNode {
  readonly name: string;
  /** The object that was applied, and who owns the fields in it. */
  readonly object: NodeFields;
  readonly fieldManager: string;
  /** `key=value:Effect` or `key:Effect`. */
  readonly taints: readonly string[];
}

/** What differs of a Node, and in which way it is put right. */
export interface NodeDifference {
  readonly node: string;
  readonly what: string;
  /** `final`: Kubernetes lets nobody change the field. */
  readonly kind: "missing" | "unregistered" | "field" | "taint" | "final";
}

/** The label that only a kubelet gives to its Node, when it registers. */
const registered = "kubernetes.io/hostname";

/** The Nodes as the last update has written them. */
export function placedNodes(resources: readonly ResourceState[]): PlacedNode[] {
  const taints = new Map(
    resources
      .filter(
        ({ type, urn }) => type === "command:local:Command" && nameOf(urn).endsWith(":taints"),
      )
      .map(({ inputs }) => inputs!["environment"] as Record<string, string>)
      .map(({ NODE = "", TAINTS = "" }) => [NODE, TAINTS.split(" ")] as const),
  );
  return resources
    .filter(({ type }) => type === "kubernetes:core/v1:NodePatch")
    .map(({ inputs, outputs }) => {
      const object = inputs as unknown as NodeFields;
      const { name } = object.metadata;
      return {
        name,
        object,
        fieldManager: String(outputs?.["__fieldManager"]),
        // Earlier versions of the program wrote the taints into the object.
        taints: taints.get(name) ?? object.spec?.taints?.map(taintText) ?? [],
      };
    });
}

/** What differs between the Nodes as they were written and as they are. Labels and taints of others are no difference. */
export function nodeDifferences(
  placed: readonly PlacedNode[],
  found: readonly NodeFields[],
): NodeDifference[] {
  const byName = new Map(found.map((node) => [node.metadata.name, node]));
  return placed.flatMap(({ name, object, taints }) => {
    const node = byName.get(name);
    const difference = (kind: NodeDifference["kind"], what: string) => ({ node: name, kind, what });
    if (node === undefined) return [difference("missing", "the Node is missing")];
    const { podCIDR } = node.spec ?? {};
    const labels = node.metadata.labels ?? {};
    const has = (node.spec?.taints ?? []).map(taintText);
    const range = object.spec?.podCIDR;
    return [
      ...(registered in labels
        ? []
        : [difference("unregistered", `the Node's label ${registered}: missing`)]),
      ...Object.entries(object.metadata.labels ?? {})
        .filter(([key, value]) => labels[key] !== value)
        .map(([key, value]) =>
          difference("field", `the Node's label ${key}=${value}: ${labels[key] ?? "missing"}`),
        ),
      ...(range === podCIDR || range === undefined
        ? []
        : [
            difference(
              podCIDR === undefined ? "field" : "final",
              `the Node's podCIDR ${range}: ${podCIDR ?? "missing"}`,
            ),
          ]),
      ...taints
        .filter((taint) => !has.includes(taint))
        .map((taint) => difference("taint", `the Node's taint ${taint}: missing`)),
    ];
  });
}

function taintText({ key, value = "", effect }: Taint): string {
  return value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
