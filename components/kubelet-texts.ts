import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import type { Host } from "../node/host.ts";
import type { ClusterFacts, NodeFacts } from "../services/cluster-facts.ts";
import { clusterInfo, joinConfiguration } from "../services/kubeadm.ts";
import { kubeconfigWithToken } from "../services/kubeconfig.ts";
import { kubeletPki } from "../services/kubelet.ts";
import { bootstrapToken } from "./bootstrap-token.ts";
import type { Issuer } from "./certificate-authority.ts";
import type { Texts } from "./placement.ts";

/** How long a machine of the settings may take to join. */
const validityHours = 24;

/** The texts with which a kubelet without a client certificate joins the cluster. */
export interface KubeletTexts {
  readonly texts: Texts;
  /** The gates after which the cluster accepts the token in the texts. */
  readonly ready: readonly pulumi.Resource[];
}

/** Makes the texts among a kubelet's credentials, with a bootstrap token; a kubelet with a client certificate needs none. */
export function kubeletTexts(
  host: Host,
  node: NodeFacts,
  args: {
    readonly facts: ClusterFacts;
    readonly bootstrap: { readonly ready: readonly pulumi.Resource[] };
    readonly ca: Issuer & { readonly certHashes: pulumi.Output<string[]> };
    readonly provider: pulumi.ProviderResource;
    readonly parent: pulumi.Resource;
  },
): KubeletTexts {
  if (node.join === "certificates") return { texts: {}, ready: [] };
  const { ca, facts, parent, provider } = args;
  const token = bootstrapToken(
    `${node.name}:bootstrap-token`,
    {
      description: `lets ${node.name} join`,
      validityHours,
      // A rebuilt machine joins again.
      for: pulumi.interpolate`machine ${host.machine.id}, reassert ${host.reassert}`,
    },
    { parent, provider },
  );
  return {
    texts: {
      bootstrapKubeconfig: derive([token.value], (token) =>
        kubeconfigWithToken(
          { cluster: facts.clusterName, server: facts.server, user: "kubelet-bootstrap" },
          { ca: `${kubeletPki}/${facts.trustFile}`, token },
        ),
      ),
      joinConfiguration: derive([token.value, ca.certHashes], (token, caCertHashes) =>
        joinConfiguration(facts, node, { token, caCertHashes }),
      ),
      // kubeadm makes this certificate the authority of the kubelet's clients.
      discovery: derive([ca.certPem], (pem) => clusterInfo({ server: facts.server, ca: pem })),
    },
    ready: [...args.bootstrap.ready, token.ready],
  };
}
