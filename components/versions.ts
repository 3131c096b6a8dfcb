/** A machine's architecture, in the words of Go and of every download below. */
export type Architecture = "amd64" | "arm64";

/** One file to download: a binary, or an archive of binaries. */
export interface Artifact {
  /** Folder of its binaries on a machine: /opt/kthw/<name>/<version>/. */
  readonly name: string;
  readonly version: string;
  /** The URL at which upstream publishes the file. */
  readonly url: string;
  /** The path in a mirror: <name>/<version>/<architecture>/<file name of upstream>. */
  readonly file: string;
  /** Upstream's checksum, in hex; undefined if only `sha256Url` has the checksum. */
  readonly sha256: string | undefined;
  /** Upstream's checksum file, given where `sha256` is not known: the bare sum in hex, or lines of sums and file names. */
  readonly sha256Url?: string;
  /** An archive's binaries: path in the archive (tar.gz) to file name on the machine. */
  readonly members?: Readonly<Record<string, string>>;
  /** The file name on the machine of a download that is no archive. */
  readonly binary?: string;
}

/** One container image. */
export interface Image {
  /** The full reference, such as registry.k8s.io/pause:3.10.2. */
  readonly name: string;
  /** The path in a mirror of the image's archive (OCI layout in a tar), for `ctr images import`. */
  readonly file: string;
}

/**
 * The versions that are installed together with each supported version of Kubernetes, the newest first. Those of a new version are
 * what that version's build/dependencies.yaml names, and the newest patch of etcd.
 */
export const kubernetesVersions = {
  "1.37.2": {
    etcd: "3.7.3",
    containerd: "2.3.4",
    runc: "1.4.3",
    cniPlugins: "1.9.1",
    crictl: "1.36.0",
    coredns: "1.14.6",
    pause: "3.10.2",
    agnhost: "2.66.1",
  },
  "1.36.4": {
    etcd: "3.6.14",
    containerd: "2.3.4",
    runc: "1.4.3",
    cniPlugins: "1.9.1",
    crictl: "1.36.0",
    coredns: "1.14.2",
    pause: "3.10.2",
    agnhost: "2.63.0",
  },
  "1.36.3": {
    etcd: "3.6.14",
    containerd: "2.3.4",
    runc: "1.4.3",
    cniPlugins: "1.9.1",
    crictl: "1.36.0",
    coredns: "1.14.2",
    pause: "3.10.2",
    agnhost: "2.63.0",
  },
} as const;

/** A supported version of Kubernetes. */
export type KubernetesVersion = keyof typeof kubernetesVersions;

/** The version of Kubernetes that new clusters get by default: the one for which every checksum that upstream lists is pinned. */
export const defaultKubernetesVersion = "1.36.4" satisfies KubernetesVersion;

/** Whether a text is a supported version. */
export function isSupported(version: string): version is KubernetesVersion {
  return Object.hasOwn(kubernetesVersions, version);
}

/** Compares versions, the older first. */
export const { compare: oldestFirst } = new Intl.Collator("en", { numeric: true });

/** The minor version, such as 1.36. */
export function minorOf(version: string): string {
  return version.replace(/\.\d+$/, "");
}

/**
 * Upstream's checksums, by name and version. The sums of kube-apiserver, kube-controller-manager, kube-scheduler and kube-proxy, and
 * those of Kubernetes 1.37 and etcd 3.7, are in no list that could be read when this table was made, so these files are verified
 * against the checksum file that lies beside each of them.
 */
