import { NodePatch } from "@pulumi/kubernetes/core/v1/nodePatch.js";
import * as pulumi from "@pulumi/pulumi";
import { type PodNetwork, podNetwork } from "../networks/pod-network.ts";
import { gateLimitSeconds } from "../node/gate-limit.ts";
import type { Host } from "../node/host.ts";
import type { ClusterFacts, NodeFacts, Taint } from "../services/cluster-facts.ts";
import { managedLabel } from "../services/guest-nodes.ts";
import { joinCommand } from "../services/kubeadm.ts";
import { kubeletKubeconfigPath } from "../services/kubelet.ts";
import { nodeServices } from "../services/roles.ts";
import { tokensRenewed } from "../services/rotation.ts";
import type { Issuer } from "./certificate-authority.ts";
import { kubeletTexts } from "./kubelet-texts.ts";
import { nodeTaints } from "./node-taints.ts";
import { type NodeTurns, nodeTurn } from "./node-turns.ts";
import { Placement, type Texts } from "./placement.ts";

/** How long a Node may take to become Ready. kubectl must give up before the gate's limit, to say what kubectl waited for. */
const nodeReadySeconds = gateLimitSeconds - 20;
/** The same where another command follows in the same gate, and needs time of its own. */
const nodeReadySecondsBefore = gateLimitSeconds / 2;

export interface WorkerPoolArgs {
  readonly facts: ClusterFacts;
  /** The texts among containerd's credentials. */
  readonly containerdTexts: Texts;
  readonly workers: readonly { readonly host: Host; readonly node: NodeFacts }[];
  /** Labels of the pool's Nodes. */
  readonly labels: Readonly<Record<string, string>>;
  /** Taints of the pool's Nodes, beside those of others. */
  readonly taints: readonly Taint[];
  /** How many workers may change at the same time. */
  readonly maxUnavailable: number;
  /** The objects in the cluster that machines with a bootstrap token need to join. */
  readonly bootstrap: { readonly ready: readonly pulumi.Resource[] };
  readonly ca: Issuer & { readonly certHashes: pulumi.Output<string[]> };
  readonly controlPlane: {
    readonly ready: readonly pulumi.Resource[];
    readonly provider: pulumi.ProviderResource;
    readonly kubeconfigBeforeReady: pulumi.Output<string>;
  };
  readonly network: PodNetwork;
  /** Resources that must be done before a service changes. */
  readonly dependsOn: readonly pulumi.Resource[];
  /** Resources that must be done before credentials change. */
  readonly mayDrop: readonly pulumi.Resource[];
  /** How Nodes are taken out of service before they change; undefined if they stay in service. */
  readonly turns: NodeTurns | undefined;
  /** Shell command for the last machine, run once that machine's Node is Ready. */
  readonly finally?: string;
}

/** A worker before its services are placed. */
interface Worker {
  readonly host: Host;
  readonly node: NodeFacts;
  readonly services: ReturnType<typeof nodeServices>;
  readonly texts: Texts;
  /** The gates after which the cluster accepts the kubelet's credentials. */
  readonly admitted: readonly pulumi.Resource[];
  readonly bundle: pulumi.Resource;
  /** What containerd knows of registries. */
  readonly registries: readonly pulumi.Resource[];
}

/** The services of a worker, and the gates after which the worker is in service with them. */
interface PlacedWorker {
  readonly containerd: pulumi.Resource;
  readonly kubelet: pulumi.Resource;
  readonly kubeProxy: pulumi.Resource;
  readonly gates: readonly pulumi.Resource[];
}

