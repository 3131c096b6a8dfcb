import { readFileSync } from "node:fs";
import path from "node:path";
import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Passphrases } from "../node/askpass.ts";
import type { MachineSecrets } from "../node/machine.ts";
import { word } from "../node/shell.ts";

/** The host, port, user and keys of an SSH connection; host and key may be outputs of resources. */
export interface SshTarget<Text = string> {
  readonly host: Text;
  readonly port: number;
  readonly user: string;
  /** Absolute path on this computer; undefined where the agent has the key. */
  readonly privateKeyFile: string | undefined;
  /** What opens the private key; undefined for a key that is not protected. */
  readonly privateKeyPassphrase: string | undefined;
  /** The host's public key in the form of known_hosts; undefined for a host that is not verified. */
  readonly hostKey: Text | undefined;
}

/** The operator's key, or that an agent has the key. */
export interface Login {
  readonly privateKeyFile?: string | undefined;
  readonly privateKeyPassphrase?: string | undefined;
  readonly useAgent?: boolean | undefined;
}

/** What the settings of hosts have in common. */
interface CommonSettings extends Login {
  readonly port: number;
  readonly user: string;
}

/** What the settings of one host have of their own. */
interface OwnSettings extends Omit<Login, "useAgent"> {
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly hostKey?: string | undefined;
}

/** The SSH target of a host, whose own settings override the common ones. */
export function sshTarget(
  host: string,
  own: OwnSettings,
  common: CommonSettings,
  home: string,
): SshTarget {
  return {
    host,
    port: own.port ?? common.port,
    user: own.user ?? common.user,
    ...keyFor(own.privateKeyFile === undefined ? common : own, home),
    hostKey: own.hostKey,
  };
}

/** The file and the passphrase of the operator's key, as a target has them. */
export function keyFor(
  { privateKeyFile, privateKeyPassphrase, useAgent }: Login,
  home: string,
): Pick<SshTarget, "privateKeyFile" | "privateKeyPassphrase"> {
  if (useAgent || privateKeyFile === undefined)
    return { privateKeyFile: undefined, privateKeyPassphrase: undefined };
  return { privateKeyFile: expanded(privateKeyFile, home), privateKeyPassphrase };
}

/** The secrets with which the operator reaches a machine and becomes root there; undefined where there are none. */
export function secretsFor(
  passphrases: Passphrases,
  sudoPassword?: string,
): MachineSecrets | undefined {
  const secrets = {
    ...(Object.keys(passphrases).length > 0 && { passphrases }),
    ...(sudoPassword !== undefined && { sudoPassword }),
  };
  return Object.keys(secrets).length > 0 ? secrets : undefined;
}

/** The passphrases that ssh asks for on its way to a target. */
export function passphrasesOf(
  ...targets: readonly (SshTarget<unknown> | undefined)[]
): Passphrases {
  return Object.fromEntries(
    targets.flatMap((target) =>
      target?.privateKeyFile === undefined || target.privateKeyPassphrase === undefined
        ? []
        : [[target.privateKeyFile, target.privateKeyPassphrase] as const],
    ),
  );
}

/** A path with ~ replaced by the user's home folder. */
export function expanded(file: string, home: string): string {
  return file.startsWith("~/") ? path.join(home, file.slice(2)) : file;
}

/** The text of the target's private key, a secret; undefined where the agent has the key. */
export function keyOf({ privateKeyFile }: SshTarget<unknown>): string | undefined {
  return privateKeyFile === undefined ? undefined : readFileSync(privateKeyFile, "utf8");
}

/** How Pulumi connects to a target, through a jump box if there is one. */
export function sshConnection(
  to: SshTarget<pulumi.Input<string>>,
  through: SshTarget | undefined,
): types.input.remote.ConnectionArgs {
  return { ...direct(to), ...(through && { proxy: direct(through) }) };
}

function direct(to: SshTarget<pulumi.Input<string>>): types.input.remote.ProxyConnectionArgs {
  const { host, port, user, hostKey, privateKeyPassphrase } = to;
  const privateKey = keyOf(to);
  return {
    host,
    port,
    user,
    // Without a key the plugin asks the agent of SSH_AUTH_SOCK, whose path changes from login to login and must not be in the state.
    ...(privateKey !== undefined && { privateKey: pulumi.secret(privateKey) }),
    ...(privateKeyPassphrase !== undefined && {
      privateKeyPassword: pulumi.secret(privateKeyPassphrase),
    }),
    ...(hostKey !== undefined && { hostKey }),
  };
}

/** The command line with which the operator opens a shell on a target, through a jump box if there is one. */
export function sshCommandLine(to: SshTarget, through: SshTarget | undefined): string {
  if (through === undefined) return `${ssh(to)} ${to.user}@${to.host}`;
  // The outer ssh replaces %h and %p. A % for the ssh to the jump box is doubled, and what a shell replaces within quotes is escaped.
  const options = ssh(through)
    .replaceAll("%", "%%")
    .replaceAll(/["$`\\]/g, "\\$&");
  const proxy = `${options} -W %h:%p ${through.user}@${through.host}`;
  return `${ssh(to)} -o ProxyCommand="${proxy}" ${to.user}@${to.host}`;
}

/** The command line of ssh(1) up to the destination; a host with a known key must show that key, another host the key that it showed first. */
function ssh({ port, privateKeyFile, hostKey }: SshTarget): string {
  const [type, key] = hostKey?.split(" ") ?? [];
  const known =
    key === undefined
      ? " -o StrictHostKeyChecking=accept-new"
      : ` -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null -o 'KnownHostsCommand=/bin/echo %H ${type} ${key}'`;
  const identity = privateKeyFile === undefined ? "" : ` -i ${word(privateKeyFile)}`;
  return `ssh -p ${port}${identity}${known}`;
}
