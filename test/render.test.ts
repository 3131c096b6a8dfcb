import { strict as assert } from "node:assert";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { describeService, type Service } from "../node/description.ts";
import { describeDownloads } from "../node/downloads.ts";
import { parseDescription } from "../operations/plan/description.ts";
import { apiLoadBalancerService } from "../services/api-load-balancer.ts";
import { containerdService } from "../services/containerd.ts";
import { corefile, dnsPodSpec } from "../services/core-dns.ts";
import { etcdService, initialCluster } from "../services/etcd.ts";
import {
  guestKubeProxyFiles,
  guestKubeProxyPodSpec,
  guestNetworkFiles,
  guestNetworkPodSpec,
  guestRoutesService,
} from "../services/guest-nodes.ts";
import { healthProxyService } from "../services/health-proxy.ts";
import { encryptionConfiguration, kubeApiserverService } from "../services/kube-apiserver.ts";
import { kubeControllerManagerService } from "../services/kube-controller-manager.ts";
import { type KubeProxyMode, kubeProxyService } from "../services/kube-proxy.ts";
import { kubeSchedulerService } from "../services/kube-scheduler.ts";
import {
  clusterConfiguration,
  clusterInfo,
  joinCommand,
  joinConfiguration,
} from "../services/kubeadm.ts";
import {
  kubeconfigWithData,
  kubeconfigWithFiles,
  kubeconfigWithToken,
} from "../services/kubeconfig.ts";
import {
  type JoinMode,
  kubeletConfigurationForAll,
  kubeletService,
  type StaticPod,
} from "../services/kubelet.ts";
import { bridgeNetworkService } from "../services/pod-network.ts";
import { commandLine } from "../services/systemd.ts";
import { firstUpdate, stdinOf } from "./support/program.ts";

const controllers = [
  { name: "cp1", address: "10.240.0.11" },
  { name: "cp2", address: "10.240.0.12" },
  { name: "cp3", address: "10.240.0.13" },
];
const kubernetes = "/opt/kthw/kubernetes/1.36.4";
const binaries = {
  containerd: "/opt/kthw/containerd/2.3.4",
  runc: "/opt/kthw/runc/1.4.3",
  cniPlugins: "/opt/kthw/cni-plugins/1.9.1",
};
const pki = "/etc/kubernetes/pki";
const serviceCidr = "10.32.0.0/24";
const server = "https://10.240.0.10:6443";

const token = "0a1b2c.0123456789abcdef";
const joining = { nodeName: "worker1", address: "10.240.0.21", token };

const apiserver = (extraFlags: Record<string, string>, publishesClusterInfo = false) =>
  kubeApiserverService({
    address: "10.240.0.11",
    etcdServers: controllers.map(({ address }) => `https://${address}:2379`),
    binaries: kubernetes,
    serviceCidr,
    serviceAccountIssuer: "https://kubernetes.default.svc.cluster.local",
    publishesClusterInfo,
    trusted: `${pki}/ca.crt`,
    extraFlags,
    adminKubeconfig: kubeconfigWithFiles(
      { cluster: "kubernetes", server: "https://127.0.0.1:6443", user: "kubernetes-admin" },
      { ca: `${pki}/ca.crt`, cert: `${pki}/admin.crt`, key: `${pki}/admin.key` },
    ),
  });
const kubeControllerManager = (nodeCidrs: string | undefined) =>
  kubeControllerManagerService({
    cluster: "kubernetes",
    binaries: kubernetes,
    serviceCidr,
    nodeCidrs,
    trusted: `${pki}/ca.crt`,
    extraFlags: {},
  });
const containerd = (container: boolean) =>
  containerdService({
    binaries,
    pauseImage: "registry.k8s.io/pause:3.10.2",
    systemdCgroup: !container,
    restrictOomScoreAdj: container,
    container,
  });
