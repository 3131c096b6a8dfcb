import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output } from "./run.ts";

/** The two files of an SSH key, as texts. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Makes an SSH key. */
export async function makeKeyPair(): Promise<KeyPair> {
  const folder = await mkdtemp(join(tmpdir(), "kthw-key-"));
  const file = join(folder, "key");
  try {
    await output("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    const [privateKey, publicKey] = await Promise.all([
      readFile(file, "utf8"),
      readFile(`${file}.pub`, "utf8"),
    ]);
    return { privateKey, publicKey };
  } finally {
    await rm(folder, { recursive: true });
  }
}
