import type { Architecture, Image } from "../../components/versions.ts";
import type { ClusterFacts } from "../../services/cluster-facts.ts";
import { weaveVersion } from "./service.ts";
import type { Weave } from "./settings.ts";

/** The name of all objects of Weave Net, and of the ConfigMap in which it lists its peers. */
export const weaveNet = "weave-net";

/** The key of the password in its Secret. */
export const passwordKey = "password";

/** The images of Weave Net's pods, and where a mirror has them. */
export function weaveImages(architecture: Architecture): Image[] {
  return ["weave-kube", "weave-npc"].map((product) => ({
    name: image(product),
    file: `images/${product}-${weaveVersion}-${architecture}.tar`,
  }));
}

/** What Weave Net may do in the whole cluster: read what network policies speak of, and report that a node's network is up. */
export const clusterRules = [
  {
    apiGroups: [""],
    resources: ["pods", "namespaces", "nodes"],
    verbs: ["get", "list", "watch"],
  },
  {
    apiGroups: ["networking.k8s.io"],
    resources: ["networkpolicies"],
    verbs: ["get", "list", "watch"],
  },
  { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch", "update"] },
];

/** What Weave Net may do in its namespace: keep the list of its peers, in a ConfigMap that is there before it. */
export const namespaceRules = [
  {
    apiGroups: [""],
    resources: ["configmaps"],
    resourceNames: [weaveNet],
    verbs: ["get", "update"],
  },
];

/** The pod of Weave Net on each node: https://github.com/rajch/weave/tree/v2.9.0/prog/weave-kube */
export function weavePodSpec({ nodes, podCidr }: ClusterFacts, weave: Weave) {
  const { fastDatapath, mtu, password, imageDigests } = weave;
  const kube = image("weave-kube", imageDigests.weaveKube);
  const npc = image("weave-npc", imageDigests.weaveNpc);
  const securityContext = { privileged: true };
  // Left to itself, one container would program the legacy packet filter and another one nftables'.
  const backend = { name: "IPTABLES_BACKEND", value: "nft" };
  const nodeName = { name: "HOSTNAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } };
  const lock = { name: "xtables-lock", mountPath: "/run/xtables.lock" };
  return {
    serviceAccountName: weaveNet,
    priorityClassName: "system-node-critical",
    hostNetwork: true,
    dnsPolicy: "ClusterFirstWithHostNet",
    nodeSelector: { "kubernetes.io/os": "linux" },
    tolerations: ["NoSchedule", "NoExecute"].map((effect) => ({ effect, operator: "Exists" })),
    initContainers: [
      {
        name: "weave-init",
        image: kube,
        imagePullPolicy: "IfNotPresent",
        command: ["/home/weave/init.sh"],
        // The version is part of the name of the CNI plugin: a plugin that is there is never replaced.
        env: [backend, { name: "WEAVE_VERSION", value: weaveVersion }],
        securityContext,
        volumeMounts: [
          { name: "opt", mountPath: "/host/opt" },
          { name: "home", mountPath: "/host/home" },
          { name: "etc", mountPath: "/host/etc" },
          { name: "lib-modules", mountPath: "/lib/modules", readOnly: true },
          lock,
        ],
      },
    ],
    containers: [
      {
        name: "weave",
        image: kube,
        imagePullPolicy: "IfNotPresent",
        command: ["/home/weave/launch.sh"],
        env: [
          // First, for `peersAtFirst`. Left to itself, each of two nodes, or two of four, would take the whole range without asking the others.
          { name: "IPALLOC_INIT", value: `consensus=${nodes.length}` },
          { name: "INIT_CONTAINER", value: "true" },
          nodeName,
          { name: "CHECKPOINT_DISABLE", value: "1" },
          backend,
          { name: "IPALLOC_RANGE", value: podCidr },
          { name: "WEAVE_METRICS_ADDR", value: "127.0.0.1:6782" },
          ...(fastDatapath ? [] : [{ name: "WEAVE_NO_FASTDP", value: "1" }]),
          ...(mtu === undefined ? [] : [{ name: "WEAVE_MTU", value: `${mtu}` }]),
          ...(password === undefined
            ? []
            : [
                {
                  name: "WEAVE_PASSWORD",
                  valueFrom: { secretKeyRef: { name: weaveNet, key: passwordKey } },
                },
              ]),
        ],
        readinessProbe: { httpGet: { host: "127.0.0.1", path: "/status", port: 6784 } },
        resources: { requests: { cpu: "50m" } },
        securityContext,
        volumeMounts: [
          { name: "weavedb", mountPath: "/weavedb" },
          { name: "dbus", mountPath: "/host/var/lib/dbus", readOnly: true },
          { name: "machine-id", mountPath: "/host/etc/machine-id", readOnly: true },
          lock,
        ],
      },
      {
        name: "weave-npc",
        image: npc,
        imagePullPolicy: "IfNotPresent",
        args: ["--metrics-addr=127.0.0.1:6781"],
        env: [nodeName, backend],
        resources: { requests: { cpu: "50m" } },
        securityContext,
        volumeMounts: [lock],
      },
    ],
    volumes: [
      { name: "weavedb", hostPath: { path: "/var/lib/weave" } },
      { name: "opt", hostPath: { path: "/opt" } },
      { name: "home", hostPath: { path: "/home" } },
      { name: "etc", hostPath: { path: "/etc" } },
      { name: "machine-id", hostPath: { path: "/etc/machine-id" } },
      { name: "dbus", hostPath: { path: "/var/lib/dbus" } },
      { name: "lib-modules", hostPath: { path: "/lib/modules" } },
      { name: "xtables-lock", hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" } },
    ],
  };
}

/** The number of nodes when the network was made: of no use later, and a change would start all pods of the network anew. */
export const peersAtFirst = "spec.template.spec.containers[0].env[0].value";

/** An image of the fork, by tag, and by digest where one is given. */
function image(product: string, digest?: string): string {
  const tag = `docker.io/rajchaudhuri/${product}:${weaveVersion}`;
  return digest === undefined ? tag : `${tag}@${digest}`;
}
