import type * as pulumi from "@pulumi/pulumi";

/** Options of a component whose type was `kthw:index:FORMER` in existing clusters, so that none of its resources is replaced. */
export function formerly(
  former: string,
  opts: pulumi.ComponentResourceOptions | undefined,
): pulumi.ComponentResourceOptions {
  return { ...opts, aliases: [...(opts?.aliases ?? []), { type: `kthw:index:${former}` }] };
}
