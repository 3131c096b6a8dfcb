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

/** The same, where the public half must lie beside the private key, and the platform may know certain types of keys only. */
export function publicKeyFile(
  where: string,
  file: string | undefined,
  surroundings: Surroundings,
  types?: readonly string[],
): string[] {
  const mistakes = keyFile(where, file, surroundings);
  if (file === undefined || mistakes.length > 0) return mistakes;
  const privateKey = expanded(file, surroundings.home);
  const todo = `write it by ssh-keygen -y -f ${file} >${file}.pub`;
  let text: string;
  try {
    text = surroundings.read(`${privateKey}.pub`);
  } catch {
    return [mistakeAt(where, "no public key beside it", file, todo)];
  }
  const [type = "", body] = text.trim().split(/\s+/);
  if (types !== undefined && !types.includes(type)) {
    const wrong = "beside it a public key of a type that the platform does not take";
    const another = `use a key of type ${types.join(" or ")}, as ssh-keygen -t ed25519 makes`;
    return [mistakeAt(where, wrong, type, another)];
  }
  const own = publicHalf(surroundings.read(privateKey));
  return own === undefined || own === body
    ? []
    : [mistakeAt(where, "the public key beside it is another key's", file, todo)];
}

/** The public half that a private key in the form of OpenSSH begins with, as a public key's file has it. */
function publicHalf(text: string): string | undefined {
  const [, body] = openssh.exec(text) ?? [];
  if (body === undefined) return undefined;
  const data = Buffer.from(body, "base64");
  // A key that is cut off has none.
  const after = (start: number) =>
    start + 4 <= data.length ? start + 4 + data.readUInt32BE(start) : start;
  // Behind the names of the cipher and of the derivation of its key, that one's options, and the number of keys.
  const start = after(after(after(opensshHeader.length))) + 4;
  return data.subarray(start + 4, after(start)).toString("base64") || undefined;
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
