import * as pulumi from "@pulumi/pulumi";

/**
 * A value computed from outputs of resources; undefined if one of them is undefined. `pulumi up --target` gives the program
 * undefined outputs of resources that the update does not create.
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