const kubelet = (
  container: boolean,
  configuration = {},
  staticPods: readonly StaticPod[] = [],
  join: JoinMode = "certificates",
) =>
  kubeletService({
    cluster: "kubernetes",
    server,
    nodeName: "worker1",
    address: "10.240.0.21",
    join,
    binaries: kubernetes,
    crictl: "/opt/kthw/crictl/1.36.0",
    clusterDomain: "cluster.local",
    dnsAddress: "10.32.0.10",
    cgroupVersion: container ? 1 : 2,
    container,
    trusted: "/var/lib/kubelet/pki/ca.crt",
    configuration,
    staticPods,
  });
const kubeProxy = (container: boolean, mode: KubeProxyMode = "iptables") =>
  kubeProxyService({
    cluster: "kubernetes",
    server,
    binaries: kubernetes,
    podCidr: "10.200.0.0/16",
    mode,
    trusted: "/var/lib/kubelet/pki/ca.crt",
    container,
  });

/** Every rendered text by its place in test/golden. A container shares its kernel, and here cgroup v1, with the computer around it. */
const texts: Readonly<Record<string, string>> = {
  ...files(apiLoadBalancerService(controllers)),
  ...files(
    bridgeNetworkService({
      node: { name: "worker1", address: "10.240.0.21", podCidr: "10.200.21.0/24" },
      others: [
        { name: "cp1", address: "10.240.0.11", podCidr: "10.200.11.0/24" },
        { name: "worker2", address: "10.240.0.22", podCidr: "10.200.22.0/24" },
      ],
      podCidr: "10.200.0.0/16",
    }),
  ),
  ...files(
    etcdService({
      member: controllers[0]!,
      members: controllers,
      binaries: "/opt/kthw/etcd/3.6.14",
      generation: 1,
    }),
  ),
  "etcd/founders": `${initialCluster(controllers)}\n`,
  ...files(apiserver({})),
  "kube-apiserver/authentication-with-cluster-info.yaml": apiserver({}, true).files.find(
    ({ path }) => path.endsWith("/authentication.yaml"),
  )!.text,
  "kube-apiserver/encryption.yaml": encryptionConfiguration([
    { name: "key2", secret: "NEW" },
    { name: "key1", secret: "OLD" },
  ]),
  ...files(kubeControllerManager(undefined)),
  ...files(kubeControllerManager("10.200.0.0/16"), "kube-controller-manager-with-guests"),
  ...files(
    kubeSchedulerService({
      cluster: "kubernetes",
      binaries: kubernetes,
      trusted: `${pki}/ca.crt`,
      extraFlags: {},
    }),
  ),
  ...files(healthProxyService({ clusterDomain: "cluster.local" })),
  ...files(containerd(false)),
  ...files(containerd(true), "containerd-in-container"),
  ...files(kubelet(false)),
  ...files(kubelet(true), "kubelet-in-container"),
  ...files(kubelet(false, {}, [], "bootstrapToken"), "kubelet-with-bootstrap-token"),
  "kubelet-with-bootstrap-token/bootstrap-kubelet.conf": kubeconfigWithToken(
    { cluster: "kubernetes", server, user: "kubelet-bootstrap" },
    { ca: "/var/lib/kubelet/pki/ca.crt", token },
  ),
  ...files(kubelet(false, {}, [], "kubeadm"), "kubelet-with-kubeadm"),
  "kubeadm/join-with-token.yaml": joinConfiguration({
    ...joining,
    container: false,
    discovery: { by: "token", endpoint: "10.240.0.10:6443", caCertHashes: ["sha256:5f0b"] },
  }),
  "kubeadm/join-with-file-in-container.yaml": joinConfiguration({
    ...joining,
    container: true,
    discovery: { by: "file" },
  }),
  "kubeadm/join-command": `${joinCommand(kubernetes)}\n`,
  "kubeadm/cluster-info.conf": clusterInfo({ server, ca: "CA" }),
  "kubeadm/cluster-configuration.yaml": clusterConfiguration({
    clusterName: "kubernetes",
    clusterDomain: "cluster.local",
    kubernetesVersion: "1.36.4",
    endpoint: "10.240.0.10:6443",
    serviceCidr,
    podCidr: "10.200.0.0/16",
  }),
  "kubeadm/kubelet-config.yaml": kubeletConfigurationForAll({
    clusterDomain: "cluster.local",
    dnsAddress: "10.32.0.10",
    cgroupVersion: 2,
    container: false,
  }),
  ...files(kubeProxy(false)),
  ...files(kubeProxy(true), "kube-proxy-in-container"),
  ...files(kubeProxy(false, "nftables"), "kube-proxy-nftables"),
  ...files(kubeProxy(false, "ipvs"), "kube-proxy-ipvs"),
  ...files(guestRoutesService({ binaries: kubernetes })),
  ...inFolder("guest-kube-proxy", {
    ...guestKubeProxyFiles({
      cluster: "kubernetes",
      server,
      podCidr: "10.200.0.0/16",
      mode: "iptables",
      container: false,
    }),
    "pod-spec.yaml": stringify(
      guestKubeProxyPodSpec({ image: "registry.k8s.io/kube-proxy:v1.36.4" }),
    ),
  }),
  ...inFolder("guest-pod-network", {
    ...guestNetworkFiles(),
    "pod-spec.yaml": stringify(
      guestNetworkPodSpec({ image: "registry.k8s.io/pause:3.10.2", podCidr: "10.200.0.0/16" }),
    ),
  }),
  "core-dns/Corefile": corefile("cluster.local", []),
  "core-dns/Corefile-with-forwarders": corefile("cluster.local", ["192.0.2.1", "192.0.2.2"]),
  "core-dns/pod-spec.yaml": stringify(
    dnsPodSpec("registry.k8s.io/coredns/coredns:v1.14.2", { "k8s-app": "kube-dns" }),
  ),
  "operator/kubeconfig": kubeconfigWithData(
    { cluster: "kubernetes", server: "https://127.0.0.1:16443", user: "kubernetes-admin" },
    { ca: "CA", cert: "CERT", key: "KEY" },
  ),
  downloads: describeDownloads([
    {
      kind: "binaries",
      name: "kubernetes",
      version: "1.36.4",
      url: "https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubelet",
      sum: "sha256:5bd7",
      members: { "-": "kubelet" },
    },
    {
      kind: "binaries",
      name: "etcd",
      version: "3.6.14",
      url: "https://mirror.example.com/etcd/3.6.14/amd64/etcd.tar.gz",
      sum: "https://mirror.example.com/etcd/3.6.14/amd64/etcd.tar.gz.sha256",
      members: { "etcd-v3.6.14/etcd": "etcd", "etcd-v3.6.14/etcdctl": "etcdctl" },
    },
    {
      kind: "image",
      name: "registry.k8s.io/pause:3.10.2",
      url: "file:///opt/kthw-mirror/images/pause-3.10.2-amd64.tar",
      sum: "sha256:9f1c",
    },
    { kind: "link", path: "/usr/local/bin/kubectl", target: `${kubernetes}/kubectl` },
  ]),
};

