import { CertificateAuthority } from "./components/certificate-authority.ts";
import { ControlPlane, serverUrl } from "./components/control-plane.ts";
import { CoreDNS } from "./components/core-dns.ts";
import { downloadsFor, versionsOf } from "./components/downloads.ts";
import { EtcdCluster } from "./components/etcd-cluster.ts";
import { GuestNodes } from "./components/guest-nodes.ts";
import { JoinTokens } from "./components/join-tokens.ts";
import { NodeBootstrap } from "./components/node-bootstrap.ts";
import { NodeMembership } from "./components/node-membership.ts";
import { WorkerPool } from "./components/worker-pool.ts";
import { BridgeNetwork } from "./networks/bridge-network.ts";
import { once } from "./node/gate.ts";
import { Host } from "./node/host.ts";
import { nthAddress, parseCidr } from "./settings/ipv4.ts";
import { loadArtifactSource, loadSettings } from "./settings/load.ts";
import { refuseChanges } from "./settings/unchanged.ts";
import { platforms } from "./stacks/platforms.ts";

const settings = await loadSettings();
const artifacts = await loadArtifactSource(settings);
const platform = platforms[settings.platform];
const records = await refuseChanges(settings, platform.claims(settings));
const made = await platform.machines(settings, records);
const versions = versionsOf(settings.kubernetesVersion);
const joins = settings.workerPools.map(({ join }) => join);
const kubeadmJoins = joins.includes("kubeadm") || settings.joinTokens.length > 0;

const place =
  (role: "loadBalancer" | "controller" | "worker", kubeadm = false) =>
  ({ name }: { readonly name: string }) =>
    new Host(name, {
      machine: made.machines.get(name)!,
      downloads: downloadsFor(role, settings, artifacts, kubeadm),
      reassert: settings.reassert,
    });
const loadBalancers = settings.loadBalancers.map(place("loadBalancer"));
const controllers = settings.controllers.map(place("controller", kubeadmJoins));
const pools = settings.workerPools.map((pool) => ({
  ...pool,
  nodes: pool.machines.map(place("worker", pool.join === "kubeadm")),
}));

const { authority: external, ...validity } = settings.certificates;
const ca = new CertificateAuthority("kubernetes-ca", { ...validity, external });
const etcdCa = new CertificateAuthority("etcd-ca", validity);
const frontProxyCa = new CertificateAuthority("kubernetes-front-proxy-ca", validity);

const etcd = new EtcdCluster("etcd", {
  nodes: controllers,
  ca: etcdCa,
  binaries: versions.folders.etcd,
  generation: settings.etcd.generation,
});
const controlPlane = new ControlPlane("control-plane", {
  nodes: controllers,
  clusterName: settings.clusterName,
  clusterDomain: settings.clusterDomain,
  serviceCidr: settings.serviceCidr,
  serviceAddress: nthAddress(parseCidr(settings.serviceCidr)!, 1),
  ...(settings.joinTokens.length > 0 && { nodeCidrs: settings.podCidr }),
  endpoint: made.endpoint,
  alsoKnownAs: settings.loadBalancers,
  ca,
  frontProxyCa,
  etcd: { endpoints: etcd.endpoints, ready: etcd.ready, ca: etcdCa, retire: etcd.retire },
  loadBalancer: loadBalancers[0]!,
  binaries: versions.folders.kubernetes,
  publishesClusterInfo: kubeadmJoins,
  healthProxy: settings.controllerHealthProxy,
  apiServerFlags: settings.apiServer.extraFlags,
  controllerManagerFlags: settings.controllerManager.extraFlags,
  schedulerFlags: settings.scheduler.extraFlags,
});

