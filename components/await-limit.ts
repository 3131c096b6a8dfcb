import type * as pulumi from "@pulumi/pulumi";

/** How long the provider waits for an object unless told otherwise: https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/ */
const awaitMinutes = 10;

/** The limit for an object of Kubernetes to become ready, stretched as all timeouts are. */
export function awaitLimit(facts: { readonly timeoutFactor: number }): {
  readonly customTimeouts: pulumi.CustomTimeouts;
} {
  const limit = `${awaitMinutes * facts.timeoutFactor}m`;
  return { customTimeouts: { create: limit, update: limit } };
}