const golden = new URL("./golden/", import.meta.url);
const update = process.env.UPDATE_GOLDEN !== undefined;

describe("rendered texts", () => {
  for (const [name, text] of Object.entries(texts))
    it(`are as in golden/${name}`, () => {
      const file = new URL(name, golden);
      if (update) {
        mkdirSync(new URL(".", file), { recursive: true });
        writeFileSync(file, text);
      }
      assert.equal(text, readFileSync(file, "utf8"));
    });

  it("are all that lies in golden", () => {
    const found = readdirSync(golden, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(golden.pathname, path.join(entry.parentPath, entry.name)));
    const superfluous = found.filter((name) => !(name in texts));
    if (update) for (const name of superfluous) rmSync(new URL(name, golden));
    else assert.deepEqual(superfluous, []);
  });

  it("are all that the program places as a service", async () => {
    const { graph } = await firstUpdate();
    for (const command of graph.commands()) {
      const [, service] = /^service (.+)\n/.exec(stdinOf(command)) ?? [];
      if (service === undefined) continue;
      for (const file of parseDescription(stdinOf(command)).files)
        assert.ok(`${service}/${nameOf(file)}` in texts, `${service}: ${file.path}`);
    }
  });
});

describe("flags of a service", () => {
  it("are ours in our order, with the operator's in their place or behind them", () => {
    const flags = (service: Service) => [...service.files[0]!.text.matchAll(/--(\S+)=(\S+)/g)];
    const ours = flags(apiserver({}));
    const theirs = flags(apiserver({ "event-ttl": "2h", profiling: "true" }));
    assert.deepEqual(
      theirs.map(([, flag]) => flag),
      [...ours.map(([, flag]) => flag), "event-ttl"],
    );
    assert.deepEqual(
      theirs.filter(([text]) => !ours.some(([our]) => our === text)).map(([text]) => text),
      ["--profiling=true", "--event-ttl=2h"],
    );
  });
  it("are not taken for systemd's specifiers", () => {
    assert.equal(
      commandLine("/bin/x", { format: "%n of 100%" }),
      '/bin/x \\\n  "--format=%%n of 100%%"',
    );
  });
});

