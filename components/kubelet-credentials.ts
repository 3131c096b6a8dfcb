import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import type { BundleFile, Host } from "../node/host.ts";
import {
  clusterInfo,
  discoveryPath,
  joinConfiguration,
  joinConfigurationPath,
} from "../services/kubeadm.ts";
import { kubeconfigWithToken } from "../services/kubeconfig.ts";
import { bootstrapKubeconfigPath, type JoinMode, kubeletPki } from "../services/kubelet.ts";
import { bootstrapToken } from "./bootstrap-token.ts";
import type { Issuer } from "./certificate-authority.ts";
import { kubeletClient } from "./pki.ts";

/** How long a machine of the settings has time to join. */
const validityHours = 24;

/** By what a kubelet gets into the cluster. */
export interface KubeletCredentials {
  readonly files: readonly BundleFile[];
  /** Public certificates among the files: others mean a restart. */
  readonly certificates: readonly pulumi.Output<string>[];
  /** The gates after which they are good for something. */
  readonly ready: readonly pulumi.Resource[];
}

/** Makes what a kubelet gets into the cluster by: a client certificate, or a bootstrap token to ask for one. */
export function kubeletCredentials(
  node: Host,
  args: {
    readonly join: JoinMode;
    readonly discovery: "token" | "file";
    readonly bootstrap: { readonly ready: readonly pulumi.Resource[] };
    readonly clusterName: string;
    readonly server: string;
    readonly ca: Issuer & { readonly certHashes: pulumi.Output<string[]> };
    readonly controlPlane: { readonly provider: pulumi.ProviderResource };
    readonly parent: pulumi.Resource;
  },
): KubeletCredentials {
  const { machine } = node;
  const { ca, parent, server } = args;
  if (args.join === "certificates") {
    const client = ca.issue(kubeletClient(machine), { parent });
    return {
      files: [
        { path: `${kubeletPki}/kubelet-client.crt`, text: client.certPem },
        { path: `${kubeletPki}/kubelet-client.key`, text: client.keyPem, mode: "0600" },
      ],
      certificates: [client.certPem],
      ready: [],
    };
  }
  const token = bootstrapToken(
    `${machine.name}:bootstrap-token`,
    {
      description: `lets ${machine.name} join`,
      validityHours,
      // A machine that was made anew joins again.
      for: pulumi.interpolate`machine ${machine.id}, reassert ${node.reassert}`,
    },
    { parent, provider: args.controlPlane.provider },
  );
  const ready = [...args.bootstrap.ready, token.ready];
  if (args.join === "bootstrapToken") {
    const text = derive([token.value], (token) =>
      kubeconfigWithToken(
        { cluster: args.clusterName, server, user: "kubelet-bootstrap" },
        { ca: `${kubeletPki}/${ca.trustFile}`, token },
      ),
    );
    return {
      files: [{ path: bootstrapKubeconfigPath, text, mode: "0600" }],
      certificates: [],
      ready,
    };
  }
  const configuration = derive([token.value, ca.certHashes], (token, caCertHashes) =>
    joinConfiguration({
      nodeName: machine.name,
      address: machine.address,
      container: machine.traits.container,
      token,
      discovery:
        args.discovery === "file"
          ? { by: "file" }
          : { by: "token", endpoint: new URL(server).host, caCertHashes },
    }),
  );
  return {
    files: [
      { path: joinConfigurationPath, text: configuration, mode: "0600" },
      ...(args.discovery === "file"
        ? [
            {
              path: discoveryPath,
              // kubeadm makes of it the authority of the kubelet's clients.
              text: derive([ca.certPem], (pem) => clusterInfo({ server, ca: pem })),
            },
          ]
        : []),
    ],
    certificates: [],
    ready,
  };
}
