import type { HostPort } from "../services/cluster-facts.ts";
import type { ClusterSettings } from "./cluster.ts";

/** Where machines reach the API: at the endpoint of the settings, at the load balancer, or at the only controller. */
export function apiEndpoint({ endpoint, ...settings }: ClusterSettings): HostPort {
  const { address } = (settings.loadBalancers[0] ?? settings.controllers[0])!;
  return endpoint ?? { host: address, port: 6443 };
}
