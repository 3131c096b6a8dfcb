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

/** How long a machine of the settings has time to join. */
const validityHours = 24;

/** By what a kubelet without a certificate gets into the cluster. */
export interface KubeletTexts {
  readonly texts: Texts;
  /** The gates after which the cluster knows them. */
  readonly ready: readonly pulumi.Resource[];
}

/** Makes the texts among a kubelet's credentials: a bootstrap token to ask for a certificate with, for kubelets that are not given one. */
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
      // A machine that was made anew joins again.
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
      // kubeadm makes of it the authority of the kubelet's clients.
      discovery: derive([ca.certPem], (pem) => clusterInfo({ server: facts.server, ca: pem })),
    },
    ready: [...args.bootstrap.ready, token.ready],
  };
}
