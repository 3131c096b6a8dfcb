import type { TrustFile } from "../components/pki.ts";
import type { Turns } from "../components/rotation.ts";
import type { versionsOf } from "../components/versions.ts";
import type { MachineTraits } from "../node/machine.ts";
import type { Flags } from "./systemd.ts";

/** The modes of kube-proxy: how kube-proxy programs the kernel. */
export const kubeProxyModes = ["iptables", "nftables", "ipvs"] as const;

/** A mode of kube-proxy. */
export type KubeProxyMode = (typeof kubeProxyModes)[number];

/**
 * How a machine becomes a node. `certificates`: the program issues the kubelet's client certificate.
 * `bootstrapToken`: the kubelet requests one with a bootstrap token. `kubeadm`: `kubeadm join` sets up such a kubelet.
 */
export type JoinMode = "certificates" | "bootstrapToken" | "kubeadm";

/** The manifest of a static pod, which a kubelet runs without the API. */
export interface StaticPod {
  readonly metadata: { readonly name: string };
  readonly [field: string]: unknown;
}

/** A taint of a Node. */
export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
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
  /** Further addresses of a load balancer that is no machine, which could take the place of the first. */
  readonly otherAddresses?: readonly string[];
}

/** The role of a machine; controllers run pods, too. */
export type Role = "loadBalancer" | "controller" | "worker";

/** The name of a machine, and the IPv4 address at which the other machines reach it. */
export interface MachineFacts {
  readonly name: string;
  readonly address: string;
}

/** A machine that runs pods. */
export interface NodeFacts extends MachineFacts {
  readonly role: Exclude<Role, "loadBalancer">;
  /** Range of its pods, for example 10.200.1.0/24, where each node has a range. */
  readonly podCidr?: string | undefined;
  readonly traits: MachineTraits;
  /** How the machine becomes a node. */
  readonly join: JoinMode;
  /** How `kubeadm join` discovers the cluster. */
  readonly discovery: "token" | "file";
  /** Fields of KubeletConfiguration that override the program's. */
  readonly kubelet: Readonly<Record<string, unknown>>;
  /** The static pods of the machine. */
  readonly staticPods: readonly StaticPod[];
}

/** How much etcd may store, and what is done with its data now and then. */
export interface EtcdFacts {
  /** The size of the database from which on etcd takes no more writes. */
  readonly quotaMiB: number;
  /** How long former values of keys are kept, where the API servers drop none; 0 for ever. */
  readonly compactionHours: number;
  /** Snapshots that each controller takes of its member. */
  readonly backup: {
    readonly enabled: boolean;
    readonly intervalHours: number;
    /** How many stay, the newest. */
    readonly keep: number;
  };
  /** Whether members give back what is free in their databases. */
  readonly defragmentation: {
    readonly enabled: boolean;
    readonly intervalHours: number;
    /** The part of a database that must be free for it to be worth the while. */
    readonly freePercent: number;
  };
}

/** What the settings give to API servers besides flags. */
export interface ApiServerFacts {
  /** Names and addresses at which the API is also reached. */
  readonly certificateNames: readonly string[];
  /** The issuers whose tokens are taken: https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/#apiserver-config-k8s-io-v1-JWTAuthenticator */
  readonly jwt: readonly Readonly<Record<string, unknown>>[];
  /** The audit policy; undefined for the program's own. */
  readonly auditPolicy?: Readonly<Record<string, unknown>> | undefined;
  /** AdmissionConfiguration, if there is one. */
  readonly admissionConfiguration?: Readonly<Record<string, unknown>> | undefined;
  /** The names of the webhooks' kubeconfigs. */
  readonly webhooks: readonly string[];
}

/** Facts about the whole cluster: plain values that are known before the first update. */
export interface ClusterFacts {
  readonly clusterName: string;
  readonly clusterDomain: string;
  readonly kubernetesVersion: string;
  /** The network of the machines' addresses. */
  readonly machineCidr: string;
  /** Range of all pods. */
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** The first address of `serviceCidr`, at which pods reach the API. */
  readonly serviceAddress: string;
  readonly dnsAddress: string;
  readonly endpoint: Endpoint;
  /** The URL at which machines reach the API, for example https://10.240.0.10:6443. */
  readonly server: string;
  readonly loadBalancers: readonly MachineFacts[];
  /** The address that the load balancers share, which one of them has at a time. */
  readonly sharedAddress?: string | undefined;
  /** Each is a member of etcd. */
  readonly controllers: readonly MachineFacts[];
  /** Whether each node has a range of its own for its pods. */
  readonly rangePerNode: boolean;
  /** Every machine that runs pods. */
  readonly nodes: readonly (MachineFacts & Pick<NodeFacts, "podCidr">)[];
  /** File name of the certificates by which API servers and kubelets are verified. */
  readonly trustFile: TrustFile;
  /** How far the rotation of each authority and key is. */
  readonly turns: Turns;
  /** Folders of the binaries on the machines. */
  readonly folders: ReturnType<typeof versionsOf>["folders"];
  readonly images: ReturnType<typeof versionsOf>["images"];
  readonly etcdGeneration: number;
  readonly etcd: EtcdFacts;
  readonly kubeProxyMode: KubeProxyMode;
  /** Whether machines outside the settings may join; the controller manager then allocates the pod ranges of their Nodes. */
  readonly admitsGuests: boolean;
  /** Whether the API serves the cluster's address and CA certificate without credentials, for `kubeadm join`. */
  readonly publishesClusterInfo: boolean;
  /** Whether each controller reports the health of its API server over plain HTTP, on port 80. */
  readonly healthProxy: boolean;
  /** Whether machines reach what is outside of the cluster through a proxy. */
  readonly isProxied: boolean;
  /** The paths of the files by which containerd knows registries. */
  readonly registryFiles: readonly string[];
  /** What timeouts are multiplied by on slow machines. */
  readonly timeoutFactor: number;
  readonly apiServer: ApiServerFacts;
  readonly apiServerFlags: Flags;
  readonly controllerManagerFlags: Flags;
  readonly schedulerFlags: Flags;
}

/** The URL of an API server. */
export function serverUrl({ host, port }: HostPort): string {
  return `https://${host}:${port}`;
}
