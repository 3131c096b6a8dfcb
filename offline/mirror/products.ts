import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { compile, compilePause } from "./compile.ts";
import { filesOfPrograms } from "./debian.ts";
import { downloadArtifact } from "./download.ts";
import { type ImageConfig, makeImage, pullImage } from "./image.ts";
import type { Artifact, Image, Table } from "./table.ts";
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

/** Everything that a mirror holds, in the order of need. */
export function products(table: Table): Product[] {
  const names = new Set(table.artifacts.map(({ name }) => name));
  return [
    ...[...names].map((name) =>
      binaries(table.artifacts.filter((artifact) => artifact.name === name)),
    ),
    ...table.images.map((image) => imageProduct(image, table)),
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

/** How an image is made from binaries. */
interface Recipe {
  /** Where they are built from: a folder of go/, or the C source beside this file. */
  readonly source: "coredns" | "kubernetes" | "pause.c";
  readonly binaries: readonly string[];
  readonly config: ImageConfig;
  layer(binary: (name: string) => Buffer): TarEntry[];
}

function imageProduct({ name, file }: Image, table: Table): Product {
  const [, product, tag] = /([^/]+):v?([^:/]+)$/.exec(name)!;
  const recipe = recipes[product!];
  if (recipe === undefined) {
    const known = Object.keys(recipes).join(", ");
    throw new Error(`${name}: no recipe says how it is built; choose images named ${known}`);
  }
  const { source, binaries, config, layer } = recipe;
  const version = source === "kubernetes" ? table.kubernetesVersion : tag!;
  return {
    label: name,
    pieces: [
      {
        file,
        host: name.slice(0, name.indexOf("/")),
        mode: 0o644,
        binaries,
        download: () => pullImage(name, table.architecture),
        pack: (binary) => makeImage(name, table.architecture, layer(binary), config),
      },
    ],
    compile: (wanted, folder, progress) =>
      source === "pause.c"
        ? compilePause(folder)
        : compile({ name: source, version }, wanted, folder, progress),
  };
}

const pauseRecipe: Recipe = {
  source: "pause.c",
  binaries: ["pause"],
  config: { User: "65535:65535", Entrypoint: ["/pause"] },
  layer: (binary) => [{ path: "pause", content: binary("pause") }],
};

/** As upstream's: not root, but its binary holds the capability to bind port 53. */
const corednsRecipe: Recipe = {
  source: "coredns",
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
  source: "kubernetes",
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
  source: "kubernetes",
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

/** By the last part of an image's name. */
const recipes: Readonly<Record<string, Recipe>> = {
  pause: pauseRecipe,
  coredns: corednsRecipe,
  "kube-proxy": kubeProxyRecipe,
  agnhost: agnhostRecipe,
};
