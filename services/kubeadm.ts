import { stringify } from "yaml";
import { gateLimitSeconds } from "../node/gate-limit.ts";
import { bootstrapKubeconfigPath, kubeletConfigPath, kubeletKubeconfigPath } from "./kubelet.ts";

const apiVersion = "kubeadm.k8s.io/v1beta4";

/** What `kubeadm join` is told on a machine of the settings; it holds the token. */
export const joinConfigurationPath = "/etc/kubernetes/kubeadm-join.yaml";
/** The kubeconfig by which kubeadm gets to know the cluster, where it is a file. */
export const discoveryPath = "/etc/kubernetes/kubeadm-discovery.conf";

/**
 * How long kubeadm waits in each phase of a join. Two phases that take all of it, and half a minute for the rest, end before the
 * gate does that joins: kubeadm says what is wrong, the gate only that its limit is over.
 */
export const joinPhaseSeconds = (gateLimitSeconds - 30) / 2;

/** The address and authority of the cluster, for everybody: https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/ */
export function clusterInfo(args: { readonly server: string; readonly ca: string }): string {
  return stringify(
    {
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
    },
    { lineWidth: 0 },
  );
}

/** What `kubeadm join` asks the cluster about itself. */
export function clusterConfiguration(args: {
  readonly clusterName: string;
  readonly clusterDomain: string;
  readonly kubernetesVersion: string;
  /** Host and port of the API as machines reach it. */
  readonly endpoint: string;
  readonly serviceCidr: string;
  readonly podCidr: string;
}): string {
  return stringify({
    apiVersion,
    kind: "ClusterConfiguration",
    certificatesDir: "/etc/kubernetes/pki",
    clusterName: args.clusterName,
    controlPlaneEndpoint: args.endpoint,
    kubernetesVersion: `v${args.kubernetesVersion}`,
    networking: {
      dnsDomain: args.clusterDomain,
      podSubnet: args.podCidr,
      serviceSubnet: args.serviceCidr,
    },
  });
}

/** Checks of kubeadm that fail on a machine which shares its kernel with the computer around it, where pods run nevertheless. */
export function failingChecks(traits: { readonly container: boolean }): string[] {
  // The first pod's network switches forwarding on.
  return traits.container
    ? ["FileContent--proc-sys-net-ipv4-ip_forward", "SystemVerification"]
    : [];
}

/** https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/#kubeadm-k8s-io-v1beta4-JoinConfiguration */
export function joinConfiguration(args: {
  readonly nodeName: string;
  readonly address: string;
  /** Swap and kernel settings belong to the computer around the machine. */
  readonly container: boolean;
  readonly token: string;
  readonly discovery:
    | { readonly by: "file" }
    | {
        readonly by: "token";
        /** Host and port of the API as machines reach it. */
        readonly endpoint: string;
        readonly caCertHashes: readonly string[];
      };
}): string {
  const { discovery, token } = args;
  return stringify({
    apiVersion,
    kind: "JoinConfiguration",
    discovery:
      discovery.by === "file"
        ? { file: { kubeConfigPath: discoveryPath }, tlsBootstrapToken: token }
        : {
            bootstrapToken: {
              apiServerEndpoint: discovery.endpoint,
              caCertHashes: [...discovery.caCertHashes],
              token,
            },
          },
    nodeRegistration: {
      criSocket: "unix:///run/containerd/containerd.sock",
      ignorePreflightErrors: failingChecks(args),
      kubeletExtraArgs: [{ name: "node-ip", value: args.address }],
      name: args.nodeName,
      taints: [],
    },
    timeouts: {
      discovery: `${joinPhaseSeconds}s`,
      kubeletHealthCheck: `${joinPhaseSeconds}s`,
      tlsBootstrap: `${joinPhaseSeconds}s`,
    },
  });
}

/**
 * The shell command that joins, and does nothing on a machine that has joined. What an attempt left that failed, or another
 * way to join, would be in its way.
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
    "}",
  ].join(" ");
}