/** Nodes that run pods: containerd, kubelet and kube-proxy on each machine. */
export class WorkerPool extends pulumi.ComponentResource {
  /** The gates after which each Node is Ready and its kube-proxy healthy, with the pool's labels and taints. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: WorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:WorkerPool", name, {}, opts);
    const { controlPlane, facts, maxUnavailable } = args;
    const placement = new Placement(this, { authorities: { "kubernetes-ca": args.ca } });

    const workers = args.workers.map(({ host, node }) => {
      const services = nodeServices(facts, node);
      const { texts, ready } = kubeletTexts(host, node, {
        ...args,
        provider: controlPlane.provider,
        parent: this,
      });
      const { containerd, ...others } = services;
      const bundle = placement.bundle(host, "kubelet", Object.values(others), texts, args.mayDrop);
      const registries =
        facts.registryFiles.length === 0
          ? []
          : [placement.bundle(host, "containerd", [containerd], args.containerdTexts)];
      return { host, node, services, texts, admitted: ready, bundle, registries };
    });
    // Each worker waits for the one that is maxUnavailable before it, service by service, or for its return into service.
    const placed: PlacedWorker[] = [];
    for (const [index, worker] of workers.entries()) {
      const isLast = index === workers.length - 1;
      placed.push(this.#place(worker, placed[index - maxUnavailable], placement, args, isLast));
    }
    this.ready = placed.flatMap(({ gates }) => gates);
    this.registerOutputs({});
  }

  #place(
    { host, node, services, texts, admitted, bundle, registries }: Worker,
    before: PlacedWorker | undefined,
    placement: Placement,
    args: WorkerPoolArgs,
    isLast: boolean,
  ): PlacedWorker {
    const { controlPlane, facts } = args;
    const { kubernetes } = facts.folders;
    const turn = args.turns && nodeTurn(node.name, args.turns, this);
    const drained = turn
      ? [turn.drained([...args.dependsOn, ...controlPlane.ready, ...(before?.gates ?? [])])]
      : [];
    const containerd = placement.service(host, services.containerd, {
      dependsOn: [
        ...args.dependsOn,
        ...controlPlane.ready,
        ...registries,
        ...drained,
        ...(before ? [before.containerd] : []),
      ],
      texts: args.containerdTexts,
    });
    const network = args.network.ready.get(node.name);
    const kubelet = placement.service(host, services.kubelet, {
      dependsOn: [
        ...controlPlane.ready,
        ...admitted,
        bundle,
        containerd,
        ...(network ? [network] : []),
        this.#registered(node, args),
        ...(before ? [before.kubelet] : []),
      ],
      texts,
    });
    const kubeProxy = placement.service(host, services.kubeProxy, {
      dependsOn: [...controlPlane.ready, bundle, ...drained, ...(before ? [before.kubeProxy] : [])],
    });
    const joined =
      node.join === "kubeadm"
        ? [
            host.healthy("kubeadm-join", [services.containerd.name], {
              parent: this,
              dependsOn: [kubelet],
              until: joinCommand(kubernetes),
              again: true,
            }),
          ]
        : [];
    const last = isLast && args.finally !== undefined;
    const seconds =
      (last || args.network.until !== undefined ? nodeReadySecondsBefore : nodeReadySeconds) *
      facts.timeoutFactor;
    // kubectl would leave its cache on the machine.
    const isReady = `${kubernetes}/kubectl --cache-dir=/dev/null --kubeconfig=${kubeletKubeconfigPath} wait --for=condition=Ready --timeout=${seconds}s node/${node.name}`;
    const healthy = host.healthy(
      "node-healthy",
      [...Object.values(services).map(({ name }) => name), podNetwork],
      {
        parent: this,
        dependsOn: [kubelet, ...joined, kubeProxy, ...(args.network.workloads ?? [])],
        until: [isReady, args.network.until, ...(last ? [args.finally] : [])]
          .filter((command) => command !== undefined)
          .join(" && "),
      },
    );
    const renewed =
      facts.turns.serviceAccountKey.phase === "sign"
        ? [
            host.healthy("tokens-renewed", [services.kubelet.name], {
              parent: this,
              dependsOn: [healthy, ...(before?.gates ?? [])],
              until: tokensRenewed(),
            }),
          ]
        : [];
    const gates = [healthy, ...renewed, ...(turn ? [turn.returned([healthy, ...renewed])] : [])];
    return { containerd, kubelet, kubeProxy, gates };
  }

  /**
   * Makes the Node before its kubelet does, so that no controller of Kubernetes allocates another pod range and no pod comes before the taints.
   * The resource is deleted without a change to the Node: releasing its fields would create a deleted Node again, and a pod range
   * cannot be released.
   */
  #registered({ name, podCidr }: NodeFacts, args: WorkerPoolArgs): pulumi.Resource {
    const { provider, kubeconfigBeforeReady } = args.controlPlane;
    const options = { parent: this, deletedWith: provider };
    const node = new NodePatch(
      `${name}:kubernetes-node`,
      {
        metadata: { name, labels: { ...args.labels, ...managedLabel } },
        spec: { ...(podCidr !== undefined && { podCIDR: podCidr, podCIDRs: [podCidr] }) },
      },
      { ...options, provider, retainOnDelete: true },
    );
    if (args.taints.length === 0) return node;
    return nodeTaints(
      {
        node: name,
        uid: node.metadata.apply((metadata) => metadata?.uid ?? ""),
        taints: args.taints,
        kubeconfig: kubeconfigBeforeReady,
      },
      { ...options, dependsOn: [node] },
    );
  }
}
