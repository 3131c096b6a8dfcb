import * as pulumi from "@pulumi/pulumi";

/**
 * What is computed of values that resources have, and nothing where one has none: `pulumi up --target` gives the program the
 * outputs of a resource that it leaves unmade as undefined.
 */
export function derive<const T extends readonly unknown[], R>(
  values: T,
  compute: (...values: { -readonly [K in keyof T]: pulumi.Unwrap<T[K]> }) => R | Promise<R>,
): pulumi.Output<R> {
  type Known = Parameters<typeof compute>;
  const computed = pulumi.all([...values]).apply((all) => {
    const known: readonly unknown[] = all;
    return known.includes(undefined) ? undefined : compute(...(known as Known));
  });
  return computed as pulumi.Output<R>;
}
