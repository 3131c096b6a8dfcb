import { strict as assert } from "node:assert";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stringify } from "yaml";
import { guestNetworkFiles, guestNetworkPodSpec, guestRoutes } from "../networks/bridge/guests.ts";
import { bridgeNetwork } from "../networks/bridge/service.ts";
import { weavePodSpec } from "../networks/weave/manifests.ts";
import { weaveService } from "../networks/weave/service.ts";
import { describeService } from "../node/description.ts";
import { describeDownloads } from "../node/downloads.ts";
import { apiLoadBalancer } from "../services/api-load-balancer.ts";
import { containerd } from "../services/containerd.ts";
import { corefile, dnsPodSpec } from "../services/core-dns.ts";
import { encryptionConfiguration } from "../services/encryption-keys.ts";
import { etcd, initialCluster } from "../services/etcd.ts";
import { guestKubeProxyFiles, guestKubeProxyPodSpec } from "../services/guest-nodes.ts";
import { healthProxy } from "../services/health-proxy.ts";
import { kernelCheck } from "../services/kernel.ts";
import { kubeApiserver } from "../services/kube-apiserver.ts";
import { kubeControllerManager } from "../services/kube-controller-manager.ts";
import { kubeProxy } from "../services/kube-proxy.ts";
import { kubeScheduler } from "../services/kube-scheduler.ts";
import {
  clusterConfiguration,
  clusterInfo,
  joinCommand,
  joinConfiguration,
} from "../services/kubeadm.ts";
import { kubeconfigWithData, kubeconfigWithToken } from "../services/kubeconfig.ts";
import { kubelet, kubeletConfigurationForAll } from "../services/kubelet.ts";
import { proxyVariables } from "../services/proxy.ts";
import { type Registry, registryFiles } from "../services/registries.ts";
import { placed, type Service } from "../services/service.ts";
import { sharedAddress } from "../services/shared-address.ts";
import { commandLine } from "../services/systemd.ts";
import { metaData, networkConfig, userData } from "../stacks/cloud-init.ts";
import { domainXslt } from "../stacks/libvirt/domain-xslt.ts";
import {
  cluster,
  container,
  controllers,
  facts,
  machine,
  server,
  worker,
} from "./support/facts.ts";
import { describedBy, firstUpdate } from "./support/program.ts";

const twoLoadBalancers = cluster({
  loadBalancers: [...facts.loadBalancers, { name: "lb2", address: "10.240.0.9" }],
  sharedAddress: "10.240.0.5",
});
const weave = { fastDatapath: true, imageDigests: {} };
const token = "0a1b2c.0123456789abcdef";

