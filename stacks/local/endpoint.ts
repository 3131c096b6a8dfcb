import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ClusterSettings } from "../../settings/cluster.ts";
import type { Lead } from "../platform.ts";
import { inodeOf, newId, read } from "./ids.ts";

/** Where the network's port of the API leads: to the first load balancer, or to the only controller. */
export function apiTarget({ loadBalancers, controllers }: ClusterSettings): string {
  return `${(loadBalancers[0] ?? controllers[0]!).address}:6443`;
}

/** Leads new connections on the port of the API to the address that load balancers share, if they do. */
export function leadToSharedAddress(settings: ClusterSettings): Lead | undefined {
  const address = settings.endpoint?.address;
  if (address === undefined) return undefined;
  const script = "stacks/local/endpoint.sh";
  const stack = pulumi.getStack();
  const [id, inode] = read(`/var/lib/kthw/${stack}/endpoint`)?.trim().split(" ") ?? [];
  const isThere = id !== undefined && inode === `${inodeOf(`/run/netns/kthw-${stack}`)}`;
  return (opts) =>
    new local.Command(
      // No machine's name holds a colon.
      "machines:endpoint",
      {
        create: `${script} create`,
        delete: `${script} delete`,
        environment: {
          KTHW_STACK: stack,
          KTHW_API_TARGET: apiTarget(settings),
          KTHW_ADDRESS: address,
          KTHW_BOOT: isThere ? id : newId(),
        },
        addPreviousOutputInEnv: false,
      },
      opts,
    );
}
