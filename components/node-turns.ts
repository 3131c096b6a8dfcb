import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** How Nodes are taken out of service while their kubelets get another minor version. */
export interface NodeTurns {
  /** The minor version, such as 1.37. */
  readonly version: string;
  /** How long the Pods of a Node may take to end, in seconds. */
  readonly drainTimeoutSeconds: number;
  /** The operator's kubeconfig, a secret. */
  readonly kubeconfig: pulumi.Input<string>;
}

/** Commands that drain a Node and put the Node back into service; a Node that has the version already stays in service. */
export function nodeTurn(node: string, turns: NodeTurns, parent: pulumi.Resource) {
  const command = (verb: "drain" | "return", dependsOn: readonly pulumi.Resource[]) => {
    // As in NodeMembership: a relative path, and the shell as the script's parent.
    const script = `components/node-turn.sh ${verb} || exit`;
    return new local.Command(
      `${node}:${verb}-${turns.version}`,
      {
        create: script,
        environment: {
          NODE: node,
          VERSION: turns.version,
          DRAIN_TIMEOUT: `${turns.drainTimeoutSeconds}`,
        },
        logging: "stderr",
        stdin: pulumi.secret(turns.kubeconfig),
      },
      // Once it has run, neither a renewed kubeconfig nor another timeout is a reason to run it again.
      { parent, dependsOn: [...dependsOn], ignoreChanges: ["environment", "stdin"] },
    );
  };
  return {
    drained: (dependsOn: readonly pulumi.Resource[]) => command("drain", dependsOn),
    returned: (dependsOn: readonly pulumi.Resource[]) => command("return", dependsOn),
  };
}