const checksums: Readonly<Record<string, Readonly<Record<Architecture, string>>>> = {
  "kubeadm 1.36.4": {
    amd64: "10d054585907f2c8bb823c84f6a66b3bd2a474c3d795475f04e9a44f78650fe6",
    arm64: "6a849c07d3e1c708f5c40f1ac8be03a56124204dfc7e1931e4113634019c0dad",
  },
  "kubeadm 1.36.3": {
    amd64: "bba1733c701bf70ec74ba1cc3fd5745404c1134a8a4b0a5f8560cc9832023421",
    arm64: "276cfbdc43b10fef663288cc1ed76abf77b1b7f700e9f1c053cb5dc3115484de",
  },
  "kubectl 1.36.4": {
    amd64: "8b8f088da2dab964f853b38464033b1be15ede2839eca751482357c45abdd05a",
    arm64: "0ecf44450ee6063bf19dd166a103ee6df4a9034455c2abce626e6eea657d73fb",
  },
  "kubectl 1.36.3": {
    amd64: "ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336",
    arm64: "3d86f24401c41ae5a46ac50eef8865fe891d3647d324a0836f6c63757a126e62",
  },
  "kubelet 1.36.4": {
    amd64: "cf2562db46c48ab84cc3791540778ee7fb1a0a008529adbb434723dd02ed8b4b",
    arm64: "fd53ea3fcbd077844f50a3c67e9b52f62972a563674956bab0c0f4fb7ea37d50",
  },
  "kubelet 1.36.3": {
    amd64: "46707a53209f826ad0f0d62371ac69cd00e78fd9a8176cf5f6f87f18f7f8b718",
    arm64: "57205a5daf5883873d87b4914e1e00bdd7707acd075714788cfb0fc1f60bc414",
  },
  "etcd 3.6.14": {
    amd64: "ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5",
    arm64: "fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e",
  },
  "containerd 2.3.4": {
    amd64: "9d68969855fbf676cdb8ed758e420fb048d61f984f61de3e53eddfebe484d168",
    arm64: "a985fbb7e18fc0362d31a055338f5d7b0e087a3e27f14c70d1c5965399a29f95",
  },
  "runc 1.4.3": {
    amd64: "f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60",
    arm64: "633301e2e32f8a5ad54031aab4901eb00308bec677dd15faa2751e8f9dab5ca4",
  },
  "cni-plugins 1.9.1": {
    amd64: "b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303",
    arm64: "56171987d3947707c3563db2f4001bccaf50fd63468611b9f3cbecb1375ee7ec",
  },
  "crictl 1.36.0": {
    amd64: "83855e114566a8a8c44c548d515670f51de3a5e1da8b2effb59870e2f10c25a3",
    arm64: "68328594ccf780a80ae2b092d9f6ce484eec7cf540c275242e8fd954bfd95332",
  },
};

/** All artifacts that a machine may install for a version of Kubernetes, by their upstream names. */
export function artifacts(kubernetesVersion: KubernetesVersion, architecture: Architecture) {
  const versions = kubernetesVersions[kubernetesVersion];
  const linux = `linux-${architecture}`;

  const artifact = (
    name: string,
    version: string,
    url: string,
    content: { members: Readonly<Record<string, string>> } | { binary: string },
    sums = `${url}.sha256`,
  ): Artifact => {
    const product = "binary" in content ? content.binary : name;
    const sha256 = checksums[`${product} ${version}`]?.[architecture];
    return {
      name,
      version,
      url,
      file: `${name}/${version}/${architecture}/${url.slice(url.lastIndexOf("/") + 1)}`,
      sha256,
      ...(sha256 === undefined && { sha256Url: sums }),
      ...content,
    };
  };
  const kubernetes = (binary: string) =>
    artifact(
      "kubernetes",
      kubernetesVersion,
      `https://dl.k8s.io/release/v${kubernetesVersion}/bin/linux/${architecture}/${binary}`,
      { binary },
    );
  const release = (repository: string, version: string, file: string) =>
    `https://github.com/${repository}/releases/download/v${version}/${file}`;
  const { etcd, containerd, runc, cniPlugins, crictl } = versions;

  return {
    "kube-apiserver": kubernetes("kube-apiserver"),
    "kube-controller-manager": kubernetes("kube-controller-manager"),
    "kube-scheduler": kubernetes("kube-scheduler"),
    kubelet: kubernetes("kubelet"),
    "kube-proxy": kubernetes("kube-proxy"),
    kubeadm: kubernetes("kubeadm"),
    kubectl: kubernetes("kubectl"),
    etcd: artifact(
      "etcd",
      etcd,
      release("etcd-io/etcd", etcd, `etcd-v${etcd}-${linux}.tar.gz`),
      { members: members(`etcd-v${etcd}-${linux}/`, ["etcd", "etcdctl", "etcdutl"]) },
      release("etcd-io/etcd", etcd, "SHA256SUMS"),
    ),
    containerd: artifact(
      "containerd",
      containerd,
      release("containerd/containerd", containerd, `containerd-${containerd}-${linux}.tar.gz`),
      { members: members("bin/", ["containerd", "containerd-shim-runc-v2", "ctr"]) },
    ),
    runc: artifact("runc", runc, release("opencontainers/runc", runc, `runc.${architecture}`), {
      binary: "runc",
    }),
    "cni-plugins": artifact(
      "cni-plugins",
      cniPlugins,
      release("containernetworking/plugins", cniPlugins, `cni-plugins-${linux}-v${cniPlugins}.tgz`),
      {
        members: members("./", [
          "bandwidth",
          "bridge",
          "firewall",
          "host-local",
          "loopback",
          "portmap",
        ]),
      },
    ),
    crictl: artifact(
      "crictl",
      crictl,
      release("kubernetes-sigs/cri-tools", crictl, `crictl-v${crictl}-${linux}.tar.gz`),
      { members: members("", ["crictl"]) },
    ),
  } satisfies Record<string, Artifact>;
}

