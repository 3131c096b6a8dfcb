import { noTurn } from "../../components/rotation.ts";
import { versionsOf } from "../../components/versions.ts";
import type { ClusterFacts, NodeFacts } from "../../services/cluster-facts.ts";

export const server = "https://10.240.0.10:6443";
const endpoint = { host: "10.240.0.10", port: 6443 };
export const controllers = [
  { name: "cp1", address: "10.240.0.11" },
  { name: "cp2", address: "10.240.0.12" },
  { name: "cp3", address: "10.240.0.13" },
];

/** Facts of a small cluster, but for some. */
export const cluster = (differing: Partial<ClusterFacts> = {}): ClusterFacts => ({
  ...versionsOf("1.36.4"),
  clusterName: "kubernetes",
  clusterDomain: "cluster.local",
  kubernetesVersion: "1.36.4",
  machineCidr: "10.240.0.0/24",
  podCidr: "10.200.0.0/16",
  serviceCidr: "10.32.0.0/24",
  serviceAddress: "10.32.0.1",
  dnsAddress: "10.32.0.10",
  endpoint: { fromMachines: endpoint, fromOperator: { host: "127.0.0.1", port: 16443 } },
  server,
  loadBalancers: [{ name: "lb", address: "10.240.0.10" }],
  controllers,
  rangePerNode: true,
  nodes: [
    { name: "cp1", address: "10.240.0.11", podCidr: "10.200.11.0/24" },
    { name: "worker1", address: "10.240.0.21", podCidr: "10.200.21.0/24" },
    { name: "worker2", address: "10.240.0.22", podCidr: "10.200.22.0/24" },
  ],
  trustFile: "ca.crt",
  turns: {
    kubernetesCa: noTurn,
    etcdCa: noTurn,
    frontProxyCa: noTurn,
    serviceAccountKey: noTurn,
  },
  etcdGeneration: 1,
  etcd: {
    quotaMiB: 2048,
    compactionHours: 8,
    backup: { enabled: true, intervalHours: 6, keep: 8 },
    defragmentation: { enabled: true, intervalHours: 24, freePercent: 45 },
  },
  kubeProxyMode: "iptables",
  admitsGuests: false,
  publishesClusterInfo: false,
  healthProxy: true,
  isProxied: false,
  registryFiles: [],
  timeoutFactor: 1,
  apiServer: { certificateNames: [], jwt: [], webhooks: [] },
  apiServerFlags: {},
  controllerManagerFlags: {},
  schedulerFlags: {},
  ...differing,
});
export const facts = cluster();
/** Traits of a machine with a kernel of its own. */
export const machine = { cgroupVersion: 2, container: false, restrictOomScoreAdj: false } as const;
/** Traits of a machine that shares its kernel, and here cgroup v1, with the computer around it. */
export const container = { cgroupVersion: 1, container: true, restrictOomScoreAdj: true } as const;
/** A worker, but for some facts. */
export const worker = (differing: Partial<NodeFacts> = {}): NodeFacts => ({
  name: "worker1",
  address: "10.240.0.21",
  podCidr: "10.200.21.0/24",
  role: "worker",
  traits: machine,
  join: "certificates",
  discovery: "token",
  kubelet: {},
  staticPods: [],
  ...differing,
});
