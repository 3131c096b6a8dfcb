import { Deployment } from "@pulumi/kubernetes/apps/v1/deployment.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { Service } from "@pulumi/kubernetes/core/v1/service.js";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1/serviceAccount.js";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1/podDisruptionBudget.js";
import { ClusterRole } from "@pulumi/kubernetes/rbac/v1/clusterRole.js";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js";
import * as pulumi from "@pulumi/pulumi";
import { formerly } from "../node/former-type.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { corefile, dnsPodSpec, dnsReplicas } from "../services/core-dns.ts";
import { authorityMark } from "../services/rotation.ts";
import { awaitLimit } from "./await-limit.ts";

export interface CoreDNSArgs {
  readonly facts: ClusterFacts;
  /** Addresses of the DNS servers for names outside the cluster; without any, such names do not resolve. */
  readonly forwarders: readonly string[];
  readonly provider: pulumi.ProviderResource;
  /** The gates of the nodes on which the pods of CoreDNS may run. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** The cluster's DNS: https://github.com/coredns/deployment/tree/master/kubernetes */
export class CoreDNS extends pulumi.ComponentResource {
  /** The gates after which the DNS answers. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: CoreDNSArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:CoreDNS", name, {}, formerly("CoreDns", opts));
    const { facts } = args;
    const mark = authorityMark(facts);
    const options = { parent: this, provider: args.provider, deletedWith: args.provider };
    const limit = awaitLimit(facts);
    const namespace = "kube-system";
    const labels = { "k8s-app": "kube-dns" };

    const account = new ServiceAccount(
      "coredns",
      { metadata: { name: "coredns", namespace } },
      options,
    );
    const role = new ClusterRole(
      "coredns",
      {
        metadata: { name: "system:coredns" },
        rules: [
          {
            apiGroups: [""],
            resources: ["endpoints", "services", "pods", "namespaces"],
            verbs: ["list", "watch"],
          },
          {
            apiGroups: ["discovery.k8s.io"],
            resources: ["endpointslices"],
            verbs: ["list", "watch"],
          },
        ],
      },
      options,
    );
    const binding = new ClusterRoleBinding(
      "coredns",
      {
        metadata: { name: "system:coredns" },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "system:coredns",
        },
        subjects: [{ kind: "ServiceAccount", name: "coredns", namespace }],
      },
      { ...options, dependsOn: [role] },
    );
    const config = new ConfigMap(
      "coredns",
      {
        metadata: { name: "coredns", namespace },
        data: { Corefile: corefile(facts.clusterDomain, args.forwarders) },
      },
      options,
    );
    const deployment = new Deployment(
      "coredns",
      {
        metadata: { name: "coredns", namespace, labels },
        spec: {
          replicas: dnsReplicas,
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } },
          selector: { matchLabels: labels },
          template: {
            metadata: { labels, ...(Object.keys(mark).length > 0 && { annotations: mark }) },
            spec: dnsPodSpec(facts.images.coredns, labels),
          },
        },
      },
      { ...options, ...limit, dependsOn: [...args.dependsOn, account, binding, config] },
    );
    // Nodes are drained one after another, but each pool by itself. On one Node alone, no drain could end.
    const budgets =
      facts.nodes.length > 1
        ? [
            new PodDisruptionBudget(
              "coredns",
              {
                metadata: { name: "coredns", namespace },
                spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
              },
              options,
            ),
          ]
        : [];
    const service = new Service(
      "kube-dns",
      {
        metadata: {
          name: "kube-dns",
          namespace,
          labels: { ...labels, "kubernetes.io/name": "CoreDNS" },
        },
        spec: {
          selector: labels,
          clusterIP: facts.dnsAddress,
          ports: [
            { name: "dns", port: 53, protocol: "UDP" },
            { name: "dns-tcp", port: 53, protocol: "TCP" },
            { name: "metrics", port: 9153, protocol: "TCP" },
          ],
        },
      },
      { ...options, ...limit, dependsOn: [...args.dependsOn] },
    );
    this.ready = [deployment, ...budgets, service];
    this.registerOutputs({});
  }
}
