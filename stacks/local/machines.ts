import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { derive } from "../../node/derive.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { nthAddress, parseAddress, parseCidr } from "../../settings/ipv4.ts";
import type { MachineRecords } from "../../settings/unchanged.ts";
import type { Machines, PlatformSettings } from "../platform.ts";
import { apiTarget } from "./endpoint.ts";
import { idIn, inodeOf, newId, read, runs } from "./ids.ts";
import type { localGroup } from "./settings.ts";
import { traitsOfThisComputer } from "./traits.ts";

type LocalSettings = PlatformSettings<"local", typeof localGroup>;

/** Makes the machines on this computer: containers in a network of their own, reached through ports on 127.0.0.1. */
export function localMachines(settings: LocalSettings, records: MachineRecords): Machines {
  return new LocalMachines("machines", settings, records).machines;
}

// Paths of scripts are relative to the project's folder, where Pulumi runs commands: a clone may be moved without a difference.
const scripts = "stacks/local";

class LocalMachines extends pulumi.ComponentResource {
  readonly machines: Machines;

  constructor(
    name: string,
    settings: LocalSettings,
    records: MachineRecords,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:LocalMachines", name, {}, opts);
    const stack = pulumi.getStack();
    const state = `/var/lib/kthw/${stack}`;
    const cidr = parseCidr(settings.machineCidr)!;
    const gateway = `${nthAddress(cidr, 1)}/${cidr.prefix}`;
    const target = apiTarget(settings);
    const mirror = settings.artifacts.mirror?.startsWith("/") ? settings.artifacts.mirror : "";
    const traits = traitsOfThisComputer();
    const operatorKey = new tls.PrivateKey(
      "operator-key",
      { algorithm: "ED25519" },
      { parent: this },
    );

    const inode = inodeOf(`/run/netns/kthw-${stack}`);
    const networkRuns = inode !== undefined && runs(`${state}/api-port.pid`, target);
    const network = new local.Command(
      // No machine's name holds a colon.
      `${name}:network`,
      {
        create: `${scripts}/network.sh create`,
        update: `${scripts}/network.sh update`,
        delete: `${scripts}/clean.sh`,
        environment: {
          KTHW_STACK: stack,
          KTHW_GATEWAY: gateway,
          KTHW_API_PORT: `${settings.local.apiPort}`,
          KTHW_API_TARGET: target,
          KTHW_BOOT: (networkRuns && idIn(`${state}/boot`)) || newId(),
        },
        stdin: operatorKey.privateKeyOpenssh,
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );

    const make = ({ name, address }: { readonly name: string; readonly address: string }) => {
      const folder = `${state}/machines/${name}`;
      const port = settings.local.sshPortBase + parseAddress(address)! - cidr.first;
      const machineRuns =
        inode !== undefined &&
        runs(`${folder}/machine.pid`, `${folder}/root`) &&
        runs(`${folder}/ssh-port.pid`, `${address}:22`) &&
        read(`${folder}/how`)?.endsWith(` ${inode}\n`);
      const disk = idIn(`${folder}/disk/id`) ?? newId();
      const hostKey = new tls.PrivateKey(
        `${name}:host-key`,
        { algorithm: "ED25519" },
        { parent: this },
      );
      const resource = new local.Command(
        name,
        {
          create: `${scripts}/machine.sh create`,
          update: `${scripts}/machine.sh update`,
          delete: `${scripts}/machine.sh delete`,
          environment: {
            KTHW_STACK: stack,
            KTHW_NAME: name,
            KTHW_ADDRESS: `${address}/${cidr.prefix}`,
            KTHW_GATEWAY: gateway,
            KTHW_SSH_PORT: `${port}`,
            KTHW_MIRROR: mirror,
            KTHW_DISK: disk,
            KTHW_BOOT: (machineRuns && idIn(`${folder}/boot`)) || newId(),
          },
          stdin: pulumi.secret(
            derive([operatorKey.publicKeyOpenssh, hostKey.privateKeyOpenssh], (...keys) =>
              keys.map((key) => `${key.trim()}\n`).join(""),
            ),
          ),
          addPreviousOutputInEnv: false,
          // Without its disk, a machine is replaced. A machine that was only stopped is booted again, which is an update.
          triggers: [disk],
        },
        {
          parent: this,
          dependsOn: [network, ...records.get(name)!],
          deleteBeforeReplace: true,
        },
      );
      return {
        name,
        address,
        connection: {
          host: "127.0.0.1",
          port,
          user: "root",
          privateKey: operatorKey.privateKeyOpenssh,
          hostKey: hostKey.publicKeyOpenssh,
          dialErrorLimit: 60,
          perDialTimeout: 5,
        },
        sudo: false,
        id: resource.id,
        resource,
        ready: [resource],
        ssh: `ssh -F ${state}/ssh_config ${name}`,
        traits,
      };
    };
    this.machines = new Map(machinesOf(settings).map((machine) => [machine.name, make(machine)]));
    this.registerOutputs({});
  }
}