/** Every rendered text by its place in test/golden. A container shares its kernel, and here cgroup v1, with the computer around it. */
const texts: Readonly<Record<string, string>> = {
  ...files(apiLoadBalancer(facts)),
  ...files(sharedAddress(twoLoadBalancers, twoLoadBalancers.loadBalancers[0]!)),
  ...files(bridgeNetwork(facts, worker())),
  ...files(weaveService(facts, weave), "pod-network-weave"),
  "pod-network-weave/pod-spec.yaml": stringify(weavePodSpec(facts, weave)),
  "pod-network-weave/kernel-check.sh": `${kernelCheck([weaveService(facts, weave)])}\n`,
  ...files(etcd(facts, controllers[0]!)),
  "etcd/founders": `${initialCluster(controllers)}\n`,
  ...files(kubeApiserver(facts, controllers[0]!)),
  "kube-apiserver/authentication-with-cluster-info.yaml": kubeApiserver(
    cluster({ publishesClusterInfo: true }),
    controllers[0]!,
  ).files.find(({ path }) => path.endsWith("/authentication.yaml"))!.text,
  ...files(
    kubeApiserver(
      cluster({
        apiServer: {
          certificateNames: ["api.example.com"],
          jwt: [
            {
              issuer: {
                url: "https://login.example.com/realms/company",
                certificateAuthority: "CERTIFICATE\n",
                audiences: ["kubernetes"],
              },
              claimMappings: {
                username: { claim: "preferred_username", prefix: "oidc:" },
                groups: { claim: "groups", prefix: "oidc:" },
              },
              userValidationRules: [{ expression: "!user.username.startsWith('system:')" }],
            },
          ],
          auditPolicy: {
            apiVersion: "audit.k8s.io/v1",
            kind: "Policy",
            rules: [{ level: "Metadata" }],
          },
          admissionConfiguration: {
            apiVersion: "apiserver.config.k8s.io/v1",
            kind: "AdmissionConfiguration",
            plugins: [
              { name: "PodSecurity", configuration: { defaults: { enforce: "baseline" } } },
            ],
          },
          webhooks: ["audit"],
        },
        apiServerFlags: {
          "audit-webhook-config-file": "/etc/kubernetes/webhooks/audit.conf",
          "service-account-issuer": ["https://new.example.com", "https://former.example.com"],
        },
      }),
      controllers[0]!,
    ),
    "kube-apiserver-in-company",
  ),
  "kube-apiserver/encryption.yaml": encryptionConfiguration(
    { keys: [{ name: "key1", provider: "aescbc" }], number: 0 },
    ["KEY"],
  ),
  "kube-apiserver/encryption-after-steps.yaml": encryptionConfiguration(
    {
      keys: [
        { name: "key2", provider: "secretbox" },
        { name: "key1", provider: "aescbc" },
      ],
      number: 2,
    },
    ["NEW", "OLD"],
  ),
  ...files(kubeControllerManager(facts)),
  ...files(
    kubeControllerManager(cluster({ admitsGuests: true })),
    "kube-controller-manager-with-guests",
  ),
  ...files(kubeScheduler(facts)),
  ...files(healthProxy(facts)),
  ...files(containerd(facts, worker())),
  ...files(containerd(facts, worker({ traits: container })), "containerd-in-container"),
  ...files(
    containerd(
      cluster({
        isProxied: true,
        registryFiles: ["/etc/containerd/certs.d/registry.example.com/hosts.toml"],
      }),
      worker(),
    ),
    "containerd-behind-proxy",
  ),
  "proxy/proxy.env": proxyVariables(
    facts,
    {
      http: "http://proxy.example.com:3128",
      https: "http://machine:pass%40word@proxy.example.com:3128",
      noProxy: [".example.com", "192.0.2.0/24"],
    },
    "RANDOM",
  ),
  ...inFolder("registries", {
    ...filesOf({
      host: "registry.example.com",
      username: "robot",
      password: "PASSWORD",
      authority: "CERTIFICATES\n",
      mirrors: [],
    }),
    ...filesOf({
      host: "docker.io",
      mirrors: [
        {
          url: "https://mirror.example.com/v2/docker.io",
          username: "robot",
          password: "PASSWORD",
          authority: "CERTIFICATES\n",
        },
        { url: "http://10.240.0.5:5000" },
      ],
    }),
  }),
  ...files(kubelet(facts, worker())),
  ...files(kubelet(facts, worker({ traits: container })), "kubelet-in-container"),
  "kubelet-with-delayed-shutdown/description": files(
    kubelet(facts, worker({ kubelet: { shutdownGracePeriod: "30s" } })),
  )["kubelet/description"]!,
  ...files(kubelet(facts, worker({ join: "bootstrapToken" })), "kubelet-with-bootstrap-token"),
  "kubelet-with-bootstrap-token/bootstrap-kubelet.conf": kubeconfigWithToken(
    { cluster: "kubernetes", server, user: "kubelet-bootstrap" },
    { ca: "/var/lib/kubelet/pki/ca.crt", token },
  ),
  ...files(kubelet(facts, worker({ join: "kubeadm" })), "kubelet-with-kubeadm"),
  "kubeadm/join-with-token.yaml": joinConfiguration(facts, worker(), {
    token,
    caCertHashes: ["sha256:5f0b"],
  }),
  "kubeadm/join-with-file-in-container.yaml": joinConfiguration(
    facts,
    worker({ traits: container, discovery: "file" }),
    { token, caCertHashes: [] },
  ),
  "kubeadm/join-command": `${joinCommand(facts.folders.kubernetes)}\n`,
  "kubeadm/cluster-info.conf": clusterInfo({ server, ca: "CA" }),
  "kubeadm/cluster-configuration.yaml": clusterConfiguration(facts),
  "kubeadm/kubelet-config.yaml": kubeletConfigurationForAll(facts, machine),
  ...files(kubeProxy(facts, worker())),
  ...files(kubeProxy(facts, worker({ traits: container })), "kube-proxy-in-container"),
  ...files(kubeProxy(cluster({ kubeProxyMode: "nftables" }), worker()), "kube-proxy-nftables"),
  ...files(kubeProxy(cluster({ kubeProxyMode: "ipvs" }), worker()), "kube-proxy-ipvs"),
  ...files(guestRoutes(facts)),
  ...inFolder("guest-kube-proxy", {
    ...guestKubeProxyFiles(facts, machine),
    "pod-spec.yaml": stringify(guestKubeProxyPodSpec(facts)),
  }),
  ...inFolder("guest-pod-network", {
    ...guestNetworkFiles(),
    "pod-spec.yaml": stringify(guestNetworkPodSpec(facts)),
  }),
  "core-dns/Corefile": corefile("cluster.local", []),
  "core-dns/Corefile-with-forwarders": corefile("cluster.local", ["192.0.2.1", "192.0.2.2"]),
  "core-dns/pod-spec.yaml": stringify(
    dnsPodSpec("registry.k8s.io/coredns/coredns:v1.14.2", { "k8s-app": "kube-dns" }),
  ),
  ...inFolder("cloud-init", {
    "user-data": userData({
      name: "cp1",
      hostKey: { privateKey: "PRIVATE\nKEY\n", publicKey: "ssh-ed25519 PUBLIC\n" },
      operatorKey: "ssh-ed25519 OPERATOR me\n",
      machines: [...facts.loadBalancers, ...controllers],
    }),
    "meta-data": metaData("kthw-dev-cp1-1", "cp1"),
    "network-config": networkConfig({
      mac: "52:54:00:f0:00:0b",
      address: "10.240.0.11/24",
      gateway: "10.240.0.1",
      nameServers: ["10.240.0.1"],
    }),
  }),
  "libvirt/domain.xsl": domainXslt(
    "/var/lib/libvirt/images/kthw-dev",
    "/var/log/libvirt/qemu/kthw-dev-cp1-console.log",
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
    { kind: "link", path: "/usr/local/bin/kubectl", target: `${facts.folders.kubernetes}/kubectl` },
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
      const service = describedBy(command);
      if (service?.kind !== "service") continue;
      for (const file of service.files)
        assert.ok(`${service.name}/${nameOf(file)}` in texts, `${service.name}: ${file.path}`);
    }
  });
});