const groups = [
  {
    name: "controllers",
    nodes: controllers,
    machines: settings.controllers,
    labels: settings.controllerLabels,
    taints: settings.controllerTaints,
    staticPods: settings.controllerStaticPods,
    maxUnavailable: 1,
    join: "certificates",
    discovery: "token",
  } as const,
  ...pools,
];
const membership = new NodeMembership("membership", {
  nodes: groups.flatMap(({ machines }) => machines.map(({ name }) => name)),
  drainTimeoutSeconds: settings.drainTimeoutSeconds,
  kubeconfig: controlPlane.kubeconfigInAdvance,
  dependsOn: etcd.ready,
});
const network = new BridgeNetwork("pod-network", {
  nodes: groups.flatMap(({ nodes, machines }) =>
    nodes.map((node, index) => ({ node, podCidr: machines[index]!.podCidr })),
  ),
  podCidr: settings.podCidr,
  dependsOn: membership.ready,
});
const server = serverUrl(made.endpoint.fromMachines);
const { traits } = controllers[0]!.machine;
const bootstrap =
  kubeadmJoins || joins.includes("bootstrapToken")
    ? new NodeBootstrap("node-bootstrap", {
        provider: controlPlane.provider,
        published: kubeadmJoins ? { ...settings, server, traits, certPem: ca.certPem } : undefined,
      })
    : { ready: [] };
const workerPools = groups.map(
  ({ name, nodes, machines, labels, taints, staticPods, maxUnavailable, join, discovery }) =>
    new WorkerPool(name, {
      join,
      discovery,
      bootstrap,
      workers: nodes.map((node, index) => ({ node, ...machines[index]! })),
      labels,
      taints,
      staticPods,
      maxUnavailable,
      clusterName: settings.clusterName,
      clusterDomain: settings.clusterDomain,
      dnsAddress: settings.dnsAddress,
      podCidr: settings.podCidr,
      kubeProxyMode: settings.kubeProxy.mode,
      server,
      ca,
      controlPlane,
      network,
      binaries: versions.folders,
      pauseImage: versions.images.pause,
    }),
);
const guests =
  settings.joinTokens.length > 0
    ? new GuestNodes("guests", {
        nodes: groups.flatMap(({ nodes }) => nodes),
        clusterName: settings.clusterName,
        server,
        podCidr: settings.podCidr,
        kubeProxyMode: settings.kubeProxy.mode,
        binaries: versions.folders.kubernetes,
        images: versions.images,
        traits,
        provider: controlPlane.provider,
        dependsOn: workerPools.flatMap((pool) => pool.ready),
      })
    : undefined;
const joinTokens =
  guests &&
  new JoinTokens("join-token", {
    tokens: settings.joinTokens,
    server,
    caCertHashes: ca.certHashes,
    traits,
    provider: controlPlane.provider,
    dependsOn: [...bootstrap.ready, ...guests.ready],
  });
const dns = new CoreDNS("dns", {
  image: versions.images.coredns,
  clusterDomain: settings.clusterDomain,
  address: settings.dnsAddress,
  forwarders: settings.dnsForwarders,
  provider: controlPlane.provider,
  dependsOn: workerPools.flatMap((pool) => pool.ready),
});

/** The operator's kubeconfig, a secret, once the cluster's DNS answers. */
export const kubeconfig = once(dns.ready, controlPlane.kubeconfig);
/** The API as the operator reaches it. */
export const endpoint = once(controlPlane.ready, serverUrl(made.endpoint.fromOperator));
/** What `kubeadm join --discovery-token-ca-cert-hash` takes. */
export const caCertHashes = ca.certHashes;
// Pulumi warns of an output that is undefined, not of one that is null.
/** Makes a node of a machine that is not in the settings, with the token of each name: secrets. */
export const joinCommands = joinTokens?.commands ?? null;
/** The same with the first token. */
export const joinCommand = joinCommands?.[settings.joinTokens[0]!.name] ?? null;
/** Where machines find the mirror of binaries and images; nothing where they download them from upstream. */
export const mirror = artifacts.mirrorUrl ?? null;
/** Every machine: its address, its role, and how to open a shell on it. */
export const machines = [
  { role: "load balancer", nodes: loadBalancers },
  { role: "controller", nodes: controllers },
  { role: "worker", nodes: pools.flatMap(({ nodes }) => nodes) },
].flatMap(({ role, nodes }) =>
  nodes.map(({ machine: { name, address, ssh } }) => ({ name, address, role, ssh })),
);
