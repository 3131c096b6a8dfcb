import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";

/** Passes once a value is the one that was given first, which Pulumi's state remembers; else `refuse` is told which that was. */
export function unchanged(
  name: string,
  now: string,
  parent: pulumi.Resource,
  refuse: (former: string) => Promise<unknown>,
): pulumi.Output<void> {
  const { output } = new pulumi.Stash(name, { input: now }, { parent, ignoreChanges: ["input"] });
  return derive([output], async (former: string) => {
    if (former !== now) await refuse(former);
  });
}
