import { createPrivateKey } from "node:crypto";
import type { Context } from "../settings/context.ts";
import { mistakeAt } from "../settings/mistake.ts";
import { expanded } from "./ssh.ts";

/** What the settings say of the operator's key, as far as they parse. */
interface LoginDraft {
  readonly privateKeyFile?: string | undefined;
  readonly privateKeyPassphrase?: string | undefined;
  readonly useAgent?: boolean | undefined;
  readonly jumpBox?:
    | {
        readonly privateKeyFile?: string | undefined;
        readonly privateKeyPassphrase?: string | undefined;
      }
    | undefined;
}

type Surroundings = Pick<
  Context,
  "home" | "read" | "opensKey" | "keysOfAgent" | "env" | "isSecret"
>;

/** The mistakes of how the machines of a platform, and its jump box, are logged in to. */
export function login(
  platform: string,
  settings: LoginDraft | undefined,
  surroundings: Surroundings,
): string[] {
  const { useAgent, jumpBox } = settings ?? {};
  return [
    ...agent(platform, useAgent, surroundings),
    ...(useAgent ? [] : keyFile(platform, settings, platform, surroundings)),
    ...passphraseInPlain(platform, settings, surroundings),
    ...keyFile(`${platform}.jumpBox`, jumpBox, platform, surroundings),
    ...passphraseInPlain(`${platform}.jumpBox`, jumpBox, surroundings),
    ...(jumpBox?.privateKeyPassphrase !== undefined && jumpBox.privateKeyFile === undefined
      ? [
          mistakeAt(
            `${platform}.jumpBox.privateKeyPassphrase`,
            "that of no key",
            "[secret]",
            `set ${platform}.jumpBox.privateKeyFile, or ${platform}.privateKeyPassphrase`,
          ),
        ]
      : []),
  ];
}

/** Pulumi's plugin asks the agent of the environment, also where it has a key of its own, and fails if none answers there. */
function agent(
  platform: string,
  useAgent: boolean | undefined,
  { env: { SSH_AUTH_SOCK: socket }, keysOfAgent }: Surroundings,
): string[] {
  const where = `${platform}.useAgent`;
  const start = 'start one by eval "$(ssh-agent)" and give it the key by ssh-add';
  if (!socket)
    return useAgent
      ? [mistakeAt(where, "no agent, since SSH_AUTH_SOCK is not set", true, start)]
      : [];
  const keys = keysOfAgent();
  if (keys === undefined) {
    const todo = useAgent ? start : "unset SSH_AUTH_SOCK";
    return [mistakeAt("SSH_AUTH_SOCK", "no agent answers there", socket, todo)];
  }
  if (!useAgent || keys > 0) return [];
  return [mistakeAt(where, "an agent without keys", socket, "give it the key by ssh-add")];
}

function passphraseInPlain(
  group: string,
  settings: { readonly privateKeyPassphrase?: string | undefined } | undefined,
  { isSecret }: Surroundings,
): string[] {
  const where = `${group}.privateKeyPassphrase`;
  return settings?.privateKeyPassphrase === undefined ? [] : inPlain(where, isSecret);
}

/** The mistake of a secret that is in plain text in the settings. */
export function inPlain(where: string, isSecret: Context["isSecret"]): string[] {
  if (isSecret(where.split(".")[0]!)) return [];
  const todo = `encrypt it by pulumi config set --secret --path 'kthw:${where}'`;
  return [mistakeAt(where, "in plain text in the settings", "[secret]", todo)];
}

/** The mistakes of settings that name the file of a private key, and its passphrase. */
function keyFile(
  group: string,
  settings: Pick<LoginDraft, "privateKeyFile" | "privateKeyPassphrase"> | undefined,
  platform: string,
  surroundings: Surroundings,
): string[] {
  const { privateKeyFile: file, privateKeyPassphrase: passphrase } = settings ?? {};
  if (file === undefined) return [];
  const path = expanded(file, surroundings.home);
  const key = keyIn(path, surroundings);
  const at = (wrong: string, todo: string) => [
    mistakeAt(`${group}.privateKeyFile`, wrong, file, todo),
  ];
  if ("wrong" in key) return at(key.wrong, "name the file of a private key for SSH");
  const place = `${group}.privateKeyPassphrase`;
  if (passphrase === undefined) {
    const todo = `set ${place}, or let an agent have the key and set ${platform}.useAgent to true`;
    return key.cipher === undefined ? [] : at("protected by a passphrase", todo);
  }
  if (key.cipher === undefined)
    return [mistakeAt(place, `${file} is not protected`, "[secret]", "leave it out")];
  // https://pkg.go.dev/golang.org/x/crypto/ssh#ParsePrivateKeyWithPassphrase
  if (!["aes256-ctr", "aes256-cbc", "of PEM"].includes(key.cipher)) {
    const wrong = `encrypted by ${key.cipher}, which Pulumi's plugin command does not read`;
    return at(wrong, `encrypt it anew by ssh-keygen -p -Z aes256-ctr -f ${file}`);
  }
  if (surroundings.opensKey(path, passphrase)) return [];
  return [mistakeAt(place, `not that of ${file}`, "[secret]", "write the one that opens the key")];
}

/** The same, where the public half must lie beside the private key, and the platform may know certain types of keys only. */
export function loginWithPublicKey(
  platform: string,
  settings: LoginDraft | undefined,
  surroundings: Surroundings,
  types?: readonly string[],
): string[] {
  const mistakes = login(platform, settings, surroundings);
  const where = `${platform}.privateKeyFile`;
  const file = settings?.privateKeyFile;
  if (file === undefined || mistakes.some((mistake) => mistake.startsWith(where))) return mistakes;
  return [...mistakes, ...publicKeyFile(where, file, settings?.useAgent, surroundings, types)];
}

function publicKeyFile(
  where: string,
  file: string,
  useAgent: boolean | undefined,
  surroundings: Surroundings,
  types?: readonly string[],
): string[] {
  const privateKey = expanded(file, surroundings.home);
  const todo = useAgent
    ? `write the line of the agent's key there, which ssh-add -L shows, to ${file}.pub`
    : `write it by ssh-keygen -y -f ${file} >${file}.pub`;
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
  if (useAgent) return [];
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

/** How the private key in a file is encrypted, if it is; or what is wrong with the file. */
type Key = { readonly cipher: string | undefined } | { readonly wrong: string };

function keyIn(file: string, { read }: Surroundings): Key {
  try {
    return keyOfText(read(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { wrong: code === "ENOENT" ? "no such file" : `not readable (${code ?? message})` };
  }
}

const openssh =
  /^-----BEGIN OPENSSH PRIVATE KEY-----\s([^-]*)-----END OPENSSH PRIVATE KEY-----\s*$/;
const opensshHeader = "openssh-key-v1\0";

/** https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key */
function keyOfText(text: string): Key {
  const isNone = { wrong: "no private key" };
  const [, body] = openssh.exec(text) ?? [];
  if (body !== undefined) {
    const data = Buffer.from(body, "base64");
    const start = opensshHeader.length + 4;
    if (!data.toString("latin1").startsWith(opensshHeader) || data.length < start) return isNone;
    const cipher = data.toString("latin1", start, start + data.readUInt32BE(start - 4));
    return { cipher: cipher === "none" ? undefined : cipher };
  }
  if (/^-----BEGIN ENCRYPTED /m.test(text)) return { cipher: "PKCS #8" };
  if (/^Proc-Type: 4,ENCRYPTED/m.test(text)) return { cipher: "of PEM" };
  try {
    createPrivateKey(text);
    return { cipher: undefined };
  } catch {
    return isNone;
  }
}
