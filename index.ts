import { CertificateAuthority } from "./components/certificate-authority.ts";
import { ControlPlane } from "./components/control-plane.ts";
import { CoreDNS } from "./components/core-dns.ts";
import { downloadsFor } from "./components/downloads.ts";
import { egress } from "./components/egress.ts";
import { EtcdCluster } from "./components/etcd-cluster.ts";
import { GuestNodes } from "./components/guest-nodes.ts";
import { JoinTokens } from "./components/join-tokens.ts";
import { NodeBootstrap } from "./components/node-bootstrap.ts";
import { NodeMembership } from "./components/node-membership.ts";
import { isDropped } from "./components/rotation.ts";
import { changesEtcd, Upgrade } from "./components/upgrade.ts";
import { minorOf } from "./components/versions.ts";
import { WorkerPool } from "./components/worker-pool.ts";
import { networks } from "./networks/networks.ts";
import { once } from "./node/gate.ts";
import { Host } from "./node/host.ts";
import { serverUrl } from "./services/cluster-facts.ts";
import { encryptedPrefix as prefixOf } from "./services/encryption-keys.ts";
import { retireOthers } from "./services/etcd.ts";
import { kernelCheck } from "./services/kernel.ts";
import { servicesByMachine } from "./services/roles.ts";
import { formerUnused } from "./services/rotation.ts";
import { nextEncryptionStep } from "./settings/encryption-step.ts";
import { tellOfEndings } from "./settings/endings.ts";
import { clusterFacts, nodeGroups } from "./settings/facts.ts";
import { loadArtifactSource, loadSettings } from "./settings/load.ts";
import { beginTurns, RotationEnd } from "./settings/rotation.ts";
import { refuseEndpoint } from "./settings/shared-address.ts";
import { isFounded, stateBefore } from "./settings/state.ts";
import { refuseChanges } from "./settings/unchanged.ts";
import { foresee, inspectionsBefore } from "./settings/upgrade-inspections.ts";
import { versionChange } from "./settings/version-change.ts";
import { platforms } from "./stacks/platforms.ts";

const settings = await loadSettings();
const artifacts = await loadArtifactSource(settings);
const platform = platforms[settings.platform];
const facts = clusterFacts(settings, platform.endpoint(settings));
const traits = platform.traits(settings);
const nodes = nodeGroups(settings, traits);
const podNetwork = networks[settings.network];
const networkImages = podNetwork.images?.(settings.architecture);
const networkOfGuests = facts.admitsGuests ? podNetwork.guests(facts) : undefined;
const services = servicesByMachine(
  facts,
  [...facts.loadBalancers, ...nodes.flatMap((group) => group.nodes)],
  (node) => [podNetwork.service(facts, node, settings), ...(networkOfGuests?.services ?? [])],
);
const state = await stateBefore();
const founded = isFounded(state);
const unchanging = { platform: settings.platform, ...platform.unchanging(settings) };
const records = await refuseChanges(settings, platform.claims(settings), unchanging, state);
await refuseEndpoint(state, settings);
const change = versionChange(state, settings.kubernetesVersion);
const inspections = inspectionsBefore(change, nodes);
await foresee(change, inspections, state);
const { authorities: external, turns, ...validity } = settings.certificates;
const encryption = await nextEncryptionStep(state, settings.encryptionKeys);
await beginTurns(turns, state);
await tellOfEndings(state);
const machinesByName = await platform.machines(settings, records, services);
const { proxy, texts: containerdTexts } = egress(facts, settings);
const leadTo = await platform.leadTo?.(settings);

const place = ({ name }: { readonly name: string }) =>
  new Host(name, {
    machine: machinesByName.get(name)!,
    requires: kernelCheck(services.get(name)!),
    downloads: downloadsFor(services.get(name)!, settings, artifacts, networkImages),
    proxy,
    reassert: settings.reassert,
    timeoutFactor: settings.timeoutFactor,
  });
const loadBalancers = facts.loadBalancers.map(place);
const groups = nodes.map((group) => ({
  ...group,
  workers: group.nodes.map((node) => ({ node, host: place(node) })),
}));
const [controllers = [], ...pools] = groups.map(({ workers }) => workers.map(({ host }) => host));

const upgrade = new Upgrade("upgrade", {
  version: settings.kubernetesVersion,
  change,
  hosts: [loadBalancers, controllers, ...pools].flat(),
  inspections,
});

const [first] = controllers;
const mayDrop =
  first && (isDropped(turns.kubernetesCa) || isDropped(turns.serviceAccountKey))
    ? [first.inspects("former-unused", formerUnused(facts), { parent: first })]
    : [];

const ca = new CertificateAuthority("kubernetes-ca", {
  ...validity,
  external,
  turn: turns.kubernetesCa,
});
const etcdCa = new CertificateAuthority("etcd-ca", {
  ...validity,
  turn: turns.etcdCa,
  isReadAtStart: true,
});
const frontProxyCa = new CertificateAuthority("kubernetes-front-proxy-ca", {
  ...validity,
  turn: turns.frontProxyCa,
});

