import type * as pulumi from "@pulumi/pulumi";

/** Options of a component whose type had another name (`kthw:index:FORMER`) in clusters that exist, so that nothing of it is made anew. */
export function formerly(
  former: string,
  opts: pulumi.ComponentResourceOptions | undefined,
): pulumi.ComponentResourceOptions {
  return { ...opts, aliases: [...(opts?.aliases ?? []), { type: `kthw:index:${former}` }] };
}
