import { scryptSync } from "node:crypto";
import { DaemonSet } from "@pulumi/kubernetes/apps/v1/daemonSet.js";
import { ConfigMap } from "@pulumi/kubernetes/core/v1/configMap.js";
import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1/serviceAccount.js";
import { ClusterRole } from "@pulumi/kubernetes/rbac/v1/clusterRole.js";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js";
import { Role } from "@pulumi/kubernetes/rbac/v1/role.js";
import { RoleBinding } from "@pulumi/kubernetes/rbac/v1/roleBinding.js";
import * as pulumi from "@pulumi/pulumi";
import { Placement } from "../../components/placement.ts";
import { authorityMark } from "../../services/rotation.ts";
import { type PodNetwork, type PodNetworkArgs, podNetwork } from "../pod-network.ts";
import {
  clusterRules,
  namespaceRules,
  passwordKey,
  peersAtFirst,
  weaveNet,
  weavePodSpec,
} from "./manifests.ts";
import { weaveService } from "./service.ts";
import type { WithWeave } from "./settings.ts";

/** The pod network of Weave Net: https://github.com/rajch/weave */
export class WeaveNet extends pulumi.ComponentResource implements PodNetwork {
  readonly ready: ReadonlyMap<string, pulumi.Resource>;
  readonly workloads: readonly pulumi.Resource[];
  readonly until = "curl --fail --silent --max-time 5 http://127.0.0.1:6784/status";

  constructor(
    name: string,
    args: PodNetworkArgs<WithWeave>,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:WeaveNet", name, {}, opts);
    const { facts, provider } = args;
    const { weave } = args.settings;
    const placement = new Placement(this);
    this.ready = new Map(
      args.nodes.map(({ host, node }) => [
        node.name,
        placement.service(host, weaveService(facts, weave), { dependsOn: args.dependsOn }),
      ]),
    );

    const options = { parent: this, provider, deletedWith: provider };
    const namespace = "kube-system";
    const metadata = { name: weaveNet, namespace, labels: { name: weaveNet } };
    const { namespace: _, ...ofCluster } = metadata;
    const subjects = [{ kind: "ServiceAccount", name: weaveNet, namespace }];
    const roleRef = (kind: string) => ({
      apiGroup: "rbac.authorization.k8s.io",
      kind,
      name: weaveNet,
    });
    const account = new ServiceAccount(weaveNet, { metadata }, options);
    const clusterRole = new ClusterRole(
      weaveNet,
      { metadata: ofCluster, rules: clusterRules },
      options,
    );
    const clusterBinding = new ClusterRoleBinding(
      weaveNet,
      { metadata: ofCluster, roleRef: roleRef("ClusterRole"), subjects },
      { ...options, dependsOn: [clusterRole] },
    );
    const role = new Role(weaveNet, { metadata, rules: namespaceRules }, options);
    const binding = new RoleBinding(
      weaveNet,
      { metadata, roleRef: roleRef("Role"), subjects },
      { ...options, dependsOn: [role] },
    );
    // Weave Net lists its peers in annotations of this object, which would outlive it if it made the object itself.
    const peers = new ConfigMap(weaveNet, { metadata }, options);
    const secret =
      weave.password === undefined
        ? []
        : [
            new Secret(
              weaveNet,
              { metadata, stringData: { [passwordKey]: pulumi.secret(weave.password) } },
              options,
            ),
          ];
    const labels = { name: weaveNet, "k8s-app": podNetwork };
    const marks = { ...authorityMark(facts), ...(weave.password && marked(weave.password)) };
    const daemonSet = new DaemonSet(
      weaveNet,
      {
        metadata: {
          ...metadata,
          labels,
          // A node is Ready only with the network, and so the update cannot wait for the network before the node.
          annotations: { "pulumi.com/skipAwait": "true" },
        },
        spec: {
          selector: { matchLabels: { name: weaveNet } },
          minReadySeconds: 5,
          updateStrategy: { type: "RollingUpdate" },
          template: {
            metadata: { labels, ...(Object.keys(marks).length > 0 && { annotations: marks }) },
            spec: weavePodSpec(facts, weave),
          },
        },
      } as ConstructorParameters<typeof DaemonSet>[1],
      {
        ...options,
        ignoreChanges: [peersAtFirst],
        dependsOn: [account, clusterBinding, binding, peers, ...secret, ...this.ready.values()],
      },
    );
    this.workloads = [daemonSet];
    this.registerOutputs({});
  }
}

/** An annotation that changes with the password, so that the pods are replaced; the slow hash does not give the password away. */
function marked(password: string): Record<string, string> {
  return { "checksum/password": scryptSync(password, weaveNet, 6).toString("hex") };
}
