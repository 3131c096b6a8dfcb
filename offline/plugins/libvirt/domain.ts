import { type Context, type Resource, Unfinished } from "../protocol/provider.ts";
import { flag, listOf, object, oneOf, required, text, textThat, whole } from "../protocol/shape.ts";
import { changes, isObject, type Properties, type Value } from "../protocol/values.ts";
import { pathOf } from "./cloud-init-disk.ts";
import { unlessMissing, virsh } from "./virsh.ts";
import { formatOf } from "./volume.ts";
import { element, textElement, transformed } from "./xml.ts";
import { xml, xsltOf } from "./xslt.ts";

const items = (value: Value | undefined): Properties[] =>
  Array.isArray(value) ? value.filter(isObject) : [];
const textOf = (value: Value | undefined): string | undefined => value as string | undefined;

async function disk({ volumeId }: Properties, index: number): Promise<string> {
  const id = String(volumeId);
  return element(
    "disk",
    { type: "volume", device: "disk" },
    element("driver", { name: "qemu", type: await formatOf(id) }),
    element("source", {
      pool: await virsh().call("vol-pool", id),
      volume: await virsh().call("vol-name", id),
    }),
    element("target", { dev: `vd${String.fromCharCode(97 + index)}`, bus: "virtio" }),
  );
}

const seed = (cloudinit: Value): string =>
  element(
    "disk",
    { type: "file", device: "cdrom" },
    element("driver", { name: "qemu", type: "raw" }),
    element("source", { file: pathOf(String(cloudinit)) }),
    element("target", { dev: "hdd", bus: "ide" }),
  );

async function card({ networkId, networkName, mac }: Properties): Promise<string> {
  return element(
    "interface",
    { type: "network" },
    mac === undefined ? undefined : element("mac", { address: String(mac) }),
    element("source", {
      network: textOf(networkName) ?? (await virsh().call("net-name", String(networkId))),
    }),
    element("model", { type: "virtio" }),
  );
}

function console({ type, targetPort, targetType }: Properties): string {
  return element(
    "console",
    { type: String(type) },
    element("target", { port: String(targetPort), type: textOf(targetType) }),
  );
}

function system({ arch, machine, firmware, nvram, bootDevices }: Properties): string {
  return element(
    "os",
    {},
    textElement("type", "hvm", { arch: textOf(arch), machine: textOf(machine) }),
    textElement("loader", textOf(firmware), { readonly: "yes", type: "pflash", secure: "no" }),
    isObject(nvram)
      ? textElement("nvram", textOf(nvram.file), { template: textOf(nvram.template) })
      : undefined,
    ...items(bootDevices)
      .flatMap(({ devs }) => (Array.isArray(devs) ? devs : []))
      .map((dev) => element("boot", { dev: String(dev) })),
  );
}

async function description(inputs: Properties): Promise<string> {
  const { name, type = "kvm", memory = 512, vcpu = 1, cpu, cloudinit } = inputs;
  const disks: string[] = [];
  for (const [index, one] of items(inputs.disks).entries()) disks.push(await disk(one, index));
  const cards: string[] = [];
  for (const one of items(inputs.networkInterfaces)) cards.push(await card(one));
  return element(
    "domain",
    { type: String(type) },
    textElement("name", String(name)),
    textElement("description", textOf(inputs.description)),
    textElement("memory", Number(memory), { unit: "MiB" }),
    textElement("vcpu", Number(vcpu)),
    system(inputs),
    element("features", {}, element("acpi"), element("apic"), element("pae")),
    isObject(cpu) ? element("cpu", { mode: textOf(cpu.mode) }) : undefined,
    element(
      "devices",
      {},
      ...disks,
      cloudinit === undefined ? undefined : seed(cloudinit),
      ...cards,
      ...items(inputs.consoles).map(console),
      element(
        "channel",
        { type: "unix" },
        element("target", { type: "virtio", name: "org.qemu.guest_agent.0" }),
      ),
      // Without a word about graphics the real plugin adds them, and a program takes them away by a stylesheet.
      element("graphics", { type: "spice", autoport: "yes", listen: "127.0.0.1" }),
      element(
        "rng",
        { model: "virtio" },
        textElement("backend", "/dev/urandom", { model: "random" }),
      ),
    ),
  );
}

