import { formatAddress, formatCidr, holds, parseAddress } from "../ipv4.ts";
import { mistakeAt } from "../mistake.ts";
import { reserved } from "./ranges.ts";
import type { Subject } from "./subject.ts";

/** Something leads from the endpoint to the API servers: load balancers, the platform, others, or nothing where there is one controller. */
export function loadBalancerCount({ draft, balancesApi }: Subject): string[] {
  const { loadBalancers, controllers, endpoint } = draft;
  if (!loadBalancers) return [];
  const count = loadBalancers.length;
  if (balancesApi) {
    const wrong = "a machine in front of the API beside the platform's own load balancer";
    return [
      ...(count === 0
        ? []
        : [mistakeAt("loadBalancers", wrong, count, "list none, or leave that one out")]),
      ...(endpoint?.address === undefined && endpoint?.host === undefined
        ? []
        : [
            mistakeAt(
              "endpoint",
              "another one beside the platform's own load balancer",
              endpoint.host ?? endpoint.address,
              "leave one of them out",
            ),
          ]),
    ];
  }
  if (endpoint?.host !== undefined) {
    if (count === 0) return [];
    const wrong = "machines in front of the API beside endpoint.host";
    return [mistakeAt("loadBalancers", wrong, count, "list none, or leave endpoint.host out")];
  }
  if (endpoint !== undefined) return [];
  if (count > 1) {
    const todo = "choose a free address in machineCidr that they share";
    return [mistakeAt("endpoint.address", `none for ${count} load balancers`, undefined, todo)];
  }
  if (count === 1 || !controllers || controllers.length < 2) return [];
  const wrong = `no machine in front of ${controllers.length} controllers`;
  const todo = "list one, or two with endpoint.address, or write endpoint.host";
  return [mistakeAt("loadBalancers", wrong, undefined, todo)];
}

/** The endpoint is one: an address that the load balancers share, or the host of another load balancer. */
export function endpointKind({ draft: { loadBalancers, endpoint } }: Subject): string[] {
  if (!endpoint) return [];
  const kinds = "write address for one that load balancers share, or host for one behind another";
  // What does not parse is there all the same, and reported already.
  const [hasAddress, hasHost] = ["address" in endpoint, "host" in endpoint];
  if (hasAddress && hasHost) {
    return [mistakeAt("endpoint.host", "another beside endpoint.address", endpoint.host, kinds)];
  }
  if (!hasAddress && !hasHost) {
    return [mistakeAt("endpoint", "neither an address nor a host", undefined, kinds)];
  }
  if (!hasAddress) return [];
  const { address, port } = endpoint;
  const count = loadBalancers?.length ?? 2;
  return [
    ...(count === 0
      ? [
          mistakeAt(
            "endpoint.address",
            "no load balancer has it",
            address,
            "list two, or write endpoint.host for one behind another load balancer",
          ),
        ]
      : []),
    ...(count === 1
      ? [
          mistakeAt(
            "endpoint.address",
            "one load balancer has nobody to share it with",
            address,
            "list another, or leave it out",
          ),
        ]
      : []),
    ...(port === undefined
      ? []
      : [mistakeAt("endpoint.port", "only for endpoint.host", port, "leave it out for 6443")]),
  ];
}

/** The endpoint is no machine's address, and one that load balancers share is a free one in the machines' network. */
export function endpointAddress({ draft, machineCidr, addresses }: Subject): string[] {
  const { address, host } = draft.endpoint ?? {};
  const written = { address, host };
  return Object.entries(written).flatMap(([field, text]) => {
    const value = parseAddress(text ?? "");
    if (value === undefined) return [];
    const where = `endpoint.${field}`;
    const machine = addresses.find((one) => one.value === value);
    if (machine) {
      const todo = "choose an address that no machine has";
      return [mistakeAt(where, `the same as ${machine.where}`, formatAddress(value), todo)];
    }
    if (field === "host" || !machineCidr) return [];
    const network = formatCidr(machineCidr);
    const wrong = holds(machineCidr, value)
      ? reserved(machineCidr, value)
      : `not in machineCidr ${network}`;
    if (wrong === undefined) return [];
    const todo = `choose a free one in machineCidr ${network}`;
    return [mistakeAt(where, wrong, formatAddress(value), todo)];
  });
}
