import { stringify } from "yaml";
import type { Service } from "./description.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { commandLine, unit } from "./systemd.ts";

/** The kubelet's kubeconfig, which also reads its own Node. */
export const kubeletKubeconfigPath = "/etc/kubernetes/kubelet.conf";
/** Where a kubelet keeps its certificates. */
export const kubeletPki = "/var/lib/kubelet/pki";

const manifests = "/etc/kubernetes/manifests";
const configPath = "/var/lib/kubelet/config.yaml";
const ca = `${kubeletPki}/ca.crt`;

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
  /** Folder of the binaries. */
  readonly binaries: string;
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly cgroupVersion: 1 | 2;
  /** Swap and kernel settings belong to the computer around the machine. */
  readonly container: boolean;
  /** Fields of KubeletConfiguration laid over ours. */
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly staticPods: readonly StaticPod[];
}): Service {
  return {
    name: "kubelet",
    unit: "kubelet.service",
    reads: [
      ca,
      `${kubeletPki}/kubelet.crt`,
      `${kubeletPki}/kubelet.key`,
      `${kubeletPki}/kubelet-client.crt`,
      `${kubeletPki}/kubelet-client.key`,
    ],
    health: "curl --fail --silent --max-time 5 http://127.0.0.1:10248/healthz",
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
          },
          Service: {
            ExecStart: commandLine(`${args.binaries}/kubelet`, {
              config: configPath,
              kubeconfig: kubeletKubeconfigPath,
              "node-ip": args.address,
            }),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: configPath, text: kubeletConfiguration(args) },
      {
        path: kubeletKubeconfigPath,
        mode: "0600",
        text: kubeconfigWithFiles(
          { cluster: args.cluster, server: args.server, user: `system:node:${args.nodeName}` },
          { ca, cert: `${kubeletPki}/kubelet-client.crt`, key: `${kubeletPki}/kubelet-client.key` },
        ),
      },
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

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubeletConfiguration(args: {
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly cgroupVersion: 1 | 2;
  readonly container: boolean;
  readonly configuration: Readonly<Record<string, unknown>>;
}): string {
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: ca },
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
    tlsCertFile: `${kubeletPki}/kubelet.crt`,
    tlsPrivateKeyFile: `${kubeletPki}/kubelet.key`,
    tlsMinVersion: "VersionTLS12",
    ...args.configuration,
  });
}
