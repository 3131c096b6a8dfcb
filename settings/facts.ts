import { versionsOf } from "../components/versions.ts";
import { networks } from "../networks/networks.ts";
import type { MachineTraits } from "../node/machine.ts";
import {
  type ClusterFacts,
  type Endpoint,
  type NodeFacts,
  serverUrl,
} from "../services/cluster-facts.ts";
import { isProxied } from "../services/proxy.ts";
import { registryFiles } from "../services/registries.ts";
import { frozen } from "./frozen.ts";
import { nthAddress, parseCidr } from "./ipv4.ts";
import type { Settings } from "./settings.ts";

/** The controllers or a pool of workers: machines that share labels, taints and `maxUnavailable`. */
export interface NodeGroup extends Omit<Settings["workerPools"][number], "machines"> {
  readonly nodes: readonly NodeFacts[];
}

/** The facts about the cluster that the settings describe and whose API is at the endpoint; deeply frozen, like the settings. */
export function clusterFacts(settings: Settings, endpoint: Endpoint): ClusterFacts {
  const { folders, images } = versionsOf(settings.kubernetesVersion);
  const joinsByKubeadm = settings.workerPools.some(({ join }) => join === "kubeadm");
  const admitsGuests = settings.joinTokens.length > 0;
  const { generation, ...etcd } = settings.etcd;
  return frozen<ClusterFacts>({
    clusterName: settings.clusterName,
    clusterDomain: settings.clusterDomain,
    kubernetesVersion: settings.kubernetesVersion,
    machineCidr: settings.machineCidr,
    podCidr: settings.podCidr,
    rangePerNode: networks[settings.network].rangePerMachine,
    serviceCidr: settings.serviceCidr,
    serviceAddress: nthAddress(parseCidr(settings.serviceCidr)!, 1),
    dnsAddress: settings.dnsAddress,
    endpoint,
    server: serverUrl(endpoint.fromMachines),
    loadBalancers: settings.loadBalancers,
    sharedAddress: settings.endpoint?.address,
    controllers: settings.controllers,
    nodes: [settings.controllers, ...settings.workerPools.map(({ machines }) => machines)].flat(),
    trustFile: settings.certificates.authorities[0]?.issuerChainPem.length
      ? "ca-bundle.crt"
      : "ca.crt",
    turns: settings.certificates.turns,
    folders,
    images,
    etcdGeneration: generation,
    etcd,
    kubeProxyMode: settings.kubeProxy.mode,
    admitsGuests,
    publishesClusterInfo: joinsByKubeadm || admitsGuests,
    healthProxy: settings.controllerHealthProxy,
    isProxied: isProxied(settings.proxy),
    registryFiles: settings.registries.flatMap(registryFiles).map(({ path }) => path),
    timeoutFactor: settings.timeoutFactor,
    apiServer: {
      certificateNames: settings.apiServer.certificateNames,
      jwt: settings.apiServer.jwt,
      auditPolicy: settings.apiServer.auditPolicy,
      admissionConfiguration: settings.apiServer.admissionConfiguration,
      webhooks: Object.keys(settings.apiServer.webhooks),
    },
    apiServerFlags: settings.apiServer.extraFlags,
    controllerManagerFlags: settings.controllerManager.extraFlags,
    schedulerFlags: settings.scheduler.extraFlags,
  });
}

/** The groups of machines that run pods, the controllers first. */
export function nodeGroups(settings: Settings, traits: MachineTraits): NodeGroup[] {
  const controllers = {
    name: "controllers",
    role: "controller",
    machines: settings.controllers,
    labels: settings.controllerLabels,
    taints: settings.controllerTaints,
    staticPods: settings.controllerStaticPods,
    maxUnavailable: 1,
    join: "certificates",
    discovery: "token",
  } as const;
  const workers = settings.workerPools.map((pool) => ({ ...pool, role: "worker" }) as const);
  return [controllers, ...workers].map(({ machines, ...group }) => ({
    ...group,
    nodes: machines.map((machine) => ({ ...group, ...machine, traits })),
  }));
}
