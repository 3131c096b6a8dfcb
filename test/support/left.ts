import type { Left } from "../../settings/state.ts";
import type { Run } from "./record.ts";

/** A Stash in a state. */
export function leftStash(name: string, input: unknown): Left {
  const type = "pulumi:index:Stash";
  return { urn: `urn:pulumi:test::kthw::${type}::${name}`, type, outputs: { input } };
}

/** The gates of machines in a state. */
export function leftGates(...names: string[]): NonNullable<Run["state"]> {
  const type = "command:remote:Command";
  const urn = (name: string) => `urn:pulumi:mocks::kthw::kthw:index:Host$${type}::${name}`;
  return Object.fromEntries(names.map((name) => [urn(name), { type, outputs: {} }]));
}

/** What a cluster with three controllers has left. */
export const founded = leftGates(
  ...["cp1", "cp2", "cp3"].map((name) => `${name}:control-plane-healthy`),
);

/** The state of a cluster with a version of Kubernetes. */
export function remembering(version: string): NonNullable<Run["state"]> {
  const left = [
    leftStash("record:cluster", { kubernetesVersion: version }),
    leftStash("kubernetes-versions", { version }),
  ];
  const stashes = Object.fromEntries(left.map(({ urn, ...resource }) => [urn, resource]));
  return { ...stashes, ...founded };
}
