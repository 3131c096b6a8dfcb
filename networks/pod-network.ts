import type * as pulumi from "@pulumi/pulumi";
import type { z } from "zod";
import type { Architecture, Image } from "../components/versions.ts";
import type { Host } from "../node/host.ts";
import type { ClusterFacts, KubeProxyMode, NodeFacts } from "../services/cluster-facts.ts";
import type { Service } from "../services/service.ts";

/** The name of each network's service on a machine; the unit is named like the service. */
export const podNetwork = "pod-network";

/** What differs between pod networks. `Settings` holds the network's own group of settings, which is named like the network. */
export interface Network<Settings extends object = object> {
  /** The network's own group of settings, if it has any. */
  readonly group?: z.ZodType;
  /** Settings of the group that must be encrypted. */
  readonly secrets?: readonly string[];
  /** Whether each machine has a range of its own for its pods, the machine's setting `podCidr`; else the network hands out the addresses of all pods. */
  readonly rangePerMachine: boolean;
  /** Whether pods' own addresses are on the wire between machines, so that whatever is in between must let them pass. */
  readonly routed: boolean;
  /** The modes of kube-proxy that the network works with. */
  readonly kubeProxyModes: readonly KubeProxyMode[];
  /** Settings of the network that a living cluster keeps, by their place. */
  unchanged?(settings: Settings): Readonly<Record<string, string>>;
  /** Container images of the network's pods, which a mirror may have. */
  images?(architecture: Architecture): readonly Image[];
  /** The network's service on a machine, named `podNetwork`. */
  service(facts: ClusterFacts, node: NodeFacts, settings: Settings): Service;
  /** What the pods of guests need besides. */
  guests(facts: ClusterFacts): NetworkOfGuests;
  /** Puts the network into the cluster; only this method loads the libraries for it. */
  place(name: string, args: PodNetworkArgs<Settings>): Promise<PodNetwork>;
}

/** What a network needs where machines join that are not in the settings. */
export interface NetworkOfGuests {
  /** Services on each machine of the settings that runs pods. */
  readonly services: readonly Service[];
  /** Workloads on each guest. */
  readonly workloads: readonly GuestWorkload[];
}

/** A DaemonSet and its ConfigMap of the same name. */
export interface GuestWorkload {
  readonly name: string;
  readonly podSpec: object;
  /** The texts of the ConfigMap, by file name. */
  readonly files: Readonly<Record<string, string>>;
}

/** The arguments of a pod network. */
export interface PodNetworkArgs<Settings extends object = object> {
  readonly facts: ClusterFacts;
  readonly settings: Settings;
  /** Every machine that runs pods. */
  readonly nodes: readonly { readonly host: Host; readonly node: NodeFacts }[];
  /** The provider of the cluster's objects. */
  readonly provider: pulumi.ProviderResource;
  /** Resources that must be done before what leads to leaving Nodes is removed. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** A pod network, which gives pods addresses and routes to each other. */
export interface PodNetwork {
  /** The gates after which the kubelet of a node may start, by the node's name. */
  readonly ready: ReadonlyMap<string, pulumi.Resource>;
  /** The objects in the cluster without which no node becomes Ready. */
  readonly workloads?: readonly pulumi.Resource[];
  /** Shell command that succeeds on a Ready node once its pods have addresses, where a Ready node is not enough. */
  readonly until?: string;
}
