import os from "node:os";
import { machinesOf } from "../../settings/cluster.ts";
import type { Claim } from "../../settings/unchanged.ts";
import type { PlatformSettings } from "../platform.ts";
import { sshTarget } from "../ssh.ts";
import type { hostsGroup } from "./settings.ts";

/** Settings of a stack on existing hosts. */
export type HostsSettings = PlatformSettings<"hosts", typeof hostsGroup>;

/** The SSH target of each machine, by the machine's name, and that of the jump box; a machine's own settings override the common ones. */
export function sshTargets(settings: HostsSettings, home = os.homedir()) {
  const { hosts } = settings;
  const own = new Map(hosts.machines.map((machine) => [machine.name, machine]));
  const machines = machinesOf(settings).map(({ name, address }) => {
    const machine = own.get(name);
    const target = sshTarget(machine?.host ?? address, machine ?? {}, hosts, home);
    const sudoPassword = machine?.sudoPassword ?? hosts.sudoPassword;
    return [name, { ...target, ...(target.user !== "root" && { sudoPassword }) }] as const;
  });
  return {
    machines: new Map(machines),
    jumpBox: hosts.jumpBox && sshTarget(hosts.jumpBox.host, hosts.jumpBox, hosts, home),
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
