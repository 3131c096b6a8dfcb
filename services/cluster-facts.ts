import type { TrustFile } from "../components/pki.ts";
import type { versionsOf } from "../components/versions.ts";
import type { MachineTraits } from "../node/machine.ts";
import type { Flags } from "./systemd.ts";

/** How a kube-proxy programs the kernel. */
export const kubeProxyModes = ["iptables", "nftables", "ipvs"] as const;

/** One of them. */
export type KubeProxyMode = (typeof kubeProxyModes)[number];

/**
 * How a machine becomes a node: its kubelet is given a client certificate, or asks the cluster for one with a
 * bootstrap token, by itself or set up by `kubeadm join`.
 */
export type JoinMode = "certificates" | "bootstrapToken" | "kubeadm";

/** The manifest of a pod that a kubelet runs without being told by the API. */
export interface StaticPod {
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

/** A host and port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where the Kubernetes API is reached. */
export interface Endpoint {
  readonly fromMachines: HostPort;
  readonly fromOperator: HostPort;
}

/** The name of a machine, and the IPv4 address at which the other machines reach it. */
export interface MachineFacts {
  readonly name: string;
  readonly address: string;
}

/** A machine that runs pods. */
export interface NodeFacts extends MachineFacts {
  readonly role: "controller" | "worker";
  /** Range of its pods, for example 10.200.1.0/24. */
  readonly podCidr: string;
  readonly traits: MachineTraits;
  /** How it becomes a node. */
  readonly join: JoinMode;
  /** How `kubeadm join` gets to know the cluster. */
  readonly discovery: "token" | "file";
  /** Fields of KubeletConfiguration laid over ours. */
  readonly kubelet: Readonly<Record<string, unknown>>;
  /** Pods that its kubelet runs without being told by the API. */
  readonly staticPods: readonly StaticPod[];
}

/** What is true of the whole cluster: plain, and known before the first update. */
export interface ClusterFacts {
  readonly clusterName: string;
  readonly clusterDomain: string;
  readonly kubernetesVersion: string;
  /** Range of all pods. */
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** The first address of `serviceCidr`: the API within the cluster. */
  readonly serviceAddress: string;
  readonly dnsAddress: string;
  readonly endpoint: Endpoint;
  /** The address of the API as machines reach it, for example https://10.240.0.10:6443. */
  readonly server: string;
  readonly loadBalancers: readonly MachineFacts[];
  /** Each is a member of etcd. */
  readonly controllers: readonly MachineFacts[];
  /** Every machine that runs pods, with the range of its pods. */
  readonly nodes: readonly (MachineFacts & { readonly podCidr: string })[];
  /** File name of the certificates by which API servers and kubelets are recognized. */
  readonly trustFile: TrustFile;
  /** Folders of the binaries on the machines. */
  readonly folders: ReturnType<typeof versionsOf>["folders"];
  readonly images: ReturnType<typeof versionsOf>["images"];
  readonly etcdGeneration: number;
  readonly kubeProxyMode: KubeProxyMode;
  /** Machines that are not in the settings may join: their Nodes get ranges for their pods from the cluster. */
  readonly admitsGuests: boolean;
  /** Anybody may ask for the cluster's address and authority, as `kubeadm join` does. */
  readonly publishesClusterInfo: boolean;
  /** Each controller tells over plain HTTP, on port 80, if its API server is healthy. */
  readonly healthProxy: boolean;
  readonly apiServerFlags: Flags;
  readonly controllerManagerFlags: Flags;
  readonly schedulerFlags: Flags;
}

/** The address of an API server. */
export function serverUrl({ host, port }: HostPort): string {
  return `https://${host}:${port}`;
}