const isRunning = async (id: string): Promise<boolean> =>
  (await virsh().call("domstate", id)) === "running";

const defaults = { memory: 512, vcpu: 1, type: "kvm" };
const changeable = /^(cloudinit|autostart|running)\b/;
const fixed = /^(name|type|memory|vcpu|cpu|disks|firmware|nvram)\b/;

/** A virtual machine. */
export const domain: Resource = {
  inputs: {
    name: required(text),
    description: text,
    type: text,
    arch: text,
    machine: text,
    memory: whole(1),
    vcpu: whole(1),
    cpu: object({ mode: text }),
    firmware: text,
    nvram: object({ file: required(text), template: text }),
    bootDevices: listOf(object({ devs: listOf(oneOf(["hd", "cdrom", "network", "fd"])) })),
    autostart: flag,
    running: flag,
    cloudinit: text,
    disks: listOf(object({ volumeId: required(text) })),
    networkInterfaces: listOf(
      object({
        networkId: text,
        networkName: text,
        mac: textThat((value) => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value), "a MAC address"),
      }),
    ),
    consoles: listOf(
      object({ type: required(text), targetPort: required(text), targetType: text }),
    ),
    xml,
  },
  replaces: (path) => fixed.test(path),
  deleteBeforeReplace: (state, inputs) => state.properties.name === inputs.name,
  plan: (inputs) => ({ ...defaults, ...inputs, running: inputs.running ?? true }),
  create: async (inputs) => {
    const name = String(inputs.name);
    await virsh().describe(
      ["define"],
      await transformed(await description(inputs), xsltOf(inputs)),
    );
    const id = await virsh().call("domuuid", name);
    const running = inputs.running !== false;
    const made = { id, outputs: { ...defaults, ...inputs, running } };
    try {
      if (inputs.autostart === true) await virsh().call("autostart", id);
      if (running) await virsh().call("start", id);
    } catch (error) {
      throw new Unfinished((error as Error).message, made);
    }
    return made;
  },
  read: async ({ id, inputs }) => {
    const info = await unlessMissing(virsh().table("dominfo", id));
    if (info === undefined) return undefined;
    const running = info.State === "running";
    const autostart = info.Autostart === "enable";
    const found = {
      ...inputs,
      ...(running !== (inputs.running ?? true) && { running }),
      ...(autostart !== (inputs.autostart ?? false) && { autostart }),
    };
    return { inputs: found, outputs: { ...defaults, ...found, running, autostart } };
  },
  update: async (state, inputs, context) => {
    const { id } = state;
    warnOfOthers(state.inputs, inputs, context);
    if (inputs.cloudinit !== undefined && inputs.cloudinit !== state.inputs.cloudinit)
      await virsh().describe(
        ["update-device", id],
        seed(inputs.cloudinit),
        "--config",
        ...((await isRunning(id)) ? ["--live"] : []),
      );
    await virsh().call("autostart", id, ...(inputs.autostart === true ? [] : ["--disable"]));
    if (inputs.running !== false && !(await isRunning(id))) await virsh().call("start", id);
    return { ...defaults, ...inputs, running: await isRunning(id) };
  },
  delete: async ({ id, properties }) => {
    const state = await unlessMissing(virsh().call("domstate", id));
    if (state === undefined) return;
    if (state !== "shut off") await virsh().call("destroy", id);
    const nvram = properties.nvram === undefined ? [] : ["--nvram"];
    await virsh().call("undefine", id, "--managed-save", "--snapshots-metadata", ...nvram);
  },
};

function warnOfOthers(old: Properties, now: Properties, context: Context): void {
  for (const path of changes(old, now).keys())
    if (!changeable.test(path))
      context.warn(`${path}: has no effect on a domain that exists, as with the real plugin`);
}
