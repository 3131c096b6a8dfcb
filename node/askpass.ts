import { fileURLToPath } from "node:url";

/** The passphrase of each key that has one, by the absolute path of the key's file. */
export type Passphrases = Readonly<Record<string, string>>;

/** What askpass.sh answers: ssh asks for the passphrase of a key by the path of the key's file, in quotes. */
export function answersOf(passphrases: Passphrases): string {
  return Object.entries(passphrases)
    .map(([file, passphrase]) => `'${file}'\n${passphrase}`)
    .join("\n");
}

/** The variables with which ssh and ssh-keygen ask askpass.sh instead of a person. */
export function askingOurs(answers: string): Record<string, string> {
  return {
    KTHW_PASSPHRASES: answers,
    SSH_ASKPASS: fileURLToPath(new URL("./askpass.sh", import.meta.url)),
    SSH_ASKPASS_REQUIRE: "force",
  };
}