describe("flags of a service", () => {
  it("are ours in our order, with the operator's in their place or behind them", () => {
    const flags = (service: Service) => [...service.files[0]!.text.matchAll(/--(\S+)=(\S+)/g)];
    const ours = flags(kubeApiserver(facts, controllers[0]!));
    const theirs = flags(
      kubeApiserver(
        cluster({ apiServerFlags: { "event-ttl": "2h", profiling: "true" } }),
        controllers[0]!,
      ),
    );
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
      /--node-cidr-mask-size=(\d+)/.exec(
        kubeControllerManager(cluster({ admitsGuests: true, podCidr: range })).files[0]!.text,
      )?.[1];
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
    const before = kubelet(facts, worker());
    const { files, ...service } = kubelet(facts, worker({ staticPods: [pod] }));
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
      kubelet(facts, worker()),
      kubelet(facts, worker({ kubelet: { readOnlyPort: 10255, maxPods: 50 } })),
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

/** A registry's files by their names below containerd's folder of registries. */
function filesOf(registry: Registry): Record<string, string> {
  return Object.fromEntries(
    registryFiles(registry).map(({ path, text }) => [
      path.replace("/etc/containerd/certs.d/", ""),
      text,
    ]),
  );
}

/** A service's files by their names, and the lines above them. */
function files(service: Service, folder = service.name): Record<string, string> {
  const headers = describeService(placed(service)).replaceAll(/^(?: {2}.*)?\n/gm, "");
  const texts = service.files.map((file) => [`${folder}/${nameOf(file)}`, file.text]);
  assert.equal(new Set(texts.map(([name]) => name)).size, texts.length, folder);
  return { [`${folder}/description`]: headers, ...Object.fromEntries(texts) };
}

/** A file's name in its service's folder. */
function nameOf({ path: placed, mode }: { readonly path: string; readonly mode?: string }): string {
  return `${path.basename(placed)}${mode === "0755" ? ".sh" : ""}`;
}
