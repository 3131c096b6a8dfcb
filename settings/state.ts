import * as pulumi from "@pulumi/pulumi";

/** A resource as the last update has left it. */
export interface Left {
  readonly urn: string;
  readonly type: string;
  readonly outputs: Readonly<Record<string, unknown>>;
}

/** What a Stash of this name holds in the state; undefined if there is none. */
export function stashed(state: readonly Left[], name: string): unknown {
  const isNamed = ({ urn, type }: Left) =>
    type === "pulumi:index:Stash" && urn.endsWith(`::${name}`);
  return state.find(isNamed)?.outputs.input;
}

/** The names of the machines that have passed a gate in an earlier update. */
export function passed(state: readonly Left[], gate: string): ReadonlySet<string> {
  const names = state.map(({ urn }) => urn.split("::").at(-1)!.split(":"));
  return new Set(names.flatMap(([machine, name]) => (name === gate ? [machine!] : [])));
}

/** Whether an update has brought the API up; before that, nobody is disturbed by services that start at the same time. */
export function isFounded(state: readonly Left[]): boolean {
  return passed(state, "control-plane-healthy").size > 0;
}

/** The resources in the state of this stack before this update; none in the first. */
export async function stateBefore(): Promise<Left[]> {
  const stackName = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const { outputs } = await pulumi.runtime.invoke(
    "pulumi:pulumi:readStackResourceOutputs",
    { stackName },
    { async: true },
  );
  const byUrn = outputs as Readonly<Record<string, Omit<Left, "urn">>>;
  return Object.entries(byUrn).map(([urn, resource]) => ({ urn, ...resource }));
}
