import * as pulumi from "@pulumi/pulumi";

/** A value that resolves once all gates are passed. */
export function once<T>(
  gates: readonly pulumi.Resource[],
  value: pulumi.Input<T>,
): pulumi.Output<T> {
  const passed = gates.map((gate) => (gate as pulumi.CustomResource).id);
  return pulumi.all([value, ...passed]).apply(([known]) => known as T) as pulumi.Output<T>;
}
