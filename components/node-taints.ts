import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Taint } from "../services/cluster-facts.ts";

export interface NodeTaintsArgs {
  /** The name of the Node. */
  readonly node: string;
  /** The identity of the Node: one that was made anew has no taints yet. */
  readonly uid: pulumi.Input<string>;
  readonly taints: readonly Taint[];
  /** The operator's kubeconfig, a secret. */
  readonly kubeconfig: pulumi.Input<string>;
}

/**
 * Taints of a Node, beside those of others, which stay. Kubernetes knows an owner of the whole list of taints alone, so that no
 * resource of Kubernetes can own some of them. Those that are listed no longer are taken off, all of them with the resource.
 */
export function nodeTaints(
  { node, uid, taints, kubeconfig }: NodeTaintsArgs,
  opts: pulumi.CustomResourceOptions,
): pulumi.Resource {
  const script = "components/node-taints.sh";
  return new local.Command(
    `${node}:taints`,
    {
      create: script,
      update: script,
      delete: `${script} remove`,
      environment: { NODE: node, NODE_UID: uid, TAINTS: taints.map(taintText).join(" ") },
      logging: "none",
      stdin: pulumi.secret(kubeconfig),
    },
    opts,
  );
}

function taintText({ key, value, effect }: Taint): string {
  return value === "" ? `${key}:${effect}` : `${key}=${value}:${effect}`;
}
