import { NodePatch } from "@pulumi/kubernetes/core/v1/nodePatch.js";
import * as pulumi from "@pulumi/pulumi";
import { gateLimitSeconds } from "../node/gate-limit.ts";
import type { Host } from "../node/host.ts";
import { containerdService } from "../services/containerd.ts";
import { managedLabel } from "../services/guest-nodes.ts";
import { type KubeProxyMode, kubeProxyService } from "../services/kube-proxy.ts";
import { joinCommand } from "../services/kubeadm.ts";
import {
  type JoinMode,
  kubeletKubeconfigPath,
  kubeletPki,
  kubeletService,
  type StaticPod,
} from "../services/kubelet.ts";
import { type Issuer, trustBundle } from "./certificate-authority.ts";
import { kubeletCredentials } from "./kubelet-credentials.ts";
import { kubeletServer, kubeProxy } from "./pki.ts";

/** How long a Node may take to be ready. kubectl gives up before the gate cuts it off, for only then it says what it waited for. */
const nodeReadySeconds = gateLimitSeconds - 20;

/** A taint of a Node. */
export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** A node of a pool. */
export interface Worker {
  readonly node: Host;
  /** Range of its pods. */
  readonly podCidr: string;
  /** Fields of KubeletConfiguration laid over ours. */
  readonly kubelet: Readonly<Record<string, unknown>>;
}

export interface WorkerPoolArgs {
  readonly workers: readonly Worker[];
  /** Labels of its Nodes. */
  readonly labels: Readonly<Record<string, string>>;
  /** All taints of its Nodes; undefined where they are not looked after. */
  readonly taints: readonly Taint[] | undefined;
  /** Pods that its kubelets run without being told by the API. */
  readonly staticPods: readonly StaticPod[];
  /** How many workers may change at the same time. */
  readonly maxUnavailable: number;
  /** How its machines become nodes. */
  readonly join: JoinMode;
  /** How `kubeadm join` gets to know the cluster. */
  readonly discovery: "token" | "file";
  /** What the cluster offers to those who join with a bootstrap token. */
  readonly bootstrap: { readonly ready: readonly pulumi.Resource[] };
  readonly clusterName: string;
  readonly clusterDomain: string;
  readonly dnsAddress: string;
  readonly podCidr: string;
  readonly kubeProxyMode: KubeProxyMode;
  /** The API's address as the machines reach it. */
  readonly server: string;
  readonly ca: Issuer & { readonly certHashes: pulumi.Output<string[]> };
  readonly controlPlane: {
    readonly ready: readonly pulumi.Resource[];
    readonly provider: pulumi.ProviderResource;
  };
  /** The gates of each node's pod network, by the node's name. */
  readonly network: { readonly ready: ReadonlyMap<string, pulumi.Resource> };
  /** Folders of the binaries on the machines. */
  readonly binaries: {
    readonly kubernetes: string;
    readonly containerd: string;
    readonly runc: string;
    readonly cniPlugins: string;
    readonly crictl: string;
  };
  readonly pauseImage: string;
}

/** Nodes that run pods: containerd, kubelet and kube-proxy on each machine. */
export class WorkerPool extends pulumi.ComponentResource {
  /** The gates after which each Node is Ready and its kube-proxy healthy, with the pool's labels and taints. */
  readonly ready: readonly pulumi.Resource[];

