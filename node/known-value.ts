import type * as pulumi from "@pulumi/pulumi";

/** The value of an output; undefined while it is unknown. */
export async function knownValue<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  // Unknown outputs run no function. The class has this promise, its type does not.
  const { isKnown } = output as unknown as { readonly isKnown: Promise<boolean> };
  return (await isKnown) ? await new Promise((resolve) => output.apply(resolve)) : undefined;
}
