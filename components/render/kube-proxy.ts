import { stringify } from "yaml";
import type { Service } from "./description.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { kubeletPki } from "./kubelet.ts";
import { commandLine, unit } from "./systemd.ts";

const pki = "/etc/kubernetes/pki";
const ca = `${kubeletPki}/ca.crt`;
const configPath = "/var/lib/kube-proxy/config.conf";
const kubeconfigPath = "/etc/kubernetes/kube-proxy.conf";

/** The kube-proxy of one node. */
export function kubeProxyService(args: {
  readonly cluster: string;
  /** The API's address as machines reach it. */
  readonly server: string;
  /** Folder of the binaries. */
  readonly binaries: string;
  readonly podCidr: string;
  /** Kernel settings belong to the computer around the machine. */
  readonly container: boolean;
}): Service {
  return {
    name: "kube-proxy",
    unit: "kube-proxy.service",
    reads: [ca, `${pki}/kube-proxy.crt`, `${pki}/kube-proxy.key`],
    health: "curl --fail --silent --max-time 5 http://127.0.0.1:10256/healthz",
    files: [
      {
        path: "/etc/systemd/system/kube-proxy.service",
        text: unit({
          Unit: {
            Description: "Kubernetes network proxy",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
            After: "network-online.target",
          },
          Service: {
            ExecStart: commandLine(`${args.binaries}/kube-proxy`, { config: configPath }),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: configPath,
        text: stringify({
          apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
          kind: "KubeProxyConfiguration",
          clientConnection: { kubeconfig: kubeconfigPath },
          clusterCIDR: args.podCidr,
          ...(args.container && { conntrack: { maxPerCore: 0, min: 0 } }),
          healthzBindAddress: "0.0.0.0:10256",
          metricsBindAddress: "127.0.0.1:10249",
          mode: "iptables",
        }),
      },
      {
        path: kubeconfigPath,
        mode: "0600",
        text: kubeconfigWithFiles(
          { cluster: args.cluster, server: args.server, user: "system:kube-proxy" },
          { ca, cert: `${pki}/kube-proxy.crt`, key: `${pki}/kube-proxy.key` },
        ),
      },
    ],
  };
}
