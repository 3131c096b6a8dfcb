import { createPrivateKey } from "node:crypto";
import path from "node:path";
import { mistakeAt } from "./mistake.ts";
import type { Draft } from "./schema.ts";

/** A machine as far as it parses, and where it stands. */
interface Machine {
  readonly where: string;
  readonly name?: string | undefined;
  readonly address?: string | undefined;
}

/** What the settings of existing hosts are checked against. */
interface Surroundings {
  readonly home: string;
  readonly read: (file: string) => string;
}

/** A path whose ~ is the user's home folder. */
export function expanded(file: string, { home }: { readonly home: string }): string {
  return file.startsWith("~/") ? path.join(home, file.slice(2)) : file;
}

/** The mistakes in settings of existing hosts that are each right by themselves. */
export function checkHosts(
  draft: Draft,
  machines: readonly Machine[],
  surroundings: Surroundings,
): string[] {
  return [
    ...names(draft, machines),
    ...entrances(draft, machines),
    ...keyFile("hosts.privateKeyFile", draft.hosts?.privateKeyFile, surroundings),
    ...keyFile("hosts.jumpBox.privateKeyFile", draft.hosts?.jumpBox?.privateKeyFile, surroundings),
  ];
}

function names({ hosts }: Draft, machines: readonly Machine[]): string[] {
  const seen = new Map<string, string>();
  return (hosts?.machines ?? []).flatMap((host, index) => {
    const name = host?.name;
    if (name === undefined) return [];
    const where = `hosts.machines[${index}].name`;
    const earlier = seen.get(name);
    if (earlier !== undefined)
      return [mistakeAt(where, `the same as ${earlier}`, name, "list each machine once")];
    seen.set(name, where);
    if (machines.some((machine) => machine.name === name)) return [];
    const todo = "use the name of a load balancer, controller or worker";
    return [mistakeAt(where, "the name of no machine", name, todo)];
  });
}

/** One host can be only one machine. */
function entrances({ hosts }: Draft, machines: readonly Machine[]): string[] {
  const seen = new Map<string, string>();
  return machines.flatMap(({ where, name, address }) => {
    const index = (hosts?.machines ?? []).findIndex((host) => host && host.name === name);
    const own = hosts?.machines?.[index];
    const host = own?.host ?? address;
    if (name === undefined || host === undefined) return [];
    const entrance = `${host}:${own?.port ?? hosts?.port}`;
    const earlier = seen.get(entrance);
    seen.set(entrance, earlier ?? name);
    // That of two machines with one address is told of the addresses.
    if (earlier === undefined || own?.host === undefined) return [];
    const wrong = `leads to the same host as ${earlier}, the machine ${where}`;
    const todo = "give each machine a host of its own";
    return [mistakeAt(`hosts.machines[${index}].host`, wrong, entrance, todo)];
  });
}

function keyFile(where: string, file: string | undefined, surroundings: Surroundings): string[] {
  if (file === undefined) return [];
  const wrong = problemOf(expanded(file, surroundings), surroundings);
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