const etcd = new EtcdCluster("etcd", {
  facts,
  hosts: controllers,
  ca: etcdCa,
  dependsOn: upgrade.ready,
  maxUnavailable: founded ? 1 : controllers.length,
  isOneWay: change !== undefined && changesEtcd(change),
});
const controlPlane = new ControlPlane("control-plane", {
  facts,
  hosts: controllers,
  loadBalancers,
  leadTo,
  ca,
  frontProxyCa,
  etcdCa,
  etcd,
  encryption,
  webhooks: settings.apiServer.webhooks,
  isFounded: founded,
  state,
  mayDrop,
});
const { provider } = controlPlane;

const membership = new NodeMembership("membership", {
  nodes: facts.nodes.map(({ name }) => name),
  drainTimeoutSeconds: settings.drainTimeoutSeconds,
  kubeconfig: controlPlane.kubeconfigBeforeReady,
  dependsOn: etcd.ready,
});
const network = await podNetwork.place("pod-network", {
  facts,
  settings,
  nodes: groups.flatMap(({ workers }) => workers),
  provider,
  dependsOn: membership.ready,
});
const bootstrap =
  facts.publishesClusterInfo || groups.some(({ join }) => join === "bootstrapToken")
    ? new NodeBootstrap("node-bootstrap", { facts, traits, certPem: ca.certPem, provider })
    : { ready: [] };
const nodeTurns = change?.isMinor
  ? {
      version: minorOf(change.to),
      drainTimeoutSeconds: settings.drainTimeoutSeconds,
      kubeconfig: controlPlane.kubeconfigBeforeReady,
    }
  : undefined;
const workerPools = groups.map(
  ({ name, ...group }) =>
    new WorkerPool(name, {
      facts,
      containerdTexts,
      ...group,
      bootstrap,
      ca,
      controlPlane,
      network,
      dependsOn: upgrade.ready,
      mayDrop,
      turns: nodeTurns,
      // By then no API server names a former member, and the Node of its machine has been drained.
      ...(name === "controllers" && { finally: retireOthers(facts) }),
    }),
);
const nodesReady = workerPools.flatMap((pool) => pool.ready);
const guests = networkOfGuests
  ? new GuestNodes("guests", {
      facts,
      network: networkOfGuests,
      hosts: [controllers, ...pools].flat(),
      traits,
      provider,
      dependsOn: nodesReady,
    })
  : undefined;
const joinTokens =
  guests &&
  new JoinTokens("join-token", {
    facts,
    tokens: settings.joinTokens,
    caCertHashes: ca.certHashes,
    traits,
    provider,
    dependsOn: [...bootstrap.ready, ...guests.ready],
  });
const dns = new CoreDNS("dns", {
  facts,
  forwarders: settings.dnsForwarders,
  provider,
  // The pods of a new cluster start as soon as a Node is there.
  dependsOn: founded ? nodesReady : [],
});
new RotationEnd("rotation", {
  turns,
  dependsOn: [...controlPlane.ready, ...controlPlane.looked, ...nodesReady, ...dns.ready],
});

/** The operator's kubeconfig, a secret, once all Nodes are Ready and the cluster's DNS answers. */
export const kubeconfig = once([...nodesReady, ...dns.ready], controlPlane.kubeconfig);
/** The API as the operator reaches it. */
export const endpoint = once(controlPlane.ready, serverUrl(facts.endpoint.fromOperator));
/** What `kubeadm join --discovery-token-ca-cert-hash` takes. */
export const caCertHashes = ca.certHashes;
// Pulumi warns of an output that is undefined, not of one that is null.
/** Makes a node of a machine that is not in the settings, with the token of each name: secrets. */
export const joinCommands = joinTokens?.commands ?? null;
/** The same with the first token. */
export const joinCommand = joinCommands?.[settings.joinTokens[0]!.name] ?? null;
/** Where machines find the mirror of binaries and images; nothing where they download them from upstream. */
export const mirror = artifacts.mirrorUrl ?? null;
/** How a Secret begins in etcd. */
export const encryptedPrefix = prefixOf(encryption.keys[0]!);
/** What timeouts are multiplied by on these machines. */
export const timeoutFactor = settings.timeoutFactor;
/** Every machine: its address, its role, and how to open a shell on it. */
export const machines = [
  { role: "load balancer", hosts: loadBalancers },
  { role: "controller", hosts: controllers },
  { role: "worker", hosts: pools.flat() },
].flatMap(({ role, hosts }) =>
  hosts.map(({ machine: { name, address, ssh, secrets } }) => ({
    name,
    address,
    role,
    ssh,
    // Reaching it takes secrets, which are outputs of the host.
    ...(secrets && { secret: true }),
  })),
);
