import { formatAddress, parseAddress } from "../ipv4.ts";
import { mistakeAt } from "../mistake.ts";
import type { Subject } from "./subject.ts";

/** One thing leads from the endpoint to the API servers: a load balancer, the platform's, one of others, or none to the only controller. */
export function loadBalancerCount({ draft, balancesApi }: Subject): string[] {
  const { loadBalancers, controllers, endpoint } = draft;
  if (!loadBalancers) return [];
  const count = loadBalancers.length;
  if (balancesApi) {
    const own = "the platform's own load balancer";
    return [
      ...(count === 0
        ? []
        : [
            mistakeAt(
              "loadBalancers",
              `a machine in front of the API beside ${own}`,
              count,
              "list none, or leave that one out",
            ),
          ]),
      ...(endpoint?.host === undefined
        ? []
        : [mistakeAt("endpoint.host", `another beside ${own}`, endpoint.host, "leave it out")]),
    ];
  }
  if (endpoint) {
    if (count === 0) return [];
    const wrong = "machines in front of the API beside endpoint.host";
    return [mistakeAt("loadBalancers", wrong, count, "list none, or leave endpoint out")];
  }
  if (count > 1) return [mistakeAt("loadBalancers", "more than one machine", count, "list one")];
  if (count === 1 || !controllers || controllers.length < 2) return [];
  const wrong = `no machine in front of ${controllers.length} controllers`;
  return [mistakeAt("loadBalancers", wrong, undefined, "list one, or write endpoint.host")];
}

/** The endpoint of others is no machine of the cluster. */
export function endpointHost({ draft: { endpoint }, addresses }: Subject): string[] {
  const value = parseAddress(endpoint?.host ?? "");
  const machine = addresses.find((one) => one.value === value);
  if (value === undefined || !machine) return [];
  const todo = "write the address of a load balancer of others, or leave endpoint out";
  return [mistakeAt("endpoint.host", `the same as ${machine.where}`, formatAddress(value), todo)];
}
