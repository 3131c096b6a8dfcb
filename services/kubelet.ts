import { kubeletClient, kubeletServer } from "../components/pki.ts";
import type { File } from "../node/description.ts";
import type { MachineTraits } from "../node/machine.ts";
import type { ClusterFacts, NodeFacts } from "./cluster-facts.ts";
import { leaveOut, type Reserved } from "./extra-flags.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { startsForAuthority } from "./rotation.ts";
import { type Credential, pki, type Service } from "./service.ts";
import { commandLine, unit } from "./systemd.ts";
import { cipherSuites } from "./tls.ts";
import { yaml } from "./yaml.ts";

/** The kubelet's kubeconfig, with which the gate reads the Node, too. */
export const kubeletKubeconfigPath = "/etc/kubernetes/kubelet.conf";
/** The kubeconfig with which a kubelet requests its client certificate. */
export const bootstrapKubeconfigPath = "/etc/kubernetes/bootstrap-kubelet.conf";
/** The JoinConfiguration of `kubeadm join` on a machine of the settings, with the token. */
export const joinConfigurationPath = "/etc/kubernetes/kubeadm-join.yaml";
/** The kubeconfig for discovery by file, from which kubeadm learns the cluster's address and CA. */
export const discoveryPath = "/etc/kubernetes/kubeadm-discovery.conf";
/** The folder of a kubelet's certificates. */
export const kubeletPki = "/var/lib/kubelet/pki";
/** The kubelet's configuration: ours, or the cluster's that kubeadm wrote. */
export const kubeletConfigPath = "/var/lib/kubelet/config.yaml";
/** The kubelet's flags that kubeadm wrote. */
export const kubeletFlagsPath = "/var/lib/kubelet/kubeadm-flags.env";

const tls = { tlsMinVersion: "VersionTLS12", tlsCipherSuites: cipherSuites };
const manifests = "/etc/kubernetes/manifests";
const ca = `${kubeletPki}/ca.crt`;
const dropIns = "/etc/kubernetes/kubelet.conf.d";

/** Files that the ways to join create besides the placed files; a machine may have changed from one way to another. */
const joinLeavings = [kubeletKubeconfigPath, bootstrapKubeconfigPath, "/etc/kubernetes/pki/ca.crt"];

/** Fields of KubeletConfiguration that follow from other settings or from how a node is run. */
export const reservedKubeletFields: Reserved = {
  ...leaveOut(
    "apiVersion",
    "authentication",
    "authorization",
    "cgroupDriver",
    "containerRuntimeEndpoint",
    "enableServer",
    "failCgroupV1",
    "failSwapOn",
    "healthzBindAddress",
    "healthzPort",
    "kind",
    "podCIDR",
    "readOnlyPort",
    "registerNode",
    "rotateCertificates",
    "runOnce",
    "serverTLSBootstrap",
    "staticPodPath",
    "tlsCertFile",
    "tlsPrivateKeyFile",
  ),
  clusterDNS: "set dnsAddress instead",
  clusterDomain: "set the cluster's clusterDomain instead",
};

