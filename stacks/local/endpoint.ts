import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { inodeOf, newId, read } from "./ids.ts";

/** Leads new connections on this computer's port of the API to the address that load balancers share. */
export function sharedEndpoint(
  address: string,
): (opts: pulumi.CustomResourceOptions) => pulumi.Resource {
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
          KTHW_ADDRESS: address,
          KTHW_BOOT: isThere ? id : newId(),
        },
        addPreviousOutputInEnv: false,
      },
      opts,
    );
}
