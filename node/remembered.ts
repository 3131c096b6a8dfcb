import type * as pulumi from "@pulumi/pulumi";

/** The value that a stash remembers; undefined in the preview that first makes the stash. */
export async function remembered(stash: pulumi.Stash): Promise<unknown> {
  // Unknown outputs run no function. The class has this promise, its type does not.
  const { output } = stash as unknown as {
    readonly output: pulumi.Output<unknown> & { readonly isKnown: Promise<boolean> };
  };
  return (await output.isKnown) ? await new Promise((resolve) => output.apply(resolve)) : undefined;
}
