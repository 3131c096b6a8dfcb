import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile } from "node:fs/promises";

/** The length of the checksum with which a snapshot of etcdctl ends. */
const sumLength = 32;

/** Whether a file is a whole snapshot, as etcdctl has received it: the checksum of all before is at the end. */
export async function isWhole(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    // A database consists of pages, the checksum stands behind them.
    if (size <= sumLength || size % 512 !== sumLength) return false;
    const sum = Buffer.alloc(sumLength);
    await file.read(sum, 0, sumLength, size - sumLength);
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path, { end: size - sumLength - 1 }))
      hash.update(chunk);
    return hash.digest().equals(sum);
  } finally {
    await file.close();
  }
}

/** What the text beside a snapshot tells. */
export interface SnapshotText {
  /** When the snapshot was taken, in UTC. */
  readonly taken?: string;
  /** The version of Kubernetes. */
  readonly kubernetes?: string;
  /** The keys with which Secrets are encrypted, such as aescbc/key1. */
  readonly encryption: readonly string[];
}

/** Reads the text beside a snapshot; without one, nothing is known. */
export async function textOf(snapshot: string): Promise<SnapshotText> {
  const text = await readFile(snapshot.replace(/\.db$/, ".txt"), "utf8").catch(() => "");
  return parseText(text);
}

/** Reads such a text. */
export function parseText(text: string): SnapshotText {
  const field = (name: string) => new RegExp(`^${name}: *(.*)$`, "m").exec(text)?.[1]?.trim();
  const [taken, kubernetes, encryption] = ["taken", "kubernetes", "encryption"].map(field);
  return {
    ...(taken && { taken }),
    ...(kubernetes && { kubernetes }),
    encryption: encryption ? encryption.split(" ") : [],
  };
}
