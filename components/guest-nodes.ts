import { createHash } from "node:crypto";
import { DaemonSet } from "@pulumi/kubernetes/apps/v1/daemonSet.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1/serviceAccount.js";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js";
import * as pulumi from "@pulumi/pulumi";
import type { NetworkOfGuests } from "../networks/pod-network.ts";
import type { Host } from "../node/host.ts";
import type { MachineTraits } from "../node/machine.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { guestKubeProxyFiles, guestKubeProxyPodSpec } from "../services/guest-nodes.ts";
import { authorityMark } from "../services/rotation.ts";
import { Placement } from "./placement.ts";

export interface GuestNodesArgs {
  readonly facts: ClusterFacts;
  readonly network: NetworkOfGuests;
  /** The machines of the settings that run pods. */
  readonly hosts: readonly Host[];
  /** The traits of the machines that join. */
  readonly traits: MachineTraits;
  readonly provider: pulumi.ProviderResource;
  /** The gates after which the machines of the settings are nodes. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** Workloads and routes for guests, which are nodes that joined by themselves: their pods and all other pods reach each other. */
export class GuestNodes extends pulumi.ComponentResource {
  /** The gates after which a machine that joins becomes Ready. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: GuestNodesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:GuestNodes", name, {}, opts);
    const { facts, network } = args;
    const placement = new Placement(this);
    const options = { parent: this, provider: args.provider, deletedWith: args.provider };
    const namespace = "kube-system";
    const account = new ServiceAccount(
      "kube-proxy",
      { metadata: { name: "kube-proxy", namespace } },
      options,
    );
    const binding = new ClusterRoleBinding(
      "node-proxier",
      {
        metadata: { name: "kubeadm:node-proxier" },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "system:node-proxier",
        },
        subjects: [{ kind: "ServiceAccount", name: "kube-proxy", namespace }],
      },
      options,
    );
    const daemonSet = (name: string, spec: object, data: Readonly<Record<string, string>>) => {
      const labels = { "k8s-app": name };
      const config = new ConfigMap(name, { metadata: { name, namespace, labels }, data }, options);
      const digest = createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 12);
      return new DaemonSet(
        name,
        {
          // No update waits for pods on machines outside the settings.
          metadata: { name, namespace, labels, annotations: { "pulumi.com/skipAwait": "true" } },
          spec: {
            selector: { matchLabels: labels },
            template: {
              metadata: {
                labels,
                annotations: { "checksum/config": digest, ...authorityMark(facts) },
              },
              spec,
            },
          },
        } as ConstructorParameters<typeof DaemonSet>[1],
        { ...options, dependsOn: [account, binding, config] },
      );
    };
    this.ready = [
      daemonSet(
        "kube-proxy",
        guestKubeProxyPodSpec(facts),
        guestKubeProxyFiles(facts, args.traits),
      ),
      ...network.workloads.map(({ name, podSpec, files }) => daemonSet(name, podSpec, files)),
      ...network.services.flatMap((service) =>
        args.hosts.map((host) =>
          placement.service(host, service, { dependsOn: args.dependsOn, waits: true }),
        ),
      ),
    ];
    this.registerOutputs({});
  }
}
