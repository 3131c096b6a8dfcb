import { type Context, type Resource, Unfinished } from "../protocol/provider.ts";
import { flag, listOf, object, oneOf, required, text, textThat, whole } from "../protocol/shape.ts";
import { changes, isObject, type Properties, type Value } from "../protocol/values.ts";
import { unlessMissing, virsh } from "./virsh.ts";
import { element, textElement, transformed } from "./xml.ts";
import { xml, xsltOf } from "./xslt.ts";

const cidr = textThat(
  (value) => /^\d+(\.\d+){3}\/\d+$/.test(value),
  "an IPv4 range such as 10.0.0.0/24",
);

const list = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : []);
const group = (value: Value | undefined): Properties => (isObject(value) ? value : {});

/** The nth address of an IPv4 range; from its end if n is negative. */
function nth(range: string, n: number): string {
  const [address = "", prefix] = range.split("/");
  const size = 2 ** (32 - Number(prefix));
  const bits = address.split(".").reduce((bits, octet) => bits * 256 + Number(octet), 0);
  const found = bits - (bits % size) + (n < 0 ? size + n : n);
  return [24, 16, 8, 0].map((shift) => Math.floor(found / 2 ** shift) % 256).join(".");
}

/** The host names that the network answers, by address. */
function hosts(inputs: Properties): ReadonlyMap<string, string> {
  const names = new Map<string, string[]>();
  for (const one of list(group(inputs.dns).hosts).map(group)) {
    const ip = String(one.ip);
    names.set(ip, [...(names.get(ip) ?? []), String(one.hostname)]);
  }
  return new Map(
    [...names].map(([ip, all]) => [
      ip,
      element("host", { ip }, ...all.map((name) => textElement("hostname", name))),
    ]),
  );
}

function description(inputs: Properties): string {
  const { name, mode = "nat", domain, bridge, mtu } = inputs;
  const dns = group(inputs.dns);
  const given = (value: Value | undefined) => value as string | undefined;
  return element(
    "network",
    {},
    textElement("name", String(name)),
    mode === "none" ? undefined : element("forward", { mode: String(mode) }),
    element("bridge", { name: given(bridge), stp: "on", delay: 0 }),
    mtu === undefined ? undefined : element("mtu", { size: Number(mtu) }),
    domain === undefined
      ? undefined
      : element("domain", {
          name: String(domain),
          localOnly: dns.localOnly === true ? "yes" : "no",
        }),
    element(
      "dns",
      {},
      ...list(dns.forwarders)
        .map(group)
        .map(({ address, domain }) =>
          element("forwarder", { domain: given(domain), addr: given(address) }),
        ),
      ...hosts(inputs).values(),
    ),
    ...list(inputs.addresses)
      .map(String)
      .map((range) =>
        element(
          "ip",
          { family: "ipv4", address: nth(range, 1), prefix: range.split("/")[1] },
          group(inputs.dhcp).enabled === false
            ? undefined
            : element("dhcp", {}, element("range", { start: nth(range, 2), end: nth(range, -2) })),
        ),
      ),
    ...list(inputs.routes)
      .map(group)
      .map(({ cidr, gateway }) => {
        const [address, prefix] = String(cidr).split("/");
        return element("route", { family: "ipv4", address, prefix, gateway: String(gateway) });
      }),
  );
}

async function changeHosts(id: string, before: Properties, now: Properties): Promise<void> {
  const [old, wanted] = [hosts(before), hosts(now)];
  const change = (verb: string, host: string) =>
    virsh().describe(["net-update", id, verb, "dns-host", "--xml"], host, "--live", "--config");
  for (const [ip, host] of old) if (wanted.get(ip) !== host) await change("delete", host);
  for (const [ip, host] of wanted) if (old.get(ip) !== host) await change("add", host);
}

const changeable = /^(autostart|dns\.hosts)\b/;
const fixed = /^(name|mode|domain|bridge|addresses|dhcp|routes)\b/;

/** A virtual network with a bridge on the computer of libvirt. */
export const network: Resource = {
  inputs: {
    name: required(text),
    mode: oneOf(["nat", "none", "route", "open"]),
    domain: text,
    bridge: text,
    mtu: whole(68, 65_536),
    addresses: listOf(cidr),
    autostart: flag,
    dhcp: object({ enabled: flag }),
    dns: object({
      enabled: flag,
      localOnly: flag,
      hosts: listOf(object({ hostname: required(text), ip: required(text) })),
      forwarders: listOf(object({ address: text, domain: text })),
    }),
    routes: listOf(object({ cidr: required(cidr), gateway: required(text) })),
    xml,
  },
  replaces: (path) => fixed.test(path),
  deleteBeforeReplace: (state, inputs) => state.properties.name === inputs.name,
  plan: () => ({}),
  create: async (inputs) => {
    const name = String(inputs.name);
    await virsh().describe(["net-define"], await transformed(description(inputs), xsltOf(inputs)));
    const id = await virsh().call("net-uuid", name);
    const made = { id, outputs: {} };
    try {
      await virsh().call("net-start", id);
      if (inputs.autostart === true) await virsh().call("net-autostart", id);
    } catch (error) {
      throw new Unfinished((error as Error).message, made);
    }
    return made;
  },
  read: async ({ id, inputs }) => {
    const info = await unlessMissing(virsh().table("net-info", id));
    if (info === undefined) return undefined;
    // The real plugin does not see that a network was stopped. Here it counts as not started, so that the next update starts it.
    const autostart = info.Active === "yes" && info.Autostart === "yes";
    const same = autostart === (inputs.autostart ?? false) && info.Active === "yes";
    const found = same ? inputs : { ...inputs, autostart };
    return { inputs: found, outputs: { autostart } };
  },
  update: async (state, inputs, context) => {
    const { id } = state;
    warnOfOthers(state.inputs, inputs, context);
    const { Active } = await virsh().table("net-info", id);
    if (Active !== "yes") await virsh().call("net-start", id);
    await virsh().call("net-autostart", id, ...(inputs.autostart === true ? [] : ["--disable"]));
    await changeHosts(id, state.inputs, inputs);
    return { autostart: inputs.autostart ?? false };
  },
  delete: async ({ id }) => {
    const info = await unlessMissing(virsh().table("net-info", id));
    if (info?.Active === "yes") await virsh().call("net-destroy", id);
    if (info !== undefined) await virsh().call("net-undefine", id);
  },
};

function warnOfOthers(old: Properties, now: Properties, context: Context): void {
  for (const path of changes(old, now).keys())
    if (!changeable.test(path))
      context.warn(`${path}: has no effect on a network that exists, as with the real plugin`);
}
