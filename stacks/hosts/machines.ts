import { createHash, scryptSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { local, remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { networks } from "../../networks/networks.ts";
import { setSudoPassword } from "../../node/become-root.ts";
import { derive } from "../../node/derive.ts";
import { quoted, word } from "../../node/shell.ts";
import type { Role } from "../../services/cluster-facts.ts";
import { kernelCheck } from "../../services/kernel.ts";
import { oldestLinuxForNftables } from "../../services/kube-proxy.ts";
import { room } from "../../services/room.ts";
import type { Service } from "../../services/service.ts";
import { machinesOf } from "../../settings/cluster.ts";
import type { MachineRecords } from "../../settings/unchanged.ts";
import type { Machines, ServicesByMachine } from "../platform.ts";
import { keyOf, passphrasesOf, secretsFor, sshCommandLine, sshConnection } from "../ssh.ts";
import { claimedBy } from "./claimed.ts";
import { sharedAddressFindings } from "./shared-address.ts";
import { type HostsSettings, sshTargets } from "./targets.ts";

/** The machines of existing hosts, which the stack neither makes nor removes. All hosts are checked before any of them is changed. */
export function existingHosts(
  settings: HostsSettings,
  records: MachineRecords,
  services: ServicesByMachine,
): Machines {
  return new ExistingHosts("machines", settings, records, services).machines;
}

const check = readFileSync(new URL("./check.sh", import.meta.url), "utf8");
const checked = "stacks/hosts/checked.sh";

class ExistingHosts extends pulumi.ComponentResource {
  readonly machines: Machines;

  constructor(
    name: string,
    settings: HostsSettings,
    records: MachineRecords,
    services: ServicesByMachine,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:ExistingHosts", name, {}, opts);
    const { traits } = settings.hosts;
    const { jumpBox, machines: targets } = sshTargets(settings);
    const generations = new Map(
      settings.hosts.machines.map(({ name, generation }) => [name, generation]),
    );
    const record = `.state/${pulumi.getStack()}/hosts-checked`;
    const passed = passedChecks(record);
    const lines: string[] = [];
    const checks: remote.Command[] = [];
    const all = machinesOf(settings).map(({ role, name, address }) => {
      const target = targets.get(name)!;
      const generation = generations.get(name) ?? 1;
      const connection = sshConnection(target, jumpBox);
      const expected = expectations({ role, name, address }, services.get(name)!, settings);
      const { sudoPassword } = target;
      const shared = role === "loadBalancer" ? settings.endpoint?.address : undefined;
      const script = [
        check,
        kernelFindings(services.get(name)!, traits.container),
        shared === undefined ? "" : sharedAddressFindings(shared),
      ].join("");
      // Another host, or another way to the host, is checked again with the current time.
      const ways = [target, jumpBox].map(
        (way) => way && [way.host, way.port, way.user, way.hostKey, keyOf(way)],
      );
      const digest = createHash("sha256")
        .update(
          JSON.stringify([
            generation,
            ways,
            expected,
            script,
            ...(sudoPassword === undefined ? [] : [slowly(sudoPassword)]),
          ]),
        )
        .digest("hex")
        .slice(0, 12);
      const time = passed.get(`${name} ${digest}`) ?? `${Math.round(Date.now() / 1000)}`;
      lines.push(`${name} ${digest} ${time}`);
      checks.push(
        new remote.Command(
          `${name}:host-check`,
          {
            connection,
            create: `sh -s -- ${name} now=${time} ${expected}`,
            stdin:
              sudoPassword === undefined
                ? script
                : pulumi.secret(setSudoPassword(quoted(sudoPassword)) + script),
            addPreviousOutputInEnv: false,
            logging: "none",
          },
          // A jump box that does not answer is reported once: all other checks wait for the first.
          {
            parent: this,
            dependsOn: [...records.get(name)!, ...(jumpBox ? checks.slice(0, 1) : [])],
          },
        ),
      );
      const secrets = secretsFor(passphrasesOf(target, jumpBox), sudoPassword);
      return { name, address, target, generation, connection, secrets, member: checks.at(-1)!.id };
    });
    const gate = new local.Command(
      // No machine's name holds a colon.
      `${name}:checked`,
      {
        create: `${checked} judge`,
        update: `${checked} judge`,
        delete: `${checked} forget`,
        environment: { KTHW_RECORD: record, KTHW_CHECKED: lines.join("\n") },
        stdin: derive(
          checks.map(({ stdout }) => stdout),
          (...findings) => findings.map((text) => (text === "" ? "" : `${text}\n`)).join(""),
        ),
        addPreviousOutputInEnv: false,
        logging: "none",
      },
      { parent: this },
    );
    this.machines = new Map(
      all.map(({ name, address, target, generation, connection, secrets, member }) => [
        name,
        {
          name,
          address,
          connection,
          sudo: target.user !== "root",
          secrets,
          // A host that was removed and comes back is another machine: etcd no longer knows it as a member.
          id: pulumi.interpolate`${member} generation ${generation}`,
          resource: undefined,
          ready: [gate],
          ssh: sshCommandLine(target, jumpBox),
          traits,
        },
      ]),
    );
    this.registerOutputs({});
  }
}

/** The modules that containerd loads when it starts. */
const containerdNeeds = {
  by: "containerd",
  modules: { overlay: "OVERLAY_FS", br_netfilter: "BRIDGE_NETFILTER" },
  todo: "use Debian's own kernel, or one with these modules",
};

/** A digest of a password from which the password is not found by trying: the record of checks is in plain text. */
function slowly(password: string): string {
  const known = digests.get(password) ?? scryptSync(password, "hosts-checked", 16).toString("hex");
  digests.set(password, known);
  return known;
}

const digests = new Map<string, string>();

/** More lines for check.sh, which print what services need of the kernel and the host's lacks. */
function kernelFindings(services: readonly Service[], container: boolean): string {
  const isNode = services.some(({ name }) => name === "containerd");
  const needs = isNode && !container ? [{ kernel: [containerdNeeds] }] : [];
  const lines = kernelCheck([...needs, ...services]);
  if (lines === "") return "";
  return `[ "$may" = no ] || root sh -c ${quoted(`exec 2>&1\n${lines}`)} </dev/null || true\n`;
}

/** The arguments of check.sh, as words of a shell. */
function expectations(
  { role, name, address }: { readonly role: Role; readonly name: string; readonly address: string },
  services: readonly Service[],
  settings: HostsSettings,
): string {
  const { memoryMiB, diskMiB } = room[role];
  const { ports, units, folders, files } = claimedBy(services);
  const { mode } = settings.kubeProxy;
  const { cgroupVersion, container } = settings.hosts.traits;
  const { mirror } = settings.artifacts;
  const words = {
    address,
    node: role === "loadBalancer" ? "no" : "yes",
    architecture: settings.architecture,
    memory: memoryMiB,
    disk: diskMiB,
    cgroup: cgroupVersion,
    container: container ? "yes" : "no",
    ports: ports.join(" "),
    units: units.join(" "),
    folders: folders.join(" "),
    files: files.join(" "),
    ...(role !== "loadBalancer" && {
      ...(networks[settings.network].routed && { peers: peersOf(name, settings).join(" ") }),
      resolv: resolvConfOf(name, settings),
    }),
    ...(mirror?.startsWith("/") && { mirror }),
    ...(role !== "loadBalancer" && mode !== "iptables" && { proxy: mode }),
    ...(role !== "loadBalancer" && mode === "nftables" && { linux: oldestLinuxForNftables }),
  };
  return Object.entries(words)
    .map(([name, value]) => `${name}=${word(`${value}`)}`)
    .join(" ");
}

/** The addresses of all other nodes. */
function peersOf(name: string, settings: HostsSettings): string[] {
  return machinesOf(settings)
    .filter((machine) => machine.role !== "loadBalancer" && machine.name !== name)
    .map(({ address }) => address);
}

/** The file of DNS servers that the kubelet hands on to pods. */
function resolvConfOf(name: string, { controllers, workerPools }: HostsSettings): string {
  const nodes = [...controllers, ...workerPools.flatMap(({ machines }) => machines)];
  const { kubelet } = nodes.find((node) => node.name === name)!;
  return `${kubelet["resolvConf"] ?? "/etc/resolv.conf"}`;
}

/**
 * The time at which each host passed its check, by the host's name and the digest of the check, from a record of the last update. A check
 * that is not in the record is made again, with the current time.
 */
function passedChecks(record: string): ReadonlyMap<string, string> {
  let text = "";
  try {
    text = readFileSync(record, "utf8");
  } catch {
    // None has passed.
  }
  return new Map(
    text.split("\n").flatMap((line) => {
      const [name, digest, time] = line.split(" ");
      return time === undefined ? [] : [[`${name} ${digest}`, time] as const];
    }),
  );
}
