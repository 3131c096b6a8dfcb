import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

export interface NodeMembershipArgs {
  /** Names of the machines that are Nodes of the cluster. */
  readonly nodes: readonly string[];
  /** How long pods may take to leave a Node, in seconds. */
  readonly drainTimeoutSeconds: number;
  /** The operator's kubeconfig, a secret: it need not answer as long as no Node leaves. */
  readonly kubeconfig: pulumi.Input<string>;
  /** What must be in order before a Node leaves. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** Which machines are Nodes: one that is listed no longer is cordoned, drained and deleted, before anything of it changes. */
export class NodeMembership extends pulumi.ComponentResource {
  /** The gate after which the Nodes that leave are gone, so that their machines and the ways to them may go. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: NodeMembershipArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:NodeMembership", name, {}, opts);
    // The path is relative to the project's folder, where Pulumi runs commands: a clone may be moved without a difference.
    // With more to do the shell stays, and its end tells the script that it was interrupted.
    const script = "components/node-membership.sh || exit";
    this.ready = [
      new local.Command(
        // No machine's name holds a colon.
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
