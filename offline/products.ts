import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  type Architecture,
  type Artifact,
  artifacts,
  guestImages,
  type Image,
  images,
  type KubernetesVersion,
  kubernetesVersions,
  testImages,
} from "../components/versions.ts";
import { compile, compilePause } from "./compile.ts";
import { filesOfPrograms } from "./debian.ts";
import { downloadArtifact } from "./download.ts";
import { type ImageConfig, makeImage, pullImage } from "./image.ts";
import { type TarEntry, tar } from "./tar.ts";

/** One file of a mirror. */
export interface Piece {
  /** Its path in the mirror. */
  readonly file: string;
  /** Where upstream publishes it. */
  readonly host: string;
  /** Permission bits. */
  readonly mode: number;
  /** What it is made of where it cannot be downloaded. */
  readonly binaries: readonly string[];
  /** Upstream's file, verified. */
  download(): Promise<Buffer>;
  /** The same made from binaries, under upstream's names and in upstream's layout. */
  pack(binary: (name: string) => Buffer): Buffer;
}

/** Files of a mirror that are built together. */
export interface Product {
  /** Name and version, for messages. */
  readonly label: string;
  readonly pieces: readonly Piece[];
  /** Builds binaries into a folder. */
  compile(
    binaries: readonly string[],
    folder: string,
    progress: (text: string) => void,
  ): Promise<void>;
}

/** Everything that a mirror holds for a version of Kubernetes, in the order of need. */
export function products(version: KubernetesVersion, architecture: Architecture): Product[] {
  const all: Artifact[] = Object.values(artifacts(version, architecture));
  const names = new Set(all.map(({ name }) => name));
  const { coredns, pause } = images(version, architecture);
  const { kubeProxy } = guestImages(version, architecture);
  const { agnhost } = testImages(version, architecture);
  const versions = kubernetesVersions[version];
  const image = (of: Image, recipe: Recipe, build: Product["compile"]): Product => ({
    label: of.name,
    pieces: [imagePiece(of, architecture, recipe)],
    compile: build,
  });
  return [
    ...[...names].map((name) => binaries(all.filter((artifact) => artifact.name === name))),
    image(pause, pauseRecipe, (_, folder) => compilePause(folder)),
    image(coredns, corednsRecipe, (...to) =>
      compile({ name: "coredns", version: versions.coredns }, ...to),
    ),
    image(kubeProxy, kubeProxyRecipe, (...to) => compile({ name: "kubernetes", version }, ...to)),
    image(agnhost, agnhostRecipe, (...to) => compile({ name: "kubernetes", version }, ...to)),
  ];
}

function binaries(of: readonly Artifact[]): Product {
  const { name, version } = of[0]!;
  return {
    label: `${name} ${version}`,
    pieces: of.map(artifactPiece),
    compile: (...to) => compile({ name, version }, ...to),
  };
}

function artifactPiece(artifact: Artifact): Piece {
  const { file, url, members, binary } = artifact;
  const piece = { file, host: new URL(url).host, download: () => downloadArtifact(artifact) };
  if (members === undefined) {
    return { ...piece, mode: 0o755, binaries: [binary!], pack: (content) => content(binary!) };
  }
  return {
    ...piece,
    mode: 0o644,
    binaries: Object.values(members),
    pack: (content) => {
      const entries = Object.entries(members).map(([path, name]) => ({
        path,
        content: content(name),
      }));
      return gzipSync(tar(entries), { level: 1 });
    },
  };
}

/** How an image looks that is made from binaries. */
interface Recipe {
  readonly binaries: readonly string[];
  readonly config: ImageConfig;
  layer(binary: (name: string) => Buffer): TarEntry[];
}

function imagePiece({ name, file }: Image, architecture: Architecture, recipe: Recipe): Piece {
  return {
    file,
    host: name.slice(0, name.indexOf("/")),
    mode: 0o644,
    binaries: recipe.binaries,
    download: () => pullImage(name, architecture),
    pack: (binary) => makeImage(name, architecture, recipe.layer(binary), recipe.config),
  };
}

const pauseRecipe: Recipe = {
  binaries: ["pause"],
  config: { User: "65535:65535", Entrypoint: ["/pause"] },
  layer: (binary) => [{ path: "pause", content: binary("pause") }],
};

/** As upstream's: not root, but its binary holds the capability to bind port 53. */
const corednsRecipe: Recipe = {
  binaries: ["coredns"],
  config: { User: "65532:65532", Entrypoint: ["/coredns"] },
  layer: (binary) => [
    {
      path: "coredns",
      content: binary("coredns"),
      // struct vfs_cap_data: version 2, effective; permitted is bit 10, CAP_NET_BIND_SERVICE.
      attributes: {
        "security.capability": Buffer.from("0100000200040000000000000000000000000000", "hex"),
      },
    },
  ],
};

/** As upstream's: kube-proxy with Debian's iptables and nft, all of which use nftables. */
const kubeProxyRecipe: Recipe = {
  binaries: ["kube-proxy"],
  config: { Entrypoint: ["/usr/local/bin/kube-proxy"] },
  layer: (binary) => [
    { path: "usr/local/bin/kube-proxy", content: binary("kube-proxy") },
    ...filesOfPrograms(["/usr/sbin/xtables-nft-multi", "/usr/sbin/nft"]),
    ...["iptables", "ip6tables"].flatMap((name) =>
      ["", "-save", "-restore"].map((suffix) => ({
        path: `usr/sbin/${name}${suffix}`,
        target: "xtables-nft-multi",
      })),
    ),
    { path: "tmp/", mode: 0o1777 },
  ],
};

/**
 * Upstream's is Alpine with many tools; this one has the few of Debian's busybox-static that tests
 * need. Its wget takes addresses only, since a static glibc cannot look names up.
 */
const agnhostRecipe: Recipe = {
  binaries: ["agnhost"],
  config: { Entrypoint: ["/agnhost"], Cmd: ["pause"] },
  layer: (binary) => [
    { path: "agnhost", content: binary("agnhost") },
    { path: "bin/" },
    { path: "bin/busybox", content: readFileSync("/bin/busybox") },
    ...["cat", "nslookup", "sh", "sleep", "wget"].map((name) => ({
      path: join("bin", name),
      target: "busybox",
    })),
    { path: "tmp/", mode: 0o1777 },
  ],
};