/** The upstream name of an artifact, such as kubelet or cni-plugins. */
export type ArtifactName = keyof ReturnType<typeof artifacts>;

/** The container images that a cluster itself runs. */
export function images(kubernetesVersion: KubernetesVersion, architecture: Architecture) {
  const { coredns, pause } = kubernetesVersions[kubernetesVersion];
  return {
    coredns: image("coredns/coredns", `v${coredns}`, architecture),
    pause: image("pause", pause, architecture),
  } satisfies Record<string, Image>;
}

/** The container images that only machines outside the settings run; such machines pull the images themselves. */
export function guestImages(kubernetesVersion: KubernetesVersion, architecture: Architecture) {
  return {
    kubeProxy: image("kube-proxy", `v${kubernetesVersion}`, architecture),
  } satisfies Record<string, Image>;
}

/** Kubernetes' own test image, for the smoke test and the live tests. */
export function testImages(kubernetesVersion: KubernetesVersion, architecture: Architecture) {
  const { agnhost } = kubernetesVersions[kubernetesVersion];
  return {
    agnhost: image("e2e-test-images/agnhost", agnhost, architecture),
  } satisfies Record<string, Image>;
}

function members(folder: string, binaries: readonly string[]): Record<string, string> {
  return Object.fromEntries(binaries.map((binary) => [folder + binary, binary]));
}

function image(repository: string, tag: string, architecture: Architecture): Image {
  const product = repository.slice(repository.lastIndexOf("/") + 1);
  return {
    name: `registry.k8s.io/${repository}:${tag}`,
    file: `images/${product}-${tag}-${architecture}.tar`,
  };
}

/** The folder of an artifact's binaries on a machine. */
export function folder({
  name,
  version,
}: {
  readonly name: string;
  readonly version: string;
}): string {
  return `/opt/kthw/${name}/${version}`;
}

/** The folders and images that units and pods name, for one version of Kubernetes. */
export function versionsOf(version: KubernetesVersion) {
  const versions = kubernetesVersions[version];
  const { coredns, pause } = images(version, "amd64");
  const { kubeProxy } = guestImages(version, "amd64");
  return {
    folders: {
      kubernetes: folder({ name: "kubernetes", version }),
      etcd: folder({ name: "etcd", version: versions.etcd }),
      containerd: folder({ name: "containerd", version: versions.containerd }),
      runc: folder({ name: "runc", version: versions.runc }),
      cniPlugins: folder({ name: "cni-plugins", version: versions.cniPlugins }),
      crictl: folder({ name: "crictl", version: versions.crictl }),
    },
    images: { coredns: coredns.name, kubeProxy: kubeProxy.name, pause: pause.name },
  };
}
