import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import type { Artifact } from "./table.ts";

/** Upstream could not be asked, or does not have the file. */
export class DownloadError extends Error {}

const run = promisify(execFile);

/** The content of an address, by curl because it follows the user's proxy settings. */
export async function get(url: string, ...options: readonly string[]): Promise<Buffer> {
  const patience = "--connect-timeout 5 --speed-limit 1000 --speed-time 20 --retry 2".split(" ");
  try {
    const { stdout } = await run("curl", ["-fsSL", ...patience, ...options, url], {
      encoding: "buffer",
      maxBuffer: Number.POSITIVE_INFINITY,
    });
    return stdout;
  } catch (error) {
    throw new DownloadError(`${url}: ${(error as { stderr: Buffer }).stderr.toString().trim()}`);
  }
}

/** Those of the hosts that answer at all, all asked at once and for five seconds at most. */
export async function reachableHosts(hosts: Iterable<string>): Promise<Set<string>> {
  const answers = [...new Set(hosts)].map(async (host) => {
    const options = ["-sS", "-o", "/dev/null", "--head", "--max-time", "5"];
    const answered = await run("curl", [...options, `https://${host}/`]).then(
      () => true,
      () => false,
    );
    return answered ? [host] : [];
  });
  return new Set((await Promise.all(answers)).flat());
}

/** An artifact as upstream publishes it, verified against the pinned or the published checksum. */
export async function downloadArtifact(artifact: Artifact): Promise<Buffer> {
  const content = await get(artifact.url);
  const file = artifact.url.slice(artifact.url.lastIndexOf("/") + 1);
  const published = async () => publishedSum((await get(artifact.sha256Url!)).toString(), file);
  verify(artifact.url, content, artifact.sha256 ?? (await published()));
  return content;
}

/** The sum of a file from the text of a checksum file: a bare sum, or lines of sums and file names. */
export function publishedSum(text: string, file: string): string {
  const lines = text.trim().split("\n");
  const words = lines.map((line) => line.trim().split(/\s+/));
  const [sum] =
    words.find(([, name]) => name === undefined || name.replace("*", "") === file) ?? [];
  return sum ?? "none";
}

/** Throws unless the content has the expected SHA-256. */
export function verify(where: string, content: Buffer, expected: string): void {
  const actual = sha256(content);
  if (actual === expected) return;
  throw new Error(
    `${where}: wrong SHA-256, expected ${expected}, got ${actual}; ` +
      "it was not stored: it may be damaged or forged",
  );
}

/** The SHA-256 in hex. */
export function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