describe("ranges for the pods of Nodes that have none", () => {
  it("are as large as fits what is left of the range of all pods", () => {
    const mask = (range: string) =>
      /--node-cidr-mask-size=(\d+)/.exec(kubeControllerManager(range).files[0]!.text)?.[1];
    for (const [range, expected] of [
      ["10.0.0.0/7", "23"],
      ["10.0.0.0/8", "24"],
      ["10.200.0.0/16", "24"],
      ["10.200.0.0/23", "24"],
      ["10.200.0.0/24", "25"],
      ["10.200.0.0/26", "26"],
    ] as const)
      assert.equal(mask(range), expected, range);
  });
});

describe("a static pod", () => {
  it("is a file that the kubelet reads anew, for root alone", () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "registry" },
      spec: { containers: [{ name: "registry", image: "registry.example.com/registry:3" }] },
    };
    const before = kubelet(false);
    const { files, ...service } = kubelet(false, {}, [pod]);
    assert.deepEqual({ ...service, files: files.slice(0, -1) }, before);
    assert.deepEqual(files.at(-1), {
      path: "/etc/kubernetes/manifests/registry.yaml",
      mode: "0600",
      live: true,
      text: `apiVersion: v1
kind: Pod
metadata:
  name: registry
spec:
  containers:
    - name: registry
      image: registry.example.com/registry:3
`,
    });
  });
});

describe("a kubelet's configuration", () => {
  it("is ours with the operator's laid over it", () => {
    const lines = (service: Service) => service.files[1]!.text.split("\n");
    const [ours, theirs] = [
      kubelet(false),
      kubelet(false, { readOnlyPort: 10255, maxPods: 50 }),
    ].map(lines);
    assert.deepEqual(
      theirs!.filter((line) => !ours!.includes(line)),
      ["readOnlyPort: 10255", "maxPods: 50"],
    );
    assert.deepEqual(
      ours!.filter((line) => !theirs!.includes(line)),
      ["readOnlyPort: 0"],
    );
  });
});

function inFolder(folder: string, texts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [`${folder}/${name}`, text]),
  );
}

/** A service's files by their names, and the lines above them. */
function files(service: Service, folder = service.name): Record<string, string> {
  const headers = describeService(service).replaceAll(/^(?: {2}.*)?\n/gm, "");
  const texts = service.files.map((file) => [`${folder}/${nameOf(file)}`, file.text]);
  assert.equal(new Set(texts.map(([name]) => name)).size, texts.length, folder);
  return { [`${folder}/description`]: headers, ...Object.fromEntries(texts) };
}

/** A file's name in its service's folder. */
function nameOf({ path: placed, mode }: { readonly path: string; readonly mode?: string }): string {
  return `${path.basename(placed)}${mode === "0755" ? ".sh" : ""}`;
}