  constructor(name: string, args: WorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:WorkerPool", name, {}, opts);
    const { binaries, maxUnavailable } = args;
    const trusted = `${kubeletPki}/${args.ca.trustFile}`;
    const placed: {
      containerd: pulumi.Resource;
      kubelet: pulumi.Resource;
      proxy: pulumi.Resource;
    }[] = [];
    const ready: pulumi.Resource[] = [];

    for (const [index, { node, podCidr, kubelet: configuration }] of args.workers.entries()) {
      const { machine } = node;
      const { traits } = machine;
      const credentials = kubeletCredentials(node, { ...args, parent: this });
      const server = args.ca.issue(kubeletServer(machine), { parent: this });
      const proxy = args.ca.issue(kubeProxy(machine), { parent: this });
      const bundle = node.bundle(
        {
          name: "kubelet",
          directories: [
            { path: "/var/lib/kubelet", mode: "0700", owner: "root:root" },
            { path: "/etc/kubernetes", mode: "0755", owner: "root:root" },
            // Members of etcd pass through it to their own.
            { path: "/etc/kubernetes/pki", mode: "0711", owner: "root:root" },
            { path: "/etc/kubernetes/manifests", mode: "0700", owner: "root:root" },
          ],
          data: ["/var/lib/kubelet"],
          files: [
            { path: `${kubeletPki}/ca.crt`, text: args.ca.certPem },
            ...trustBundle(kubeletPki, args.ca),
            { path: `${kubeletPki}/kubelet.crt`, text: server.certPem },
            { path: `${kubeletPki}/kubelet.key`, text: server.keyPem, mode: "0600" },
            ...credentials.files,
            { path: "/etc/kubernetes/pki/kube-proxy.crt", text: proxy.certPem },
            { path: "/etc/kubernetes/pki/kube-proxy.key", text: proxy.keyPem, mode: "0600" },
          ],
        },
        { parent: this },
      );
      // Worker i changes after worker i - maxUnavailable has become healthy again.
      const before = placed[index - maxUnavailable];
      const after = (service: keyof NonNullable<typeof before>) =>
        before ? [before[service]] : [];
      const containerd = node.service(
        containerdService({
          binaries,
          pauseImage: args.pauseImage,
          systemdCgroup: traits.cgroupVersion === 2,
          restrictOomScoreAdj: traits.restrictOomScoreAdj,
          container: traits.container,
        }),
        { parent: this, dependsOn: [node.ready, ...after("containerd")] },
      );
      // Makes the Node before its kubelet does: nobody allocates it another range, and no pod comes before its taints. It stays
      // when this goes, since given back a Node that is gone would be made anew, and a range cannot be given back.
      const registered = new NodePatch(
        `${machine.name}:kubernetes-node`,
        {
          metadata: {
            name: machine.name,
            annotations: { "pulumi.com/patchForce": "true" },
            labels: { ...args.labels, ...managedLabel },
          },
          spec: {
            podCIDR: podCidr,
            podCIDRs: [podCidr],
            // What is merely left out stays where a controller has written to the list meanwhile.
            ...(args.taints && {
              taints: args.taints.map(({ value, ...taint }) => ({
                ...taint,
                ...(value !== "" && { value }),
              })),
            }),
          },
        },
        {
          parent: this,
          provider: args.controlPlane.provider,
          deletedWith: args.controlPlane.provider,
          retainOnDelete: true,
        },
      );
      const network = args.network.ready.get(machine.name);
      const kubelet = node.service(
        kubeletService({
          cluster: args.clusterName,
          server: args.server,
          nodeName: machine.name,
          address: machine.address,
          join: args.join,
          binaries: binaries.kubernetes,
          crictl: binaries.crictl,
          clusterDomain: args.clusterDomain,
          dnsAddress: args.dnsAddress,
          cgroupVersion: traits.cgroupVersion,
          container: traits.container,
          trusted,
          configuration,
          staticPods: args.staticPods,
        }),
        {
          parent: this,
          dependsOn: [
            ...args.controlPlane.ready,
            ...credentials.ready,
            bundle,
            containerd,
            ...(network ? [network] : []),
            registered,
            ...after("kubelet"),
          ],
          certificates: [args.ca.trustPem, ...credentials.certificates, server.certPem],
        },
      );
      const kubeProxyPlaced = node.service(
        kubeProxyService({
          cluster: args.clusterName,
          server: args.server,
          binaries: binaries.kubernetes,
          podCidr: args.podCidr,
          mode: args.kubeProxyMode,
          trusted,
          container: traits.container,
        }),
        {
          parent: this,
          dependsOn: [...args.controlPlane.ready, bundle, node.ready, ...after("proxy")],
          certificates: [args.ca.trustPem, proxy.certPem],
        },
      );
      placed.push({ containerd, kubelet, proxy: kubeProxyPlaced });
      const joined =
        args.join === "kubeadm"
          ? [
              node.healthy("kubeadm-join", ["containerd"], {
                parent: this,
                dependsOn: [kubelet],
                until: joinCommand(binaries.kubernetes),
                again: true,
              }),
            ]
          : [];
      const healthy = node.healthy("node-healthy", ["containerd", "kubelet", "kube-proxy"], {
        parent: this,
        dependsOn: [kubelet, ...joined, kubeProxyPlaced],
        // A cache would stay on the machine.
        until: `${binaries.kubernetes}/kubectl --cache-dir=/dev/null --kubeconfig=${kubeletKubeconfigPath} wait --for=condition=Ready --timeout=${nodeReadySeconds}s node/${machine.name}`,
      });
      ready.push(healthy);
    }
    this.ready = ready;
    this.registerOutputs({});
  }
}
