import { readFileSync } from "node:fs";
import os from "node:os";
import { local } from "@pulumi/command";
import * as libvirt from "@pulumi/libvirt";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { derive } from "../../node/derive.ts";
import { virtualMachine } from "../../node/machine.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { nthAddress, parseAddress, parseCidr } from "../../settings/ipv4.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import { refuse } from "../../settings/refuse.ts";
import type { MachineRecords } from "../../settings/unchanged.ts";
import type { Remembered } from "../builds.ts";
import { metaData, networkConfig, userData } from "../cloud-init.ts";
import { afterFirstBoot } from "../first-boot.ts";
import type { Machines } from "../platform.ts";
import {
  expanded,
  passphrasesOf,
  secretsFor,
  sshCommandLine,
  sshConnection,
  sshTarget,
} from "../ssh.ts";
import { type Build, type LibvirtSettings, libvirtBuilds } from "./builds.ts";
import { domainXslt } from "./domain-xslt.ts";
import { type Image, imageFrom } from "./image.ts";
import { copyOf, preflight, uefi } from "./preflight.ts";
import { newBoot, type Running, whatRuns } from "./virsh.ts";

/** Makes the machines as domains of libvirt, in a network and a pool of their own. */
export async function libvirtMachines(
  settings: LibvirtSettings,
  records: MachineRecords,
): Promise<Machines> {
  const { uri, image: written } = settings.libvirt;
  const surroundings = { home: os.homedir(), read: (file: string) => readFileSync(file, "utf8") };
  const image = imageFrom(written, surroundings);
  const prefix = `kthw-${pulumi.getStack()}`;
  const running = await whatRuns(uri, prefix).catch((error: Error) => {
    const todo = uri.startsWith("qemu:///")
      ? "start it, with Debian's libvirt-daemon-system by systemctl start libvirtd"
      : "see that it runs there, and that this user may use it";
    return refuse([mistakeAt("libvirt.uri", `no libvirt answers (${error.message})`, uri, todo)]);
  });
  const builds = await libvirtBuilds(settings, "mistakes" in image ? {} : image).result;
  if ("mistakes" in builds) return await refuse(builds.mistakes);
  const mistakes = await preflight(settings, image, builds);
  if (mistakes.length > 0) return await refuse(mistakes);
  return new LibvirtMachines("machines", { settings, records, builds, running, prefix }).machines;
}

interface LibvirtMachinesArgs {
  readonly settings: LibvirtSettings;
  readonly records: MachineRecords;
  readonly builds: ReadonlyMap<string, Remembered<Build>>;
  /** Undefined where nothing on this computer can tell. */
  readonly running: Running | undefined;
  /** The name of the network and the pool, and the first word of the domains' names. */
  readonly prefix: string;
}

// Paths of scripts are relative to the project's folder, where Pulumi runs commands: a clone may be moved without a difference.
const scripts = "stacks/libvirt";

class LibvirtMachines extends pulumi.ComponentResource {
  readonly machines: Machines;

