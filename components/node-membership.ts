import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

export interface NodeMembershipArgs {
  /** Names of the hosts that are Nodes of the cluster. */
  readonly nodes: readonly string[];
  /** How long the Pods of a Node may take to end, in seconds. */
  readonly drainTimeoutSeconds: number;
  /** The operator's kubeconfig, a secret; the API is asked only if a Node leaves. */
  readonly kubeconfig: pulumi.Input<string>;
  /** Resources that must be ready before a Node leaves. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** The list of Nodes: a Node that is no longer listed is cordoned, drained and deleted before its host changes. */
export class NodeMembership extends pulumi.ComponentResource {
  /** The gate after which the Nodes that leave are deleted, so that their machines and routes may be removed. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: NodeMembershipArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:NodeMembership", name, {}, opts);
    // Pulumi runs commands in the project's folder; a relative path stays the same when the clone is moved.
    // `|| exit` keeps the shell as the script's parent: Pulumi ends that shell at an interruption, which the script notices.
    const script = "components/node-membership.sh || exit";
    this.ready = [
      new local.Command(
        // No host has a colon in its name.
        `${name}:nodes`,
        {
          create: script,
          update: script,
          environment: {
            NODES: args.nodes.join(" "),
            DRAIN_TIMEOUT: `${args.drainTimeoutSeconds}`,
          },
          logging: "stderr",
          stdin: pulumi.secret(args.kubeconfig),
        },
        { parent: this, dependsOn: [...args.dependsOn] },
      ),
    ];
    this.registerOutputs({});
  }
}
