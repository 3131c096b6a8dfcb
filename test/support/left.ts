import type { Left } from "../../settings/state.ts";
import type { Run } from "./record.ts";

/** A Stash in a state. */
export function leftStash(name: string, input: unknown): Left {
  const type = "pulumi:index:Stash";
  return { urn: `urn:pulumi:test::kthw::${type}::${name}`, type, outputs: { input } };
}

/** The state of a cluster with a version of Kubernetes. */
export function remembering(version: string): NonNullable<Run["state"]> {
  const left = [
    leftStash("record:cluster", { kubernetesVersion: version }),
    leftStash("kubernetes-versions", { version }),
  ];
  return Object.fromEntries(left.map(({ urn, ...resource }) => [urn, resource]));
}
