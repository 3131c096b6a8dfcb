/** A Pulumi program that makes a stack's machines where they are not real: it connects to none, since their addresses belong to others. */
import { runtime } from "@pulumi/pulumi";

runtime.registerStackTransformation(({ type, props, opts }) => {
  if (type !== "command:remote:Command") return undefined;
  const { create: _create, update: _update, delete: _delete, ...rest } = props;
  return { props: rest, opts };
});

await import("./machines-only.ts");
