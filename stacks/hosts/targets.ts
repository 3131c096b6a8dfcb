import os from "node:os";
import path from "node:path";
import { machinesOf } from "../../settings/cluster.ts";
import type { Claim } from "../../settings/unchanged.ts";
import type { PlatformSettings } from "../platform.ts";
import type { hostsGroup } from "./settings.ts";

/** Settings of a stack on existing hosts. */
export type HostsSettings = PlatformSettings<"hosts", typeof hostsGroup>;

/** Where SSH leads, as whom, and by which key. */
export type SshTarget = ReturnType<typeof sshTargets>["jumpBox"] & {};

/** A path whose ~ is the user's home folder. */
export function expanded(file: string, home: string): string {
  return file.startsWith("~/") ? path.join(home, file.slice(2)) : file;
}

/** How each machine is reached, by its name: what all have in common under what each has of its own; and the host through which. */
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
    /** Its public key as known_hosts has it; undefined: not verified. */
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

/** The host of each machine that has one other than its address. */
export function targetClaims({ hosts }: HostsSettings): Claim[] {
  return hosts.machines.flatMap(({ name, host, port = hosts.port }, index) =>
    host === undefined
      ? []
      : [{ where: `hosts.machines[${index}].host`, value: `${host}:${port}`, machine: name }],
  );
}
