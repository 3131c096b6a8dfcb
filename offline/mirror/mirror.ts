import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { missingBuildTools } from "./compile.ts";
import { DownloadError, reachableHosts, sha256 } from "./download.ts";
import { type Piece, type Product, products } from "./products.ts";
import type { Architecture, Table } from "./table.ts";

/** The Debian packages that building needs, beside Go. */
export const buildPackages = [
  "busybox-static",
  "gcc",
  "iptables",
  "libc6-dev",
  "libseccomp-dev",
  "nftables",
  "pkg-config",
];

/**
 * Fills a mirror with what a table lists: what is missing or damaged is downloaded,
 * or built where upstream does not answer. SHA256SUMS names each file as soon as it is there, so an
 * interrupted run is continued by the next. Returns the files that were downloaded and built.
 */
export async function fillMirror(
  mirror: string,
  table: Table,
  log: (line: string) => void,
): Promise<{ downloaded: string[]; built: string[] }> {
  const sums = readSums(mirror);
  const missing = products(table).flatMap((product) => {
    const pieces = product.pieces.filter(({ file }) => !present(mirror, file, sums));
    return pieces.length === 0 ? [] : [{ ...product, pieces }];
  });
  const downloaded: string[] = [];
  const built: string[] = [];
  if (missing.length === 0) return { downloaded, built };

  const needed = new Set(missing.flatMap(({ pieces }) => pieces.map(({ host }) => host)));
  const hosts = await reachableHosts(needed);
  const silent = [...needed].filter((host) => !hosts.has(host));
  if (silent.length > 0) {
    log(`no answer from ${silent.join(", ")}: building instead`);
    checkBuildTools(table.architecture);
  }

  const store = ({ file, mode }: Piece, content: Buffer) => {
    mkdirSync(dirname(join(mirror, file)), { recursive: true });
    writeAtomically(join(mirror, file), content, mode);
    sums.set(file, sha256(content));
    writeSums(mirror, sums);
  };
  for (const product of missing) {
    const unavailable: Piece[] = [];
    for (const piece of product.pieces) {
      const content = hosts.has(piece.host) && (await download(piece, hosts, log));
      if (content) {
        store(piece, content);
        downloaded.push(piece.file);
      } else unavailable.push(piece);
    }
    if (unavailable.length === 0) continue;
    checkBuildTools(table.architecture);
    await build(product, unavailable, join(mirror, ".build"), store, log);
    built.push(...unavailable.map(({ file }) => file));
  }
  return { downloaded, built };
}

/** Undefined, and its host not asked again, if upstream fails to deliver; throws if it is not genuine. */
async function download(
  { file, host, download }: Piece,
  hosts: Set<string>,
  log: (line: string) => void,
): Promise<Buffer | undefined> {
  log(`${file}: downloading`);
  const seconds = stopwatch();
  try {
    const content = await download();
    log(`${file}: downloaded in ${seconds()} s`);
    return content;
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    log(`${error.message}; building instead`);
    hosts.delete(host);
    return undefined;
  }
}

async function build(
  product: Product,
  pieces: readonly Piece[],
  folder: string,
  store: (piece: Piece, content: Buffer) => void,
  log: (line: string) => void,
): Promise<void> {
  const binaries = pieces.flatMap((piece) => piece.binaries);
  log(`${product.label}: building ${binaries.join(", ")}`);
  const seconds = stopwatch();
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    await product.compile(binaries, folder, (text) => log(`${product.label}: ${text}`));
    for (const piece of pieces)
      store(
        piece,
        piece.pack((name) => readFileSync(join(folder, name))),
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  log(`${product.label}: built in ${seconds()} s`);
}

function checkBuildTools(architecture: Architecture): void {
  const own = process.arch === "x64" ? "amd64" : process.arch;
  if (architecture !== own) {
    throw new Error(`architecture: only ${own} can be built on this computer, got ${architecture}`);
  }
  const missing = missingBuildTools();
  if (missing.length === 0) return;
  throw new Error(
    `building needs what is not installed: ${missing.join(", ")}; ` +
      `install Go 1.26 or newer, and on Debian: apt-get install ${buildPackages.join(" ")}`,
  );
}

function present(mirror: string, file: string, sums: ReadonlyMap<string, string>): boolean {
  const path = join(mirror, file);
  return existsSync(path) && sha256(readFileSync(path)) === sums.get(file);
}

/** SHA-256 in hex by path, of the files that a mirror's SHA256SUMS names. */
function readSums(mirror: string): Map<string, string> {
  const path = join(mirror, "SHA256SUMS");
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  return new Map(
    [...text.matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)].map(([, sum, file]) => [file!, sum!]),
  );
}

function writeSums(mirror: string, sums: ReadonlyMap<string, string>): void {
  const lines = [...sums]
    .filter(([file]) => existsSync(join(mirror, file)))
    .map(([file, sum]) => `${sum}  ${file}\n`);
  writeAtomically(join(mirror, "SHA256SUMS"), lines.sort().join(""), 0o644);
}

function writeAtomically(path: string, content: Buffer | string, mode: number): void {
  writeFileSync(`${path}.new`, content);
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

function stopwatch(): () => number {
  const started = Date.now();
  return () => Math.round((Date.now() - started) / 1000);
}

/** `node --import tsx mirror.ts <folder>`, with the table as JSON on stdin. */
async function main(folder?: string): Promise<void> {
  if (folder === undefined) throw new Error("usage: mirror.ts <folder> <table.json");
  const mirror = resolve(folder);
  const table: Table = JSON.parse(await text(process.stdin));
  const { downloaded, built } = await fillMirror(mirror, table, console.log);
  const list = (files: string[]) =>
    files.map((file) => file.split("/").at(-1)).join(", ") || "none";
  console.log(
    downloaded.length + built.length === 0
      ? `${mirror}: complete`
      : `${mirror}: complete; downloaded: ${list(downloaded)}; built: ${list(built)}`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(...process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
