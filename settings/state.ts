import * as pulumi from "@pulumi/pulumi";

/** A resource as the last update has left it. */
export interface Left {
  readonly urn: string;
  readonly type: string;
  readonly outputs: Readonly<Record<string, unknown>>;
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
