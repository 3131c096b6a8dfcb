import os from "node:os";
import path from "node:path";
import { machinesOf } from "../../settings/cluster.ts";
import type { Claim } from "../../settings/unchanged.ts";
import type { PlatformSettings } from "../platform.ts";
import type { hostsGroup } from "./settings.ts";

/** Settings of a stack on existing hosts. */
export type HostsSettings = PlatformSettings<"hosts", typeof hostsGroup>;

/** The host, port, user and keys of an SSH connection. */
export type SshTarget = ReturnType<typeof sshTargets>["jumpBox"] & {};

/** A path with ~ replaced by the user's home folder. */
export function expanded(file: string, home: string): string {
  return file.startsWith("~/") ? path.join(home, file.slice(2)) : file;
}

/** The SSH target of each machine, by the machine's name, and that of the jump box; a machine's own settings override the common ones. */
export function sshTargets(settings: HostsSettings, home = os.homedir()) {
  const { hosts } = settings;
  const own = new Map(hosts.machines.map((machine) => [machine.name, machine]));
  const target = (
    host: string,
    different: {
      readonly port?: number | undefined;
      readonly user?: string | undefined;
      readonly privateKeyFile?: string | undefined;
      readonly hostKey?: string | undefined;
    } = {},
  ) => ({
    host,
    port: different.port ?? hosts.port,
    user: different.user ?? hosts.user,
    /** Absolute path on this computer. */
    privateKeyFile: expanded(different.privateKeyFile ?? hosts.privateKeyFile, home),
    /** The host's public key in the form of known_hosts; undefined for a host that is not verified. */
    hostKey: different.hostKey,
  });
  const machines = machinesOf(settings).map(({ name, address }) => {
    const machine = own.get(name);
    return [name, target(machine?.host ?? address, machine)] as const;
  });
  return {
    machines: new Map(machines),
    jumpBox: hosts.jumpBox && target(hosts.jumpBox.host, hosts.jumpBox),
  };
}

/** The SSH host and port of each machine whose host is not its address. */
export function targetClaims({ hosts }: HostsSettings): Claim[] {
  return hosts.machines.flatMap(({ name, host, port = hosts.port }, index) =>
    host === undefined
      ? []
      : [{ where: `hosts.machines[${index}].host`, value: `${host}:${port}`, machine: name }],
  );
}