/** The kubelet of one node. */
export function kubelet(facts: ClusterFacts, node: NodeFacts): Service {
  const runsKubeadm = node.join === "kubeadm";
  return {
    name: "kubelet",
    binaries: ["kubelet", "kubectl", ...(runsKubeadm ? (["kubeadm"] as const) : [])],
    commands: ["kubectl", ...(runsKubeadm ? ["kubeadm"] : [])],
    unit: "kubelet.service",
    credentials: credentials(facts, node),
    credentialStore: {
      directories: [
        { path: "/var/lib/kubelet", mode: "0700", owner: "root:root" },
        { path: "/etc/kubernetes", mode: "0755", owner: "root:root" },
        // etcd's user passes through this folder to etcd's certificates.
        { path: pki, mode: "0711", owner: "root:root" },
        { path: manifests, mode: "0700", owner: "root:root" },
      ],
      data: ["/var/lib/kubelet"],
    },
    ports: [10_248, 10_250],
    // API servers, and Pods that gather metrics, on any node.
    clients: { 10250: ["controller", "worker"] },
    ownFolders: ["/etc/kubernetes", "/var/lib/kubelet"],
    health: "curl --fail --silent --max-time 5 http://127.0.0.1:10248/healthz",
    teardown: [
      // Pods run on without a kubelet.
      `! systemctl is-active --quiet containerd.service || ${facts.folders.crictl}/crictl rmp --all --force`,
      "kthw-node drop-chains KUBE-",
      "systemctl stop kubepods.slice; find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + || true",
    ],
    ...(delaysShutdown(node) && { undo: [undelay] }),
    data: [...joinLeavings, "/usr/libexec/kubernetes", "/var/log/containers", "/var/log/pods"],
    files: [
      {
        path: "/etc/systemd/system/kubelet.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Kubernetes node agent",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
            Wants: "containerd.service",
            After: "containerd.service",
            // Until kubeadm has joined the machine, the kubelet would crash again and again.
            ...(node.join === "kubeadm" && { ConditionPathExists: kubeletConfigPath }),
          },
          Service: {
            ...(node.join === "kubeadm" && {
              EnvironmentFile: `-${kubeletFlagsPath}`,
            }),
            ExecStart: kubeletCommand(facts, node),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      ...kubeletFiles(facts, node),
      // The kubelet watches the folder.
      ...node.staticPods.map((pod) => ({
        path: `${manifests}/${pod.metadata.name}.yaml`,
        text: yaml(pod),
        mode: "0600",
        live: true,
      })),
    ],
  };
}

/** Whether the kubelet delays a shutdown of the machine, for which it gives systemd-logind a file that it never takes back. */
function delaysShutdown({ kubelet }: NodeFacts): boolean {
  const { shutdownGracePeriod: all = "0s", shutdownGracePeriodByPodPriority: some = [] } = kubelet;
  return /[1-9]/.test(`${all}`) || (Array.isArray(some) && some.length > 0);
}

/** https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/nodeshutdown/systemd/inhibit_linux.go */
const undelay = [
  "cd /etc/systemd/logind.conf.d || exit 0",
  "rm -f 99-kubelet.conf",
  "rmdir --ignore-fail-on-non-empty /etc/systemd/logind.conf.d",
  "systemctl kill --signal=HUP systemd-logind.service || true",
].join("; ");

/** The certificates of a kubelet, and the credentials with which it joins the cluster. */
function credentials(facts: ClusterFacts, node: NodeFacts): Credential[] {
  return [
    { path: ca, origin: { kind: "authority", authority: "kubernetes-ca" }, live: true },
    {
      path: `${kubeletPki}/${facts.trustFile}`,
      origin: { kind: "trust", authority: "kubernetes-ca" },
      // A kubelet that renews its client certificate itself verifies servers by what it read when it started.
      live: node.join === "certificates",
    },
    {
      path: `${kubeletPki}/kubelet`,
      origin: { kind: "certificate", request: kubeletServer(node) },
      live: true,
    },
    ...entry(facts, node),
  ];
}

function entry(facts: ClusterFacts, node: NodeFacts): Credential[] {
  switch (node.join) {
    case "certificates":
      return [
        {
          path: `${kubeletPki}/kubelet-client`,
          origin: { kind: "certificate", request: kubeletClient(node) },
          live: !startsForAuthority(facts),
        },
      ];
    case "bootstrapToken":
      return [
        {
          path: bootstrapKubeconfigPath,
          origin: { kind: "text", name: "bootstrapKubeconfig" },
          live: true,
        },
      ];
    case "kubeadm":
      return [
        {
          path: joinConfigurationPath,
          origin: { kind: "text", name: "joinConfiguration" },
          live: true,
        },
        ...(node.discovery === "file"
          ? [
              {
                path: discoveryPath,
                origin: { kind: "text", name: "discovery" },
                live: true,
              } as const,
            ]
          : []),
      ];
  }
}

function kubeletCommand(
  { folders }: ClusterFacts,
  { join, address }: Pick<NodeFacts, "join" | "address">,
): string {
  const program = `${folders.kubernetes}/kubelet`;
  switch (join) {
    case "certificates":
      return commandLine(program, {
        config: kubeletConfigPath,
        kubeconfig: kubeletKubeconfigPath,
        "node-ip": address,
      });
    case "bootstrapToken":
      return commandLine(program, {
        "bootstrap-kubeconfig": bootstrapKubeconfigPath,
        "cert-dir": kubeletPki,
        config: kubeletConfigPath,
        kubeconfig: kubeletKubeconfigPath,
        "node-ip": address,
      });
    case "kubeadm": {
      const command = commandLine(program, {
        "bootstrap-kubeconfig": bootstrapKubeconfigPath,
        config: kubeletConfigPath,
        "config-dir": dropIns,
        kubeconfig: kubeletKubeconfigPath,
      });
      return `${command} \\\n  $KUBELET_KUBEADM_ARGS`;
    }
  }
}

function kubeletFiles(facts: ClusterFacts, node: NodeFacts): File[] {
  const issued = {
    tlsCertFile: `${kubeletPki}/kubelet.crt`,
    tlsPrivateKeyFile: `${kubeletPki}/kubelet.key`,
    ...tls,
  };
  const configuration = (certificates: Readonly<Record<string, unknown>>) =>
    kubeletConfiguration(facts, node.traits, {
      clientCa: ca,
      certificates,
      laidOver: node.kubelet,
    });
  switch (node.join) {
    case "certificates":
      return [
        {
          path: kubeletConfigPath,
          mode: "0600",
          text: configuration(issued),
        },
        {
          path: kubeletKubeconfigPath,
          mode: "0600",
          text: kubeconfigWithFiles(
            { cluster: facts.clusterName, server: facts.server, user: `system:node:${node.name}` },
            {
              ca: `${kubeletPki}/${facts.trustFile}`,
              cert: `${kubeletPki}/kubelet-client.crt`,
              key: `${kubeletPki}/kubelet-client.key`,
            },
          ),
        },
      ];
    case "bootstrapToken":
      return [
        {
          path: kubeletConfigPath,
          mode: "0600",
          text: configuration({ rotateCertificates: true, ...issued }),
        },
      ];
    case "kubeadm":
      return [
        {
          // Overrides the configuration that kubeadm wrote for all nodes of the cluster.
          path: `${dropIns}/10-machine.conf`,
          mode: "0600",
          text: configuration({ rotateCertificates: true, serverTLSBootstrap: false, ...issued }),
        },
      ];
  }
}

/** The configuration that `kubeadm join` gives to kubelets: each requests both of its certificates from the cluster, and renews them. */
export function kubeletConfigurationForAll(facts: ClusterFacts, traits: MachineTraits): string {
  return kubeletConfiguration(facts, traits, {
    clientCa: "/etc/kubernetes/pki/ca.crt",
    certificates: {
      rotateCertificates: true,
      serverTLSBootstrap: true,
      ...tls,
    },
    laidOver: {},
  });
}

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubeletConfiguration(
  { clusterDomain, dnsAddress }: ClusterFacts,
  { cgroupVersion, container }: Pick<MachineTraits, "cgroupVersion" | "container">,
  args: {
    /** The CA file by which clients are verified. */
    readonly clientCa: string;
    /** The fields for the kubelet's own certificates. */
    readonly certificates: Readonly<Record<string, unknown>>;
    /** Fields that override the others. */
    readonly laidOver: Readonly<Record<string, unknown>>;
  },
): string {
  return yaml({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: args.clientCa },
    },
    authorization: { mode: "Webhook" },
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: cgroupVersion === 2 ? "systemd" : "cgroupfs",
    ...(cgroupVersion === 1 && { failCgroupV1: false }),
    clusterDNS: [dnsAddress],
    clusterDomain,
    eventRecordQPS: 50,
    // The machine shares the disk, and so its free space, with the computer around it.
    ...(container && {
      evictionHard: {
        "memory.available": "50Mi",
        "nodefs.available": "1%",
        "imagefs.available": "1%",
      },
      failSwapOn: false,
    }),
    healthzBindAddress: "127.0.0.1",
    healthzPort: 10248,
    // Far more than any Pod of good will has, and far fewer than a machine: one Pod cannot take all process ids.
    podPidsLimit: 16_384,
    readOnlyPort: 0,
    registerNode: true,
    seccompDefault: true,
    staticPodPath: manifests,
    ...args.certificates,
    ...args.laidOver,
  });
}
