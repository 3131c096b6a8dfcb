import type * as pulumi from "@pulumi/pulumi";

/**
 * Makes one resource per item so that at most `maxUnavailable` change at the same time: item i waits for item
 * i - maxUnavailable.
 */
export function rolling<T>(
  items: readonly T[],
  maxUnavailable: number,
  make: (item: T, before: readonly pulumi.Resource[], index: number) => pulumi.Resource,
): pulumi.Resource[] {
  const made: pulumi.Resource[] = [];
  for (const [index, item] of items.entries()) {
    const before = made[index - maxUnavailable];
    made.push(make(item, before ? [before] : [], index));
  }
  return made;
}
