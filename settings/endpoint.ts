import type { HostPort } from "../services/cluster-facts.ts";
import type { ClusterSettings } from "./cluster.ts";

/** Where machines reach the API: at the endpoint of the settings, at the only load balancer, or at the only controller. */
export function apiEndpoint({ endpoint, ...settings }: ClusterSettings): HostPort {
  const own = (settings.loadBalancers[0] ?? settings.controllers[0]!).address;
  return { host: endpoint?.host ?? endpoint?.address ?? own, port: endpoint?.port ?? 6443 };
}
