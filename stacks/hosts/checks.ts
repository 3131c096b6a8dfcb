import { createPrivateKey } from "node:crypto";
import type { z } from "zod";
import type { Machine, Subject } from "../../settings/checks/subject.ts";
import type { Context } from "../../settings/context.ts";
import type { Sound } from "../../settings/draft.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { Draft } from "../../settings/schema.ts";
import type { hostsGroup } from "./settings.ts";
import { expanded } from "./targets.ts";

type HostsDraft = Draft & Sound<{ hosts: z.output<typeof hostsGroup> }>;
type Surroundings = Pick<Context, "home" | "read">;

/** The mistakes of settings for existing hosts. */
export function check({ draft, machines, context }: Subject<HostsDraft>): string[] {
  return [
    ...names(draft, machines),
    ...targets(draft, machines),
    ...keyFile("hosts.privateKeyFile", draft.hosts?.privateKeyFile, context),
    ...keyFile("hosts.jumpBox.privateKeyFile", draft.hosts?.jumpBox?.privateKeyFile, context),
  ];
}

function names({ hosts }: HostsDraft, machines: readonly Machine[]): string[] {
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

/** No two machines are the same host. */
function targets({ hosts }: HostsDraft, machines: readonly Machine[]): string[] {
  const seen = new Map<string, string>();
  return machines.flatMap(({ where, name, address }) => {
    const index = (hosts?.machines ?? []).findIndex((host) => host && host.name === name);
    const own = hosts?.machines?.[index];
    const host = own?.host ?? address;
    if (name === undefined || host === undefined) return [];
    const target = `${host}:${own?.port ?? hosts?.port}`;
    const earlier = seen.get(target);
    seen.set(target, earlier ?? name);
    // Two machines with one address are reported at their addresses.
    if (earlier === undefined || own?.host === undefined) return [];
    const wrong = `leads to the same host as ${earlier}, the machine ${where}`;
    const todo = "give each machine a host of its own";
    return [mistakeAt(`hosts.machines[${index}].host`, wrong, target, todo)];
  });
}

function keyFile(where: string, file: string | undefined, surroundings: Surroundings): string[] {
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
