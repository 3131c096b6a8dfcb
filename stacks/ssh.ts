import { readFileSync } from "node:fs";
import path from "node:path";
import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { word } from "../node/shell.ts";

/** The host, port, user and keys of an SSH connection; host and key may be outputs of resources. */
export interface SshTarget<Text = string> {
  readonly host: Text;
  readonly port: number;
  readonly user: string;
  /** Absolute path on this computer. */
  readonly privateKeyFile: string;
  /** The host's public key in the form of known_hosts; undefined for a host that is not verified. */
  readonly hostKey: Text | undefined;
}

/** What the settings of hosts have in common. */
interface CommonSettings {
  readonly port: number;
  readonly user: string;
  readonly privateKeyFile: string;
}

/** What the settings of one host have of their own. */
type OwnSettings = {
  readonly [Name in keyof CommonSettings]?: CommonSettings[Name] | undefined;
} & {
  readonly hostKey?: string | undefined;
};

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
    privateKeyFile: expanded(own.privateKeyFile ?? common.privateKeyFile, home),
    hostKey: own.hostKey,
  };
}

/** A path with ~ replaced by the user's home folder. */
export function expanded(file: string, home: string): string {
  return file.startsWith("~/") ? path.join(home, file.slice(2)) : file;
}

/** The text of the target's private key, a secret. */
export function keyOf({ privateKeyFile }: { readonly privateKeyFile: string }): string {
  return readFileSync(privateKeyFile, "utf8");
}

/** How Pulumi connects to a target, through a jump box if there is one. */
export function sshConnection(
  to: SshTarget<pulumi.Input<string>>,
  through: SshTarget | undefined,
): types.input.remote.ConnectionArgs {
  return { ...direct(to), ...(through && { proxy: direct(through) }) };
}

function direct(to: SshTarget<pulumi.Input<string>>): types.input.remote.ProxyConnectionArgs {
  const { host, port, user, hostKey } = to;
  const privateKey = pulumi.secret(keyOf(to));
  return { host, port, user, privateKey, ...(hostKey !== undefined && { hostKey }) };
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
  return `ssh -p ${port} -i ${word(privateKeyFile)}${known}`;
}
