import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { type Graph, runProgram } from "./support/program.ts";
import type { Registration } from "./support/record.ts";
import { FakeVirsh } from "./support/virsh.ts";

const machines = ["lb", "cp1", "cp2", "cp3", "worker1", "worker2"];
const domainType = "libvirt:index/domain:Domain";
const networkType = "libvirt:index/network:Network";
const poolType = "libvirt:index/pool:Pool";
const volumeType = "libvirt:index/volume:Volume";
const seedType = "libvirt:index/cloudInitDisk:CloudInitDisk";
const kinds = [domainType, networkType, poolType, volumeType, seedType];
const former = "f".repeat(64);

describe("the program on libvirt", () => {
  let virsh: FakeVirsh;
  let image: string;
  let sha256: string;
  let graph: Graph;

  /** Runs the program; the builds are what the state remembers of machines that are made, by the name of their record. */
  const onLibvirt = async (
    libvirt: object = {},
    {
      builds = {},
      others = {},
      preview = false,
    }: { builds?: Record<string, unknown>; others?: object; preview?: boolean } = {},
  ) =>
    (
      await runProgram({
        preview,
        settings: (settings) => {
          settings.platform = "libvirt";
          settings.artifacts = {};
          settings.libvirt = {
            privateKeyFile: path.join(virsh.folder, "key"),
            image: { source: image },
            ...libvirt,
          };
          Object.assign(settings, others);
        },
        outputs: ({ type, name }) =>
          type === "pulumi:index:Stash" && name in builds ? { output: builds[name] } : undefined,
      })
    ).graph;

  before(async () => {
    virsh = new FakeVirsh();
    image = path.join(virsh.folder, "image.qcow2");
    writeFileSync(image, "an image");
    sha256 = createHash("sha256").update("an image").digest("hex");
    writeFileSync(`${image}.sha256`, `${sha256}  image.qcow2\n`);
    const openssh = Buffer.from("openssh-key-v1\0\0\0\0\x04none", "latin1").toString("base64");
    writeFileSync(
      path.join(virsh.folder, "key"),
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${openssh}\n-----END OPENSSH PRIVATE KEY-----\n`,
    );
    writeFileSync(path.join(virsh.folder, "key.pub"), "ssh-ed25519 AAAA operator\n");
    graph = await onLibvirt();
  });
  after(() => virsh.remove());

  const found = (graph: Graph, type: string, name: string): Registration => {
    const one = graph.ofType(type).find((resource) => resource.name === name);
    assert.ok(one, `${type} ${name}`);
    return one;
  };
  const short = () => sha256.slice(0, 12);

  it("makes a network with fixed addresses and no DHCP", () => {
    const [network, ...more] = graph.ofType(networkType);
    assert.deepEqual(more, []);
    assert.deepEqual(network!.inputs, {
      name: "kthw-mocks",
      mode: "nat",
      addresses: ["10.240.0.0/24"],
      dhcp: { enabled: false },
      autostart: true,
    });
  });
  it("makes a pool in a folder of its own", () => {
    assert.deepEqual(
      graph.ofType(poolType).map(({ inputs }) => inputs),
      [
        {
          name: "kthw-mocks",
          type: "dir",
          target: { path: "/var/lib/libvirt/images/kthw-mocks" },
        },
      ],
    );
  });
  it("gives libvirt a verified copy of the image, named by its checksum", () => {
    const base = found(graph, volumeType, `machines:base-${short()}`);
    const copy = found(graph, "command:local:Command", `machines:image-${short()}`);
    assert.deepEqual(base.inputs, {
      name: `base-${short()}.qcow2`,
      pool: "kthw-mocks",
      source: `.cache/images/${sha256}`,
      format: "qcow2",
    });
    assert.deepEqual(copy.inputs.environment, {
      KTHW_SOURCE: image,
      KTHW_SHA256: sha256,
      KTHW_COPY: `.cache/images/${sha256}`,
    });
    for (const type of kinds)
      for (const one of graph.ofType(type)) assert.ok(graph.awaited(one).has(copy), one.name);
  });
  it("makes a disk on the image for each machine, with the size of its role", () => {
    const sizes = machines.map((name) => {
      const { inputs } = found(graph, volumeType, `${name}:disk`);
      assert.equal(inputs.baseVolumeId, `machines:base-${short()}-id`);
      assert.equal(inputs.name, `${name}.qcow2`);
      return Number(inputs.size) / 1024 ** 3;
    });
    assert.deepEqual(sizes, [4, 10, 10, 10, 10, 10]);
  });
  it("makes a domain for each machine", () => {
    const all = graph.ofType(domainType);
    assert.deepEqual(
      all.map(({ name }) => name),
      machines,
    );
    const { xml, ...inputs } = found(graph, domainType, "cp1").inputs;
    assert.deepEqual(inputs, {
      name: "kthw-mocks-cp1",
      type: "kvm",
      cpu: { mode: "host-passthrough" },
      vcpu: 2,
      memory: 2048,
      autostart: true,
      running: true,
      cloudinit: "cp1:cloud-init-id",
      disks: [{ volumeId: "cp1:disk-id" }],
      networkInterfaces: [{ networkId: "machines:network-id", mac: "52:54:00:f0:00:0b" }],
      consoles: [{ type: "pty", targetPort: "0", targetType: "serial" }],
    });
  });
  it("emulates machines, without the computer's own CPU", async () => {
    const graph = await onLibvirt({ domainType: "qemu" });
    const { type, cpu } = found(graph, domainType, "cp1").inputs;
    assert.deepEqual([type, cpu], ["qemu", undefined]);
  });
  it("boots by UEFI, with variables of the machine's own", async () => {
    const graph = await onLibvirt({ firmware: "uefi", uri: "qemu+ssh://root@192.0.2.1/system" });
    const { firmware, nvram } = found(graph, domainType, "cp1").inputs;
    assert.deepEqual(
      { firmware, nvram },
      {
        firmware: "/usr/share/OVMF/OVMF_CODE_4M.fd",
        nvram: {
          file: "/var/lib/libvirt/qemu/nvram/kthw-mocks-cp1_VARS.fd",
          template: "/usr/share/OVMF/OVMF_VARS_4M.fd",
        },
      },
    );
  });
  it("tells each machine at its first boot what it needs, as a secret", () => {
    const { userData, metaData, networkConfig } = found(graph, seedType, "cp1:cloud-init").inputs;
    const { secret } = userData as { secret: string };
    assert.match(secret, /^#cloud-config\n/);
    const told = parse(secret);
    assert.equal(told.hostname, "cp1");
    assert.deepEqual(told.users, [
      { name: "root", ssh_authorized_keys: ["ssh-ed25519 AAAA operator"] },
    ]);
    assert.match(told.ssh_keys.ed25519_private, /cp1:host-key/);
    for (const line of ["10.240.0.10 lb", "10.240.0.22 worker2"])
      assert.ok(told.write_files[0].content.split("\n").includes(line), line);
    assert.deepEqual(parse(String(metaData)), {
      "instance-id": "kthw-mocks-cp1-1",
      "local-hostname": "cp1",
    });
    const { machine } = parse(String(networkConfig)).ethernets;
    assert.deepEqual(machine.match, { macaddress: "52:54:00:f0:00:0b" });
    assert.deepEqual(machine.addresses, ["10.240.0.11/24"]);
    assert.deepEqual(machine.routes, [{ to: "0.0.0.0/0", via: "10.240.0.1" }]);
  });
  it("has no key but in secrets", () => {
    for (const type of [...kinds, "command:local:Command"])
      for (const { inputs, name } of graph.ofType(type)) {
        const { userData, ...open } = inputs;
        assert.doesNotMatch(JSON.stringify(open), /TOP SECRET|PRIVATE KEY/, name);
        assert.equal(typeof userData !== "string", true, name);
      }
  });
  it("verifies each machine by its key from the first connection on", () => {
    const { connection } = graph.command("cp1:node").inputs as {
      connection: Record<string, unknown>;
    };
    const { host, user, hostKey } = (connection.secret ?? connection) as Record<string, unknown>;
    assert.deepEqual([host, user, hostKey], ["10.240.0.11", "root", "ssh-ed25519 cp1:host-key\n"]);
  });
  it("reaches the machines of another computer through a jump box", async () => {
    const graph = await onLibvirt({
      uri: "qemu+ssh://root@libvirt.example.com/system",
      jumpBox: { host: "libvirt.example.com" },
    });
    const { connection } = graph.command("cp1:node").inputs as {
      connection: Record<string, unknown>;
    };
    const { proxy } = (connection.secret ?? connection) as { proxy: Record<string, unknown> };
    assert.deepEqual([proxy.host, proxy.user], ["libvirt.example.com", "root"]);
  });
  it("waits for the first boot before anything is put on a machine", () => {
    for (const machine of machines)
      for (const command of graph.commands(machine))
        if (command.name !== `${machine}:names`)
          assert.ok(graph.waits(command.name, `${machine}:names`), command.name);
    for (const machine of machines) {
      const names = graph.command(`${machine}:names`);
      assert.ok(graph.awaited(names).has(found(graph, domainType, machine)));
      assert.ok(
        graph.awaited(names).has(found(graph, "command:local:Command", `${machine}:running`)),
      );
    }
  });
  it("skips the deletes of what goes with its machine", () => {
    for (const machine of machines) {
      const { urn } = found(graph, domainType, machine);
      for (const command of graph.commands(machine))
        assert.equal(command.deletedWith, urn, command.name);
    }
  });
  it("renders the same a second time", async () => {
    virsh.answers(Object.fromEntries(machines.map((name) => [`kthw-mocks-${name}`, "0a"])), [
      "kthw-mocks",
    ]);
    // A record keeps its first value, which has the id of its update.
    const texts = async () =>
      (await onLibvirt()).resources
        .filter(({ type }) => type !== "pulumi:index:Stash")
        .map(({ urn, inputs }) => [urn, JSON.stringify(inputs)])
        .sort();
    assert.deepEqual(await texts(), await texts());
  });
  it("registers in a preview what an update registers", async () => {
    const urns = (graph: Graph) => graph.resources.map(({ urn }) => urn).sort();
    assert.deepEqual(urns(await onLibvirt({}, { preview: true })), urns(graph));
  });

  describe("with machines that run", () => {
    const boots = (graph: Graph) =>
      Object.fromEntries(
        machines.map((name) => {
          const { inputs } = found(graph, "command:local:Command", `${name}:running`);
          return [name, (inputs.environment as Record<string, string>).KTHW_BOOT];
        }),
      );
    const noted = Object.fromEntries(machines.map((name, index) => [name, `a${index}`]));
    const domains = Object.fromEntries(
      machines.map((name) => [`kthw-mocks-${name}`, noted[name]!]),
    );

    it("leaves them alone", async () => {
      virsh.answers(domains, ["kthw-mocks"]);
      assert.deepEqual(boots(await onLibvirt()), noted);
    });
    it("starts one that was stopped", async () => {
      const { "kthw-mocks-cp2": _, ...others } = domains;
      virsh.answers(others, ["default", "kthw-mocks"]);
      const { cp2, ...left } = boots(await onLibvirt());
      assert.match(cp2!, /^[0-9a-f]{32}$/);
      assert.deepEqual({ ...left, cp2: noted.cp2 }, noted);
    });
    it("looks at each again where the network was stopped", async () => {
      virsh.answers(domains, ["default"]);
      for (const [name, boot] of Object.entries(boots(await onLibvirt())))
        assert.match(boot!, /^[0-9a-f]{32}$/, name);
    });
    it("changes nothing where no virsh can tell", async () => {
      const { PATH } = process.env;
      const bin = path.join(virsh.folder, "without");
      mkdirSync(bin);
      process.env.PATH = bin;
      try {
        const { ignoreChanges } = found(await onLibvirt(), "command:local:Command", "cp1:running");
        assert.deepEqual(ignoreChanges, ["environment"]);
      } finally {
        process.env.PATH = PATH;
      }
      assert.deepEqual(found(graph, "command:local:Command", "cp1:running").ignoreChanges, []);
    });
  });

  describe("with machines that are there", () => {
    const build = {
      source: "/srv/former.qcow2",
      sha256: former,
      vcpus: 7,
      memoryMiB: 7_000,
      diskGiB: 7,
      domainType: "kvm",
      firmware: "bios",
      machines: [{ name: "cp1", address: "10.240.0.11" }],
      update: "the first",
    };
    const all = Object.fromEntries(
      machines.flatMap((name) => [
        [`${name}:first-update`, build.update],
        [`${name}:build-1`, build],
      ]),
    );
    const sizes = (graph: Graph, name: string) => {
      const domain = found(graph, domainType, name);
      const disk = found(graph, volumeType, `${name}:disk`);
      return [domain.inputs.vcpu, domain.inputs.memory, disk.inputs.baseVolumeId];
    };
    const formerly = [7, 7_000, "machines:base-ffffffffffff-id"];

    it("keeps them as they were made, and the image that they stand on", async () => {
      const graph = await onLibvirt({}, { builds: all });
      for (const name of machines) assert.deepEqual(sizes(graph, name), formerly, name);
      const bases = graph.ofType(volumeType).filter(({ name }) => name.startsWith("machines:"));
      assert.deepEqual(
        bases.map(({ name }) => name),
        ["machines:base-ffffffffffff"],
      );
    });
    it("makes a new one from today's image, and keeps the former one too", async () => {
      const { "worker2:build-1": _, ...others } = all;
      const graph = await onLibvirt({}, { builds: others });
      assert.deepEqual(sizes(graph, "worker1"), formerly);
      assert.deepEqual(sizes(graph, "worker2"), [2, 1_536, `machines:base-${short()}-id`]);
      const { inputs } = found(graph, seedType, "worker1:cloud-init");
      assert.doesNotMatch(JSON.stringify(inputs.userData), /worker2/);
      assert.match(String(graph.command("worker1:names").inputs.stdin), /10.240.0.22 worker2\n/);
    });
    it("makes one anew when its generation is raised, its disk and first boot with it", async () => {
      const raised = { machines: [{ name: "cp2", generation: 2 }] };
      const graph = await onLibvirt(raised, { builds: all });
      assert.deepEqual(sizes(graph, "cp1"), formerly);
      assert.deepEqual(sizes(graph, "cp2"), [2, 2_048, `machines:base-${short()}-id`]);
      for (const [name, trigger] of [
        ["cp1", 1],
        ["cp2", 2],
      ] as const)
        for (const [type, resource] of [
          [domainType, name],
          [volumeType, `${name}:disk`],
          [seedType, `${name}:cloud-init`],
        ] as const) {
          const { replacementTrigger, deleteBeforeReplace } = found(graph, type, resource);
          assert.equal(replacementTrigger, trigger, resource);
          assert.ok(deleteBeforeReplace, resource);
        }
    });
    it("ignores what would replace one otherwise", () => {
      const { ignoreChanges } = found(graph, domainType, "cp1");
      for (const replaces of ["disks", "memory", "vcpu", "type", "firmware"])
        assert.ok(ignoreChanges.includes(replaces), replaces);
      assert.deepEqual(found(graph, volumeType, "cp1:disk").ignoreChanges, [
        "baseVolumeId",
        "size",
      ]);
      assert.deepEqual(found(graph, seedType, "cp1:cloud-init").ignoreChanges, [
        "userData",
        "metaData",
        "networkConfig",
      ]);
    });
    it("remembers a machine until everything of it has gone", () => {
      for (const name of machines)
        for (const record of [`${name}:build-1`, `${name}:first-update`, `${name}:address`])
          assert.ok(
            graph
              .awaited(found(graph, volumeType, `${name}:disk`))
              .has(found(graph, "pulumi:index:Stash", record)),
            record,
          );
    });
  });
});
