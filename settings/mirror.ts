import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { mirrorFiles } from "../components/downloads.ts";
import type { Architecture, KubernetesVersion } from "../components/versions.ts";
import { mistakeAt } from "./mistake.ts";

const where = "artifacts.mirror";
const list = "SHA256SUMS";
const timeoutMs = 5_000;

/** The settings that decide which mirror is used, and which of its files are needed. */
export interface MirrorSettings {
  readonly artifacts: { readonly mirror: string | undefined };
  readonly architecture: Architecture;
  readonly kubernetesVersion: KubernetesVersion;
}

/** Whether the mirror is a server, not a folder. */
export function isServer(mirror: string): boolean {
  return /^https?:/.test(mirror);
}

/** The SHA-256 in hex of every file of the mirror, by path, or all mistakes in the mirror; no sums without a mirror. */
export async function readMirror({
  artifacts: { mirror },
  architecture,
  kubernetesVersion,
}: MirrorSettings): Promise<{ sums: ReadonlyMap<string, string> } | { mistakes: string[] }> {
  if (mirror === undefined) return { sums: new Map() };
  let text: string;
  try {
    text = await readList(mirror);
  } catch (error) {
    const todo = "fill the mirror, the default one with `make artifacts`";
    return { mistakes: [mistakeAt(where, `no ${list} (${reason(error)})`, mirror, todo)] };
  }
  const { sums, mistakes } = parseSums(text);
  const needed = mirrorFiles(kubernetesVersion, architecture);
  const absent = needed.filter((file) => !sums.has(file));
  const lost = isServer(mirror) ? [] : await missing(mirror, needed);
  mistakes.push(
    ...absent.map((file) =>
      mistakeAt(
        where,
        `${list} without ${file}`,
        mirror,
        "add the file and its line; the default mirror is filled by `make artifacts`",
      ),
    ),
    ...lost
      .filter((file) => sums.has(file))
      .map((file) => mistakeAt(where, `without ${file}`, mirror, "add the file")),
  );
  return mistakes.length > 0 ? { mistakes } : { sums };
}

async function readList(mirror: string): Promise<string> {
  if (!isServer(mirror)) return await readFile(path.join(mirror, list), "utf8");
  const url = `${mirror.replace(/\/*$/, "")}/${list}`;
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return await response.text();
}

function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? reason(cause) : message;
}

/** Parses lines in the format of sha256sum. */
function parseSums(text: string): { sums: Map<string, string>; mistakes: string[] } {
  const sums = new Map<string, string>();
  const mistakes: string[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, sum, file] = /^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/.exec(line) ?? [];
    if (sum && file) sums.set(file, sum);
    else {
      const wrong = `line ${index + 1} of ${list} is not a checksum and a path`;
      mistakes.push(mistakeAt(where, wrong, line, "write it as sha256sum does"));
    }
  }
  return { sums, mistakes };
}

async function missing(folder: string, files: readonly string[]): Promise<string[]> {
  const present = await Promise.all(
    files.map((file) =>
      stat(path.join(folder, file)).then(
        (found) => found.isFile(),
        () => false,
      ),
    ),
  );
  return files.filter((_, index) => !present[index]);
}
