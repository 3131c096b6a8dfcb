import { kubeProxy as kubeProxyClient } from "../components/pki.ts";
import type { ClusterFacts, KubeProxyMode, NodeFacts } from "./cluster-facts.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { kubeletPki } from "./kubelet.ts";
import { startsForAuthority } from "./rotation.ts";
import { pki, type Service } from "./service.ts";
import { commandLine, unit } from "./systemd.ts";
import { yaml } from "./yaml.ts";

const configPath = "/var/lib/kube-proxy/config.conf";
const kubeconfigPath = "/etc/kubernetes/kube-proxy.conf";

/** The oldest Linux on which kube-proxy uses nftables. */
export const oldestLinuxForNftables = "5.13";

/** The kube-proxy of one node. */
export function kubeProxy(facts: ClusterFacts, node: Pick<NodeFacts, "name" | "traits">): Service {
  const { kubeProxyMode: mode, podCidr } = facts;
  const { container } = node.traits;
  const { packages = [], requires, prepare } = modes[mode];
  const program = `${facts.folders.kubernetes}/kube-proxy`;
  const trust = `${kubeletPki}/${facts.trustFile}`;
  // A container shares modules with the computer around it; the tool to inspect ipvs belongs there, too.
  const ownIpvs = mode === "ipvs" && !container;
  const before = [...(ownIpvs ? [loadIpvs] : []), ...(prepare ? [prepare(program)] : [])];
  return {
    name: "kube-proxy",
    ...(requires !== undefined && { requires: [requires] }),
    packages: [...packages, ...(ownIpvs ? ["ipvsadm"] : [])],
    unit: "kube-proxy.service",
    binaries: ["kube-proxy"],
    credentials: [
      { path: trust, origin: { kind: "trust", authority: "kubernetes-ca" }, live: true },
      {
        path: `${pki}/kube-proxy`,
        origin: { kind: "certificate", request: kubeProxyClient(node) },
        live: !startsForAuthority(facts),
      },
    ],
    ports: [10_249, 10_256],
    health: "curl --fail --silent --max-time 5 http://127.0.0.1:10256/healthz",
    teardown: [`${program} --cleanup`, "kthw-node drop-chains KUBE-"],
    files: [
      {
        path: "/etc/systemd/system/kube-proxy.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Kubernetes network proxy",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
            After: "network-online.target",
          },
          Service: {
            ...(before.length > 0 && { ExecStartPre: before }),
            ExecStart: commandLine(program, { config: configPath }),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: configPath,
        mode: "0600",
        text: kubeProxyConfiguration({ kubeconfig: kubeconfigPath, podCidr, mode, container }),
      },
      {
        path: kubeconfigPath,
        mode: "0600",
        text: kubeconfigWithFiles(
          { cluster: facts.clusterName, server: facts.server, user: "system:kube-proxy" },
          { ca: trust, cert: `${pki}/kube-proxy.crt`, key: `${pki}/kube-proxy.key` },
        ),
      },
    ],
  };
}

/** https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/ */
export function kubeProxyConfiguration(args: {
  /** The path of kube-proxy's kubeconfig. */
  readonly kubeconfig: string;
  readonly podCidr: string;
  readonly mode: KubeProxyMode;
  readonly container: boolean;
}): string {
  return yaml({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    clientConnection: { kubeconfig: args.kubeconfig },
    clusterCIDR: args.podCidr,
    ...(args.container && { conntrack: { maxPerCore: 0, min: 0 } }),
    healthzBindAddress: "0.0.0.0:10256",
    metricsBindAddress: "127.0.0.1:10249",
    mode: args.mode,
  });
}

const loadIpvs = "-/sbin/modprobe --all ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack";

/** The shell command that says why a machine does not support a mode, and fails. */
const refuse = (mode: KubeProxyMode, needs: string, todo: string) =>
  `{ echo "kubeProxy.mode ${mode} needs ${needs}, and the kernel of this machine is $(uname -r); ${todo}"; false; }`;

/** The requirements of each mode on a machine. Between nftables and another mode, kube-proxy itself removes the former rules. */
const modes: Readonly<
  Record<
    KubeProxyMode,
    {
      readonly packages?: readonly string[];
      /** Shell command that succeeds on a machine that supports the mode, and else says why not. */
      readonly requires?: string;
      /** The command that removes the rules of another mode. */
      readonly prepare?: (program: string) => string;
    }
  >
> = {
  iptables: {
    prepare: (program) =>
      `-/bin/sh -c 'test ! -e /sys/class/net/kube-ipvs0 || ${program} --cleanup'`,
  },
  nftables: {
    packages: ["nftables"],
    requires: `printf '${oldestLinuxForNftables}\\n%s\\n' "$(uname -r)" | sort --version-sort --check=quiet || ${refuse("nftables", `Linux ${oldestLinuxForNftables} or newer`, "use iptables, or a newer kernel")}`,
  },
  ipvs: {
    packages: ["ipset"],
    requires: `test -e /proc/net/ip_vs || modprobe --quiet --dry-run ip_vs || ${refuse("ipvs", "ip_vs", "use iptables or nftables, or a kernel with ip_vs")}`,
    prepare: (program) => `-/bin/sh -c 'test -e /sys/class/net/kube-ipvs0 || ${program} --cleanup'`,
  },
};
