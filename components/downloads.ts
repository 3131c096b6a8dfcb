import type { Download } from "../node/downloads.ts";
import {
  type Architecture,
  type Artifact,
  type ArtifactName,
  artifacts,
  guestImages,
  type Image,
  images,
  type KubernetesVersion,
  kubernetesVersions,
} from "./versions.ts";

/** Where machines download from: a mirror with checksums of its own, or upstream. */
export interface ArtifactSource {
  /** The mirror's address as the machines reach it; undefined for upstream. */
  readonly mirrorUrl: string | undefined;
  /** SHA-256 in hex by path in the mirror. */
  readonly sums: ReadonlyMap<string, string>;
}

/** What a machine is used for. */
export type Role = "loadBalancer" | "controller" | "worker";

const nodeBinaries: readonly ArtifactName[] = [
  "containerd",
  "runc",
  "cni-plugins",
  "crictl",
  "kubelet",
  "kube-proxy",
  "kubectl",
];
const binariesOf: Readonly<Record<Role, readonly ArtifactName[]>> = {
  loadBalancer: [],
  controller: [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    ...nodeBinaries,
  ],
  worker: nodeBinaries,
};
const operatorCommands: readonly ArtifactName[] = ["kubectl", "crictl", "kubeadm"];

/** The folder of an artifact's binaries on a machine. */
function folder({ name, version }: { readonly name: string; readonly version: string }): string {
  return `/opt/kthw/${name}/${version}`;
}

/** Paths and images that units and pods name, for one version of Kubernetes. */
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

/** Files of a mirror that a cluster needs. */
export function mirrorFiles(version: KubernetesVersion, architecture: Architecture): string[] {
  const all = artifacts(version, architecture);
  const used = new Set([...Object.values(binariesOf).flat(), "kubeadm" as const]);
  return [
    ...[...used].map((name) => all[name].file),
    ...Object.values(images(version, architecture)).map((image) => image.file),
  ];
}

/** What a machine of a role downloads; images come from their registry unless a mirror holds them. */
export function downloadsFor(
  role: Role,
  settings: { readonly kubernetesVersion: KubernetesVersion; readonly architecture: Architecture },
  source: ArtifactSource,
  /** Whether kubeadm runs on it. */
  kubeadm: boolean,
): Download[] {
  const all = artifacts(settings.kubernetesVersion, settings.architecture);
  if (binariesOf[role].length === 0) return [];
  const names = kubeadm ? [...binariesOf[role], "kubeadm" as const] : binariesOf[role];
  return [
    ...names.map((name) => binaries(all[name], source)),
    ...Object.values(images(settings.kubernetesVersion, settings.architecture)).flatMap((one) =>
      image(one, source),
    ),
    ...names
      .filter((name) => operatorCommands.includes(name))
      .map(
        (name): Download => ({
          kind: "link",
          path: `/usr/local/bin/${name}`,
          target: `${folder(all[name])}/${name}`,
        }),
      ),
  ];
}

function binaries(artifact: Artifact, source: ArtifactSource): Download {
  const { name, version, file, url, sha256, sha256Url } = artifact;
  const members = artifact.members ?? { "-": artifact.binary! };
  const { mirrorUrl, sums } = source;
  return mirrorUrl === undefined
    ? {
        kind: "binaries",
        name,
        version,
        url,
        sum: sha256 === undefined ? sha256Url! : `sha256:${sha256}`,
        members,
      }
    : {
        kind: "binaries",
        name,
        version,
        url: `${mirrorUrl}/${file}`,
        sum: `sha256:${sums.get(file)}`,
        members,
      };
}

function image({ name, file }: Image, { mirrorUrl, sums }: ArtifactSource): Download[] {
  return mirrorUrl === undefined
    ? []
    : [{ kind: "image", name, url: `${mirrorUrl}/${file}`, sum: `sha256:${sums.get(file)}` }];
}