  constructor(name: string, args: LibvirtMachinesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:LibvirtMachines", name, {}, opts);
    const { settings, records, builds, running, prefix } = args;
    const { uri, poolFolder, networkMode, autostart } = settings.libvirt;
    const cidr = parseCidr(settings.machineCidr)!;
    const gateway = nthAddress(cidr, 1);
    const folder = `${poolFolder}/${prefix}`;
    const home = os.homedir();
    const privateKeyFile = expanded(settings.libvirt.privateKeyFile, home);
    const operatorKey = readFileSync(`${privateKeyFile}.pub`, "utf8");
    const common = { ...settings.libvirt, user: "root", port: 22 };
    const jumpBox =
      settings.libvirt.jumpBox &&
      sshTarget(settings.libvirt.jumpBox.host, settings.libvirt.jumpBox, common, home);

    const provider = new libvirt.Provider("libvirt", { uri }, { parent: this });
    const ours = { parent: this, provider };

    // A base stays as long as a disk stands on it: libvirt would remove it all the same.
    const images = new Map([...builds.values()].map(({ build }) => [build.sha256, build]));
    const copies = [...images.values()].map((image) => {
      const copy = copyOf(image);
      const command = new local.Command(
        // No machine's name holds a colon.
        `${name}:image-${short(image)}`,
        {
          create: `${scripts}/verified.sh fetch`,
          delete: `${scripts}/verified.sh forget`,
          environment: { KTHW_SOURCE: image.source, KTHW_SHA256: image.sha256, KTHW_COPY: copy },
          addPreviousOutputInEnv: false,
        },
        // The same image may come from elsewhere another time.
        { parent: this, ignoreChanges: ["environment"] },
      );
      return { image, copy, command };
    });
    const verified = copies.map(({ command }) => command);
    const network = new libvirt.Network(
      `${name}:network`,
      {
        name: prefix,
        mode: networkMode,
        addresses: [settings.machineCidr],
        dhcp: { enabled: false },
        autostart: true,
      },
      { ...ours, dependsOn: verified },
    );
    const pool = new libvirt.Pool(
      `${name}:pool`,
      { name: prefix, type: "dir", target: { path: folder } },
      { ...ours, dependsOn: verified },
    );
    const bases = new Map(
      copies.map(({ image, copy, command }) => [
        image.sha256,
        new libvirt.Volume(
          `${name}:base-${short(image)}`,
          { name: `base-${short(image)}.qcow2`, pool: pool.name, source: copy, format: "qcow2" },
          // The name says what is in it.
          { ...ours, dependsOn: [command], ignoreChanges: ["source"] },
        ),
      ]),
    );

    const all = machinesOf(settings);
    const known = all.map(({ name, address }) => ({ name, address }));
    const make = ({ name, address }: { readonly name: string; readonly address: string }) => {
      const { build, generation, records: remembered } = builds.get(name)!;
      const title = `${prefix}-${name}`;
      const mac = macOf(address);
      // A machine is made anew when its generation is raised, and for no other reason.
      const own = (ignoreChanges: string[]) => ({
        ...ours,
        replacementTrigger: generation,
        deleteBeforeReplace: true,
        ignoreChanges,
        dependsOn: [...records.get(name)!, ...remembered],
      });
      const hostKey = new tls.PrivateKey(
        `${name}:host-key`,
        { algorithm: "ED25519" },
        { parent: this },
      );
      const disk = new libvirt.Volume(
        `${name}:disk`,
        {
          name: `${name}.qcow2`,
          pool: pool.name,
          format: "qcow2",
          baseVolumeId: bases.get(build.sha256)!.id,
          size: build.diskGiB * 1024 ** 3,
        },
        own(["baseVolumeId", "size"]),
      );
      const seed = new libvirt.CloudInitDisk(
        `${name}:cloud-init`,
        {
          name: `${name}-cloud-init.iso`,
          pool: pool.name,
          userData: pulumi.secret(
            derive([hostKey.privateKeyOpenssh, hostKey.publicKeyOpenssh], (privateKey, publicKey) =>
              userData({
                name,
                hostKey: { privateKey, publicKey },
                operatorKey,
                machines: build.machines,
              }),
            ),
          ),
          metaData: metaData(`${title}-${generation}`, name),
          networkConfig: networkConfig({
            mac,
            address: `${address}/${cidr.prefix}`,
            gateway,
            nameServers: [gateway],
          }),
        },
        own(["userData", "metaData", "networkConfig"]),
      );
      const resource = new libvirt.Domain(
        name,
        {
          name: title,
          type: build.domainType,
          ...(build.domainType === "kvm" && { cpu: { mode: "host-passthrough" } }),
          vcpu: build.vcpus,
          memory: build.memoryMiB,
          ...(build.firmware === "uefi" && {
            firmware: uefi.code,
            nvram: {
              file: `/var/lib/libvirt/qemu/nvram/${title}_VARS.fd`,
              template: uefi.variables,
            },
          }),
          autostart,
          running: true,
          cloudinit: seed.id,
          disks: [{ volumeId: disk.id }],
          networkInterfaces: [{ networkId: network.id, mac }],
          consoles: [{ type: "pty", targetPort: "0", targetType: "serial" }],
          xml: { xslt: domainXslt(folder, `/var/log/libvirt/qemu/${title}-console.log`) },
        },
        own(["type", "cpu", "vcpu", "memory", "firmware", "nvram", "disks", "consoles", "xml"]),
      );
      const boot = new local.Command(
        `${name}:running`,
        {
          create: `${scripts}/running.sh`,
          environment: {
            KTHW_URI: uri,
            KTHW_NETWORK: network.name,
            KTHW_DOMAIN: resource.name,
            KTHW_BOOT: bootOf(running, prefix, title),
          },
          addPreviousOutputInEnv: false,
        },
        {
          parent: this,
          dependsOn: [resource],
          deletedWith: resource,
          // Where nothing can tell what runs, everything stays as it was.
          ...(running === undefined && { ignoreChanges: ["environment"] }),
        },
      );
      const target = sshTarget(address, {}, common, home);
      const passphrases = passphrasesOf(target, jumpBox);
      const connection = {
        ...sshConnection({ ...target, hostKey: hostKey.publicKeyOpenssh }, jumpBox),
        dialErrorLimit: 60 * settings.timeoutFactor,
        perDialTimeout: 5,
      };
      const ssh = hostKey.publicKeyOpenssh.apply((key) =>
        sshCommandLine({ ...target, hostKey: key.trim() }, jumpBox),
      );
      const ready = afterFirstBoot(
        {
          name,
          connection,
          boot: pulumi.interpolate`machine ${resource.id}, boot ${boot.stdout}`,
          resource,
          machines: known,
          jump: jumpBox && { ssh, passphrases },
          timeoutFactor: settings.timeoutFactor,
        },
        { parent: this, dependsOn: [boot] },
      );
      return {
        name,
        address,
        connection,
        sudo: false,
        id: resource.id,
        resource,
        ready: [ready],
        ssh,
        secrets: secretsFor(passphrases),
        traits: virtualMachine,
      } as const;
    };
    this.machines = new Map(all.map((machine) => [machine.name, make(machine)]));
    this.registerOutputs({});
  }
}

/** The first digits of an image's checksum, which tell it from others. */
function short({ sha256 }: Image): string {
  return sha256.slice(0, 12);
}

/** The MAC address of the machine with this address: no other machine of the network has it. */
function macOf(address: string): string {
  const digits = parseAddress(address)!.toString(16).padStart(8, "0");
  return ["52", "54", "00", ...digits.match(/../g)!.slice(1)].join(":");
}

/**
 * The id of a domain's start. Only a refresh sees that a domain was stopped, and none that a network was: so the program looks. While domain and
 * network run, the id stays as it was noted; otherwise a new id makes a difference in the preview, and the update starts them.
 */
function bootOf(running: Running | undefined, network: string, domain: string): string {
  const noted = running?.networks.has(network) ? running.domains.get(domain) : undefined;
  return noted ?? newBoot();
}
