import type { MachineTraits } from "../node/machine.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { kubeProxyConfiguration } from "./kube-proxy.ts";
import { kubeconfigWithTokenFile } from "./kubeconfig.ts";

/** The label of Nodes whose machine is in the settings; NodeRestriction keeps kubelets from setting the label. */
export const managedLabel = { "app.kubernetes.io/managed-by": "pulumi" } as const;

const [managedKey, managedValue] = Object.entries(managedLabel)[0]!;
/** The selector of Nodes whose machine is not in the settings. */
export const unmanagedNodes = `${managedKey}!=${managedValue}`;

const accountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The folder of kube-proxy's configuration in the pods of a guest. */
export const kubeProxyPath = "/var/lib/kube-proxy";

/** The configuration of kube-proxy on guests: texts by file name. */
export function guestKubeProxyFiles(
  facts: ClusterFacts,
  { container }: Pick<MachineTraits, "container">,
): Record<string, string> {
  return {
    "config.conf": kubeProxyConfiguration({
      podCidr: facts.podCidr,
      mode: facts.kubeProxyMode,
      container,
      kubeconfig: `${kubeProxyPath}/kubeconfig.conf`,
    }),
    "kubeconfig.conf": kubeconfigWithTokenFile(
      { cluster: facts.clusterName, server: facts.server, user: "kube-proxy" },
      { ca: `${accountPath}/ca.crt`, token: `${accountPath}/token` },
    ),
  };
}

/** The kube-proxy pod of a guest, like kubeadm's. */
export function guestKubeProxyPodSpec({ images }: ClusterFacts) {
  return {
    ...onGuests,
    containers: [
      {
        name: "kube-proxy",
        image: images.kubeProxy,
        imagePullPolicy: "IfNotPresent",
        command: [
          "/usr/local/bin/kube-proxy",
          `--config=${kubeProxyPath}/config.conf`,
          "--hostname-override=$(NODE_NAME)",
        ],
        env: [nodeName],
        securityContext: { privileged: true },
        volumeMounts: [
          { name: "kube-proxy", mountPath: kubeProxyPath },
          { name: "xtables-lock", mountPath: "/run/xtables.lock" },
          { name: "lib-modules", mountPath: "/lib/modules", readOnly: true },
        ],
      },
    ],
    volumes: [
      { name: "kube-proxy", configMap: { name: "kube-proxy" } },
      xtablesLock,
      { name: "lib-modules", hostPath: { path: "/lib/modules" } },
    ],
  };
}

/** The name of a pod's Node, as a variable of the pod's environment. */
export const nodeName = {
  name: "NODE_NAME",
  valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } },
};
/** The lock that all programs take that change iptables. */
export const xtablesLock = {
  name: "xtables-lock",
  hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" },
};
/** The fields of a pod that runs on each guest, with the network of the guest. */
export const onGuests = {
  serviceAccountName: "kube-proxy",
  priorityClassName: "system-node-critical",
  hostNetwork: true,
  nodeSelector: { "kubernetes.io/os": "linux" },
  tolerations: [{ operator: "Exists" }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: managedKey, operator: "NotIn", values: [managedValue] }] },
        ],
      },
    },
  },
};
