import { createPrivateKey } from "node:crypto";
import type { Context } from "../settings/context.ts";
import { mistakeAt } from "../settings/mistake.ts";
import { expanded } from "./ssh.ts";

type Surroundings = Pick<Context, "home" | "read">;

/** The mistakes of a setting that names the file of a private key. */
export function keyFile(
  where: string,
  file: string | undefined,
  surroundings: Surroundings,
): string[] {
  if (file === undefined) return [];
  const wrong = problemOf(expanded(file, surroundings.home), surroundings);
  return wrong === undefined
    ? []
    : [
        mistakeAt(
          where,
          wrong,
          file,
          "name the file of a private key for SSH, without a passphrase",
        ),
      ];
}

/** The same, where the public half must lie beside the private key. */
export function publicKeyFile(
  where: string,
  file: string | undefined,
  surroundings: Surroundings,
): string[] {
  const mistakes = keyFile(where, file, surroundings);
  if (file === undefined || mistakes.length > 0) return mistakes;
  try {
    surroundings.read(`${expanded(file, surroundings.home)}.pub`);
    return [];
  } catch {
    const todo = `write it by ssh-keygen -y -f ${file} >${file}.pub`;
    return [mistakeAt(where, "no public key beside it", file, todo)];
  }
}

function problemOf(file: string, { read }: Surroundings): string | undefined {
  let text: string;
  try {
    text = read(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? "no such file" : `not readable (${code ?? message})`;
  }
  return problemOfKey(text);
}

const openssh =
  /^-----BEGIN OPENSSH PRIVATE KEY-----\s([^-]*)-----END OPENSSH PRIVATE KEY-----\s*$/;
const opensshHeader = "openssh-key-v1\0";

/** https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key */
function problemOfKey(text: string): string | undefined {
  const isProtected = "protected by a passphrase";
  const [, body] = openssh.exec(text) ?? [];
  if (body !== undefined) {
    const data = Buffer.from(body, "base64").toString("latin1");
    if (!data.startsWith(opensshHeader)) return "no private key";
    return data.slice(opensshHeader.length + 4).startsWith("none") ? undefined : isProtected;
  }
  if (/ENCRYPTED/.test(text)) return isProtected;
  try {
    createPrivateKey(text);
    return undefined;
  } catch {
    return "no private key";
  }
}
