import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output } from "./run.ts";

/** The two files of an SSH key, as texts. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Makes an SSH key; its private half is encrypted if there is a passphrase. */
export async function makeKeyPair(
  type: "ed25519" | "ecdsa" = "ed25519",
  passphrase = "",
): Promise<KeyPair> {
  const folder = await mkdtemp(join(tmpdir(), "kthw-key-"));
  const file = join(folder, "key");
  try {
    await output("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-f", file]);
    const [privateKey, publicKey] = await Promise.all([
      readFile(file, "utf8"),
      readFile(`${file}.pub`, "utf8"),
    ]);
    return { privateKey, publicKey };
  } finally {
    await rm(folder, { recursive: true });
  }
}
