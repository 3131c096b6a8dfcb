import { gateLimitSeconds } from "../node/gate-limit.ts";
import type { ClusterFacts, NodeFacts } from "./cluster-facts.ts";
import {
  bootstrapKubeconfigPath,
  discoveryPath,
  joinConfigurationPath,
  kubeletConfigPath,
  kubeletFlagsPath,
  kubeletKubeconfigPath,
} from "./kubelet.ts";
import { yaml } from "./yaml.ts";

const apiVersion = "kubeadm.k8s.io/v1beta4";

/**
 * How long kubeadm waits in each phase of a join. Two full phases, and half a minute for the rest, must end before the limit of the
 * gate that runs the join: kubeadm says what is wrong, while the gate says only that the limit is over.
 */
const joinPhaseSeconds = (gateLimitSeconds - 30) / 2;

/** The kubeconfig in the public ConfigMap cluster-info, with the address and CA certificate of the cluster: https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/ */
export function clusterInfo(args: { readonly server: string; readonly ca: string }): string {
  return yaml({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "",
        cluster: {
          "certificate-authority-data": Buffer.from(args.ca).toString("base64"),
          server: args.server,
        },
      },
    ],
    contexts: [],
    users: [],
    "current-context": "",
  });
}

/** The ClusterConfiguration that `kubeadm join` reads from the cluster. */
export function clusterConfiguration(facts: ClusterFacts): string {
  return yaml({
    apiVersion,
    kind: "ClusterConfiguration",
    certificatesDir: "/etc/kubernetes/pki",
    clusterName: facts.clusterName,
    controlPlaneEndpoint: hostPort(facts),
    kubernetesVersion: `v${facts.kubernetesVersion}`,
    networking: {
      dnsDomain: facts.clusterDomain,
      podSubnet: facts.podCidr,
      serviceSubnet: facts.serviceCidr,
    },
  });
}

/** Host and port of the API as machines reach it. */
export function hostPort({ endpoint: { fromMachines } }: ClusterFacts): string {
  return `${fromMachines.host}:${fromMachines.port}`;
}

/** Preflight checks of kubeadm that fail on a machine that is a container, although pods run there. */
export function failingChecks(traits: { readonly container: boolean }): string[] {
  // The network of the first pod enables IP forwarding.
  return traits.container
    ? ["FileContent--proc-sys-net-ipv4-ip_forward", "SystemVerification"]
    : [];
}

/** https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/#kubeadm-k8s-io-v1beta4-JoinConfiguration */
export function joinConfiguration(
  facts: ClusterFacts,
  node: Pick<NodeFacts, "name" | "address" | "discovery" | "traits">,
  { token, caCertHashes }: { readonly token: string; readonly caCertHashes: readonly string[] },
): string {
  const phase = `${joinPhaseSeconds * facts.timeoutFactor}s`;
  return yaml({
    apiVersion,
    kind: "JoinConfiguration",
    discovery:
      node.discovery === "file"
        ? { file: { kubeConfigPath: discoveryPath }, tlsBootstrapToken: token }
        : {
            bootstrapToken: {
              apiServerEndpoint: hostPort(facts),
              caCertHashes: [...caCertHashes],
              token,
            },
          },
    nodeRegistration: {
      criSocket: "unix:///run/containerd/containerd.sock",
      ignorePreflightErrors: failingChecks(node.traits),
      kubeletExtraArgs: [{ name: "node-ip", value: node.address }],
      name: node.name,
      taints: [],
    },
    timeouts: {
      discovery: phase,
      kubeletHealthCheck: phase,
      tlsBootstrap: phase,
    },
  });
}

/**
 * The shell command that joins a machine, and does nothing on a machine that has joined. kubeadm refuses a machine with files of a
 * failed attempt or of another way to join, so that the command removes such files first.
 */
export function joinCommand(binaries: string): string {
  const joined = `test -e ${kubeletKubeconfigPath} -a -e ${kubeletConfigPath}`;
  const left = [
    kubeletKubeconfigPath,
    kubeletConfigPath,
    bootstrapKubeconfigPath,
    "/etc/kubernetes/pki/ca.crt",
  ];
  return [
    `${joined} || {`,
    `systemctl stop kubelet && rm -f ${left.join(" ")} &&`,
    `PATH=${binaries}:$PATH kubeadm join --config=${joinConfigurationPath};`,
    "} &&",
    // kubeadm lets everybody read them.
    `chmod 0600 /var/lib/kubelet/*.yaml ${kubeletFlagsPath}`,
  ].join(" ");
}
