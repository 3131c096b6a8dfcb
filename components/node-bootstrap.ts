import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { ClusterRole } from "@pulumi/kubernetes/rbac/v1/clusterRole.js";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js";
import { Role } from "@pulumi/kubernetes/rbac/v1/role.js";
import { RoleBinding } from "@pulumi/kubernetes/rbac/v1/roleBinding.js";
import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import type { MachineTraits } from "../node/machine.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { clusterConfiguration, clusterInfo } from "../services/kubeadm.ts";
import { kubeletConfigurationForAll } from "../services/kubelet.ts";
import { bootstrappers } from "./bootstrap-token.ts";

export interface NodeBootstrapArgs {
  readonly provider: pulumi.ProviderResource;
  readonly facts: ClusterFacts;
  /** The traits of the machines that join by kubeadm. */
  readonly traits: MachineTraits;
  /** The authority's certificate, PEM; kubeadm also makes it the authority of the kubelets' clients. */
  readonly certPem: pulumi.Input<string>;
}

const group = (name: string) => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind: "Group",
  name,
});
const tokenHolders = group(bootstrappers);
const nodes = group("system:nodes");

/**
 * The objects that machines with a bootstrap token need to join: the right to a client certificate, and the ConfigMaps that
 * `kubeadm join` reads. Names are kubeadm's: https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/
 */
export class NodeBootstrap extends pulumi.ComponentResource {
  /** The gates after which a machine can join. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: NodeBootstrapArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:NodeBootstrap", name, {}, opts);
    const options = { parent: this, provider: args.provider, deletedWith: args.provider };
    const bind = (name: string, clusterRole: string, subject: ReturnType<typeof group>) =>
      new ClusterRoleBinding(
        name.slice("kubeadm:".length),
        {
          metadata: { name },
          roleRef: {
            apiGroup: "rbac.authorization.k8s.io",
            kind: "ClusterRole",
            name: clusterRole,
          },
          subjects: [subject],
        },
        options,
      );
    const requests = "system:certificates.k8s.io:certificatesigningrequests";
    this.ready = [
      bind("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", tokenHolders),
      bind("kubeadm:node-autoapprove-bootstrap", `${requests}:nodeclient`, tokenHolders),
      bind("kubeadm:node-autoapprove-certificate-rotation", `${requests}:selfnodeclient`, nodes),
    ];
    const { facts } = args;
    if (facts.publishesClusterInfo) {
      const text = (namespace: string, name: string, data: Record<string, pulumi.Input<string>>) =>
        new ConfigMap(name, { metadata: { name, namespace }, data }, options);
      const readers = (
        namespace: string,
        name: string,
        configMaps: string[],
        subjects: ReturnType<typeof group>[],
      ) => {
        const metadata = { name, namespace };
        const [, short = ""] = name.split(":");
        return [
          new Role(
            short,
            {
              metadata,
              rules: [
                {
                  apiGroups: [""],
                  resources: ["configmaps"],
                  resourceNames: configMaps,
                  verbs: ["get"],
                },
              ],
            },
            options,
          ),
          new RoleBinding(
            short,
            {
              metadata,
              roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
              subjects,
            },
            options,
          ),
        ];
      };
      const role = "kubeadm:get-nodes";
      this.ready = [
        ...this.ready,
        text("kube-public", "cluster-info", {
          kubeconfig: derive([args.certPem], (ca) => clusterInfo({ server: facts.server, ca })),
        }),
        ...readers(
          "kube-public",
          "kubeadm:bootstrap-signer-clusterinfo",
          ["cluster-info"],
          [{ ...group("system:anonymous"), kind: "User" }],
        ),
        text("kube-system", "kubeadm-config", {
          ClusterConfiguration: clusterConfiguration(facts),
        }),
        text("kube-system", "kubelet-config", {
          kubelet: kubeletConfigurationForAll(facts, args.traits),
        }),
        ...readers(
          "kube-system",
          "kubeadm:nodes-kubeadm-config",
          ["kubeadm-config", "kubelet-config", "kube-proxy"],
          [tokenHolders, nodes],
        ),
        new ClusterRole(
          "get-nodes",
          {
            metadata: { name: role },
            rules: [{ apiGroups: [""], resources: ["nodes"], verbs: ["get"] }],
          },
          options,
        ),
        bind(role, role, tokenHolders),
      ];
    }
    this.registerOutputs({});
  }
}
