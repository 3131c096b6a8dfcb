import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { writeSeed } from "../plugins/libvirt/cloud-init-disk.ts";
import { provider } from "../plugins/libvirt/index.ts";
import { virsh } from "../plugins/libvirt/virsh.ts";
import { transformed } from "../plugins/libvirt/xml.ts";
import type { State } from "../plugins/protocol/provider.ts";
import type { Properties } from "../plugins/protocol/values.ts";
import { context, has, kind, temporary, wrong } from "./support.ts";

const of = (name: string) =>
  kind(provider, `libvirt:index/${name[0]!.toLowerCase()}${name.slice(1)}:${name}`);
const [pool, volume, network, seed, domain] = [
  of("Pool"),
  of("Volume"),
  of("Network"),
  of("CloudInitDisk"),
  of("Domain"),
];

describe("inputs that are refused", () => {
  const cases: [of: typeof pool, inputs: Properties, field: string, message: RegExp][] = [
    [pool, { name: "p", type: "logical", target: { path: "/p" } }, "type", /one of dir/],
    [pool, { name: "p", type: "dir" }, "target", /Missing required field/],
    [
      pool,
      { name: "p", type: "dir", path: "/p", target: { path: "/p" } },
      "path",
      /not implemented/,
    ],
    [volume, { size: 1 }, "name", /Missing required field/],
    [volume, { name: "v" }, "size", /needs to be specified/],
    [volume, { name: "v", source: "a", size: 1 }, "size", /can't be specified when also 'source'/],
    [volume, { name: "v", source: "https://h/a" }, "source", /the path of a file/],
    [volume, { name: "v", size: 1, format: "vmdk" }, "format", /one of qcow2, raw/],
    [volume, { name: "v", source: "a", baseVolumeId: "/b" }, "source", /also a base volume/],
    [
      volume,
      { name: "v", baseVolumeId: "/b", baseVolumeName: "b" },
      "baseVolumeId",
      /also 'baseVolumeName'/,
    ],
    [
      volume,
      { name: "v", size: 1, baseVolumePool: "p" },
      "baseVolumePool",
      /needs 'baseVolumeName'/,
    ],
    [seed, { name: "s", xml: {} }, "xml", /not implemented/],
    [network, { name: "n", mode: "bridge" }, "mode", /one of nat, none, route, open/],
    [network, { name: "n", addresses: ["fd00::/64"] }, "addresses[0]", /IPv4 range/],
    [network, { name: "n", dnsmasqOptions: {} }, "dnsmasqOptions", /not implemented/],
    [domain, { name: "d", memory: "512" }, "memory", /whole number/],
    [domain, { name: "d", graphics: {} }, "graphics", /not implemented/],
    [domain, { name: "d", disks: [{ file: "/f" }] }, "disks[0].file", /not implemented/],
    [
      domain,
      { name: "d", networkInterfaces: [{ addresses: ["10.0.0.2"] }] },
      "networkInterfaces[0].addresses",
      /not implemented/,
    ],
    [
      domain,
      { name: "d", networkInterfaces: [{ waitForLease: true }] },
      "networkInterfaces[0].waitForLease",
      /not implemented/,
    ],
  ];
  for (const [of, inputs, field, message] of cases)
    it(`${field} ${message.source}`, () => assert.match(wrong(of, inputs)[field] ?? "", message));
});

describe("what a change means", () => {
  const cases: [name: string, of: typeof pool, replaces: string[], not: string[]][] = [
    ["of a pool", pool, ["name", "type", "target.path"], ["xml.xslt"]],
    ["of a volume", volume, ["size", "source", "baseVolumeId", "format"], []],
    ["of a disk for cloud-init", seed, ["userData", "metaData", "networkConfig"], []],
    [
      "of a network",
      network,
      ["name", "mode", "domain", "bridge", "addresses[0]", "dhcp.enabled", "routes[0].cidr"],
      ["autostart", "dns.hosts[0].ip", "mtu"],
    ],
    [
      "of a domain",
      domain,
      ["name", "type", "memory", "vcpu", "cpu.mode", "disks[0].volumeId", "firmware", "nvram.file"],
      ["cloudinit", "autostart", "running", "machine", "arch"],
    ],
  ];
  const state: State = { id: "", properties: { name: "one" }, inputs: {} };
  for (const [name, of, replaces, not] of cases)
    it(name, () => {
      for (const path of replaces) assert.ok(of.replaces(path, state, {}), path);
      for (const path of not) assert.ok(!of.replaces(path, state, {}), path);
    });
  it("a thing that keeps its name goes before its successor comes", () => {
    for (const of of [pool, volume, seed, network, domain]) {
      assert.equal(of.deleteBeforeReplace?.(state, { name: "one" }), true);
      assert.equal(of.deleteBeforeReplace?.(state, { name: "two" }), false);
    }
  });
});

it("without an address of libvirt nothing is done", () => {
  const { LIBVIRT_DEFAULT_URI } = process.env;
  delete process.env.LIBVIRT_DEFAULT_URI;
  assert.throws(() => provider.configure?.({}), /libvirt:uri: missing/);
  if (LIBVIRT_DEFAULT_URI !== undefined) process.env.LIBVIRT_DEFAULT_URI = LIBVIRT_DEFAULT_URI;
});

it("a seed has the files that cloud-init reads", { skip: !has("mkisofs") }, () => {
  const folder = temporary();
  const image = join(folder, "seed.iso");
  writeSeed(image, folder, { userData: "#cloud-config\n", metaData: "instance-id: a\n" });
  const read = (...args: string[]) =>
    execFileSync("isoinfo", ["-i", image, ...args], { encoding: "utf8" });
  assert.match(read("-d"), /^Volume id: cidata$/m);
  assert.equal(read("-R", "-x", "/user-data"), "#cloud-config\n");
  assert.equal(read("-R", "-x", "/meta-data"), "instance-id: a\n");
  assert.equal(read("-R", "-x", "/network-config"), "");
});

it("a stylesheet changes a description", { skip: !has("xsltproc") }, async () => {
  const xslt = `<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
    <xsl:template match="/pool"><pool type="{name}"/></xsl:template></xsl:stylesheet>`;
  assert.match(await transformed("<pool><name>a</name></pool>", xslt), /<pool type="a"\/>/);
  assert.equal(await transformed("<pool/>", undefined), "<pool/>");
});

// libvirt's own driver for tests: it keeps everything in the memory of the one virsh, and cannot upload.
describe("with libvirt", { skip: !has("virsh") }, () => {
  before(() => provider.configure?.({ uri: "test:///default" }));
  after(() => provider.close?.());

  const state = (made: { id: string; outputs: Properties }, inputs: Properties): State => ({
    id: made.id,
    inputs,
    properties: { ...inputs, ...made.outputs },
  });
  const make = async (of: typeof pool, inputs: Properties): Promise<State> =>
    state(await of.create(inputs, context()), inputs);
  const gone = async (of: typeof pool, made: State) => {
    await of.delete?.(made, context());
    assert.equal(await of.read?.(made, context()), undefined);
    // What went without us is no mistake.
    await of.delete?.(made, context());
  };
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  const poolInputs = { name: "p", type: "dir", target: { path: "/nowhere/p" } };

  it("a libvirt that does not answer says so", async () => {
    provider.configure?.({ uri: "test+unix:///default?socket=/nowhere" });
    await assert.rejects(make(pool, poolInputs), /failed to connect to the hypervisor/);
    provider.configure?.({ uri: "test:///default" });
  });

  it("a pool comes, is read and goes", async () => {
    const made = await make(pool, poolInputs);
    assert.match(made.id, uuid);
    const { State, Autostart } = await virsh().table("pool-info", "p");
    assert.deepEqual([State, Autostart], ["running", "yes"]);
    assert.equal(made.properties.available, 100 * 1024 ** 3);
    assert.deepEqual((await pool.read?.(made, context()))?.inputs, poolInputs);
    await assert.rejects(make(pool, poolInputs), /storage pool 'p' already exists/);
    await gone(pool, made);
  });

  describe("volumes", () => {
    let there: State;
    before(async () => {
      there = await make(pool, poolInputs);
    });
    after(() => pool.delete?.(there, context()));

    it("have their path as id, and the size and format of what they stand on", async () => {
      const base = await make(volume, { name: "base", pool: "p", size: 2 ** 20 });
      assert.equal(base.id, "/nowhere/p/base");
      const over = await make(volume, { name: "over", pool: "p", baseVolumeId: base.id });
      assert.deepEqual([over.properties.size, over.properties.format], [2 ** 20, "qcow2"]);
      const xml = await virsh().call("vol-dumpxml", "--vol", over.id);
      assert.match(
        xml,
        /<backingStore>\s*<path>\/nowhere\/p\/base<\/path>\s*<format type='qcow2'\/>/,
      );
      assert.match(xml, /<mode>0644<\/mode>/);
      const named = { name: "named", pool: "p", baseVolumeName: "base", size: 2 ** 21 };
      const larger = await make(volume, named);
      assert.equal(larger.properties.size, 2 ** 21);
      assert.deepEqual((await volume.read?.(larger, context()))?.inputs, named);
      // A volume goes, whatever stands on it.
      await gone(volume, base);
      await gone(volume, over);
      await gone(volume, larger);
    });
    it("are taken over if they are there", async () => {
      const inputs = { name: "same", pool: "p", size: 2 ** 20 };
      const first = await make(volume, inputs);
      assert.equal((await make(volume, inputs)).id, first.id);
      await gone(volume, first);
    });
    it("are not lost from sight with a pool that was stopped", async () => {
      const made = await make(volume, { name: "kept", pool: "p", size: 2 ** 20 });
      await virsh().call("pool-destroy", "p");
      await assert.rejects(async () => volume.read?.(made, context()), /pool 'p' is not active/);
      await virsh().call("pool-start", "p");
    });
    it("from a file of another format than they say are refused", async () => {
      const source = join(temporary(), "image");
      writeFileSync(source, "QFI\xfb and so on", "latin1");
      await assert.rejects(
        make(volume, { name: "wrong", pool: "p", source, format: "raw" }),
        /explicitly specified for image detected as QCOW2/,
      );
      // Libvirt's driver for tests gets as far as the upload.
      await assert.rejects(
        make(volume, { name: "right", pool: "p", source }),
        /not supported by the connection driver: virStorageVolUpload/,
      );
      assert.match(await virsh().call("vol-dumpxml", "right", "--pool", "p"), /type='qcow2'/);
    });
  });

  it("a network comes, and one that was stopped is seen and started", async () => {
    const inputs = {
      name: "n",
      addresses: ["10.77.0.0/24"],
      dhcp: { enabled: false },
      dns: { hosts: [{ hostname: "a", ip: "10.77.0.2" }] },
      autostart: true,
    };
    const made = await make(network, inputs);
    assert.match(made.id, uuid);
    const xml = await virsh().call("net-dumpxml", "n");
    assert.match(xml, /<forward mode='nat'/);
    assert.match(xml, /<ip family='ipv4' address='10\.77\.0\.1' prefix='24'>/);
    assert.match(xml, /<host ip='10\.77\.0\.2'>\s*<hostname>a</);
    assert.doesNotMatch(xml, /<dhcp>/);
    const read = async () => (await network.read?.(made, context()))!;
    assert.deepEqual((await read()).inputs, inputs);
    await virsh().call("net-destroy", "n");
    assert.equal((await read()).inputs.autostart, false);
    await network.update?.({ ...made, ...(await read()) }, inputs, context());
    assert.deepEqual((await read()).inputs, inputs);
    await gone(network, made);
  });

  it("a network has a range for DHCP, if nothing else is said", async () => {
    const made = await make(network, { name: "n", addresses: ["10.77.0.0/24"], mode: "none" });
    const xml = await virsh().call("net-dumpxml", "n");
    assert.match(xml, /<range start='10\.77\.0\.2' end='10\.77\.0\.254'\/>/);
    assert.doesNotMatch(xml, /<forward/);
    await gone(network, made);
  });

  it("a domain comes, and one that was stopped is seen and started", async () => {
    const inputs = {
      name: "d",
      type: "test",
      arch: "i686",
      memory: 64,
      autostart: true,
      networkInterfaces: [{ networkName: "default", mac: "52:54:00:00:00:01" }],
    };
    const made = await make(domain, inputs);
    assert.match(made.id, uuid);
    const xml = await virsh().call("dumpxml", "d");
    assert.match(xml, /<memory unit='KiB'>65536</);
    assert.match(xml, /<graphics type='spice'/);
    assert.match(xml, /<mac address='52:54:00:00:00:01'\/>\s*<source network='default'/);
    const read = async () => (await domain.read?.(made, context()))!;
    assert.deepEqual((await read()).inputs, inputs);
    await virsh().call("destroy", "d");
    const stopped = await read();
    assert.deepEqual([stopped.inputs.running, stopped.outputs.running], [false, false]);
    await domain.update?.({ ...made, inputs: stopped.inputs }, inputs, context());
    assert.deepEqual((await read()).inputs, inputs);
    await assert.rejects(make(domain, inputs), /domain 'd' already exists/);
    await gone(domain, made);
  });

  it("a change that a domain does not take is told", async () => {
    const inputs = { name: "d", type: "test", arch: "i686", running: false, autostart: false };
    const made = await make(domain, inputs);
    const lines: string[] = [];
    await domain.update?.(made, { ...inputs, machine: "q35" }, context(lines));
    assert.deepEqual(lines, [
      "machine: has no effect on a domain that exists, as with the real plugin",
    ]);
    assert.equal(await virsh().call("domstate", "d"), "shut off");
    await gone(domain, made);
  });
});

it("nothing is left in the folder of the pool", () => assert.ok(!existsSync("/nowhere")));
