import { stringify } from "yaml";
import type { File, Service } from "../node/description.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { commandLine, unit } from "./systemd.ts";

/** The kubelet's kubeconfig, which also reads its own Node. */
export const kubeletKubeconfigPath = "/etc/kubernetes/kubelet.conf";
/** The kubeconfig with which a kubelet asks for its client certificate. */
export const bootstrapKubeconfigPath = "/etc/kubernetes/bootstrap-kubelet.conf";
/** Where a kubelet keeps its certificates. */
export const kubeletPki = "/var/lib/kubelet/pki";
/** The kubelet's configuration: ours, or the cluster's that kubeadm wrote. */
export const kubeletConfigPath = "/var/lib/kubelet/config.yaml";

const manifests = "/etc/kubernetes/manifests";
const ca = `${kubeletPki}/ca.crt`;
const dropIns = "/etc/kubernetes/kubelet.conf.d";

/**
 * How a machine becomes a node: its kubelet is given a client certificate, or asks the cluster for one with a
 * bootstrap token, by itself or set up by `kubeadm join`.
 */
export type JoinMode = "certificates" | "bootstrapToken" | "kubeadm";

/** What ways to join leave beside the files that are placed; a kubelet may have gone from one to another. */
const joinLeavings = [kubeletKubeconfigPath, bootstrapKubeconfigPath, "/etc/kubernetes/pki/ca.crt"];

/** The manifest of a pod that a kubelet runs without being told by the API. */
export interface StaticPod {
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

/** The kubelet of one node. */
export function kubeletService(args: {
  readonly cluster: string;
  /** The API's address as machines reach it. */
  readonly server: string;
  readonly nodeName: string;
  readonly address: string;
  readonly join: JoinMode;
  /** Folder of the binaries. */
  readonly binaries: string;
  /** Folder of crictl. */
  readonly crictl: string;
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly cgroupVersion: 1 | 2;
  /** Swap and kernel settings belong to the computer around the machine. */
  readonly container: boolean;
  /** The file of the certificates by which API servers are recognized. */
  readonly trusted: string;
  /** Fields of KubeletConfiguration laid over ours. */
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly staticPods: readonly StaticPod[];
}): Service {
  return {
    name: "kubelet",
    unit: "kubelet.service",
    reads: [
      ...new Set([ca, args.trusted]),
      `${kubeletPki}/kubelet.crt`,
      `${kubeletPki}/kubelet.key`,
      ...(args.join === "certificates"
        ? [`${kubeletPki}/kubelet-client.crt`, `${kubeletPki}/kubelet-client.key`]
        : []),
    ],
    health: "curl --fail --silent --max-time 5 http://127.0.0.1:10248/healthz",
    teardown: [
      // Pods run on without a kubelet.
      `! systemctl is-active --quiet containerd.service || ${args.crictl}/crictl rmp --all --force`,
      "kthw-node drop-chains KUBE-",
      "systemctl stop kubepods.slice; find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + || true",
    ],
    data: [...joinLeavings, "/usr/libexec/kubernetes", "/var/log/containers", "/var/log/pods"],
    files: [
      {
        path: "/etc/systemd/system/kubelet.service",
        text: unit({
          Unit: {
            Description: "Kubernetes node agent",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
            Wants: "containerd.service",
            After: "containerd.service",
            // It would fall over again and again until kubeadm has joined.
            ...(args.join === "kubeadm" && { ConditionPathExists: kubeletConfigPath }),
          },
          Service: {
            ...(args.join === "kubeadm" && {
              EnvironmentFile: "-/var/lib/kubelet/kubeadm-flags.env",
            }),
            ExecStart: kubeletCommand(args),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      ...kubeletFiles(args),
      // The kubelet watches the folder.
      ...args.staticPods.map((pod) => ({
        path: `${manifests}/${pod.metadata.name}.yaml`,
        text: stringify(pod, { lineWidth: 0 }),
        mode: "0600",
        live: true,
      })),
    ],
  };
}

function kubeletCommand({
  join,
  binaries,
  address,
}: {
  readonly join: JoinMode;
  readonly binaries: string;
  readonly address: string;
}): string {
  const program = `${binaries}/kubelet`;
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

function kubeletFiles(args: Parameters<typeof kubeletService>[0]): File[] {
  const issued = {
    tlsCertFile: `${kubeletPki}/kubelet.crt`,
    tlsPrivateKeyFile: `${kubeletPki}/kubelet.key`,
    tlsMinVersion: "VersionTLS12",
  };
  switch (args.join) {
    case "certificates":
      return [
        {
          path: kubeletConfigPath,
          text: kubeletConfiguration({ ...args, clientCa: ca, certificates: issued }),
        },
        {
          path: kubeletKubeconfigPath,
          mode: "0600",
          text: kubeconfigWithFiles(
            { cluster: args.cluster, server: args.server, user: `system:node:${args.nodeName}` },
            {
              ca: args.trusted,
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
          text: kubeletConfiguration({
            ...args,
            clientCa: ca,
            certificates: { rotateCertificates: true, ...issued },
          }),
        },
      ];
    case "kubeadm":
      return [
        {
          // Laid over what kubeadm wrote for the nodes of this cluster.
          path: `${dropIns}/10-machine.conf`,
          text: kubeletConfiguration({
            ...args,
            clientCa: ca,
            certificates: { rotateCertificates: true, serverTLSBootstrap: false, ...issued },
          }),
        },
      ];
  }
}

/** What `kubeadm join` gives to kubelets: they ask the cluster for both of their certificates, and renew them. */
export function kubeletConfigurationForAll(args: {
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly cgroupVersion: 1 | 2;
  /** Swap and kernel settings belong to the computers around the machines. */
  readonly container: boolean;
}): string {
  return kubeletConfiguration({
    ...args,
    clientCa: "/etc/kubernetes/pki/ca.crt",
    certificates: {
      rotateCertificates: true,
      serverTLSBootstrap: true,
      tlsMinVersion: "VersionTLS12",
    },
    configuration: {},
  });
}

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubeletConfiguration(args: {
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly cgroupVersion: 1 | 2;
  readonly container: boolean;
  /** The authority that clients' certificates come from. */
  readonly clientCa: string;
  /** Fields that say where certificates come from. */
  readonly certificates: Readonly<Record<string, unknown>>;
  readonly configuration: Readonly<Record<string, unknown>>;
}): string {
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: args.clientCa },
    },
    authorization: { mode: "Webhook" },
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupDriver: args.cgroupVersion === 2 ? "systemd" : "cgroupfs",
    ...(args.cgroupVersion === 1 && { failCgroupV1: false }),
    clusterDNS: [args.dnsAddress],
    clusterDomain: args.clusterDomain,
    eventRecordQPS: 50,
    // The disk is shared with the computer around the machine, and so is its fullness.
    ...(args.container && {
      evictionHard: {
        "memory.available": "50Mi",
        "nodefs.available": "1%",
        "imagefs.available": "1%",
      },
      failSwapOn: false,
    }),
    healthzBindAddress: "127.0.0.1",
    healthzPort: 10248,
    readOnlyPort: 0,
    registerNode: true,
    seccompDefault: true,
    staticPodPath: manifests,
    ...args.certificates,
    ...args.configuration,
  });
}
