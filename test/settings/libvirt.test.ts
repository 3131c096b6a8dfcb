import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { rawSettings } from "../../settings/load.ts";
import { imageFrom } from "../../stacks/libvirt/image.ts";
import { libvirt } from "../../stacks/libvirt/platform.ts";
import { preflight, problemOfKvm, problemOfRoom } from "../../stacks/libvirt/preflight.ts";
import { whatRuns } from "../../stacks/libvirt/virsh.ts";
import {
  type Change,
  changed,
  mistakes,
  type Row,
  read as readProject,
  settings,
} from "../support/settings.ts";
import { FakeVirsh } from "../support/virsh.ts";

const sha256 = "0".repeat(64);
const openssh = Buffer.from("openssh-key-v1\0\0\0\0\x04none", "latin1").toString("base64");
const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${openssh}\n-----END OPENSSH PRIVATE KEY-----\n`;
const files: Readonly<Record<string, string>> = {
  "/home/operator/.ssh/id_ed25519": key,
  "/home/operator/.ssh/id_ed25519.pub": "ssh-ed25519 AAAA\n",
  "/keys/alone": key,
  "/keys/half.pub": "ssh-ed25519 AAAA\n",
  "/srv/summed.qcow2.sha256": `${"1".repeat(64)}  summed.qcow2\n`,
};
const read = (file: string): string => {
  if (file in files) return files[file]!;
  throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
};

/** Settings of machines of libvirt with a change of theirs. */
function onLibvirt(change: Change = {}): Record<string, unknown> {
  const image = { source: "/srv/debian.qcow2", sha256 };
  return changed({ platform: "libvirt", "libvirt.image": image, ...change });
}

describe("settings of libvirt's machines", () => {
  it("need nothing", () =>
    assert.deepEqual(mistakes(onLibvirt({ "libvirt.image": undefined }), { read }), []));
  it("need only the public half of a key that an agent has", () => {
    const agent = { read, env: { SSH_AUTH_SOCK: "/run/agent" }, keysOfAgent: () => 1 };
    const found = (file: string) =>
      mistakes(onLibvirt({ "libvirt.useAgent": true, "libvirt.privateKeyFile": file }), agent);
    assert.deepEqual(found("/keys/half"), []);
    assert.deepEqual(found("/keys/alone"), [
      "libvirt.privateKeyFile: no public key beside it, got /keys/alone; write the line of the agent's key there, which ssh-add -L shows, to /keys/alone.pub",
    ]);
  });
  it("have defaults", () => {
    assert.deepEqual(settings(onLibvirt(), { read }).libvirt, {
      uri: "qemu:///system",
      domainType: "kvm",
      firmware: "bios",
      autostart: true,
      poolFolder: "/var/lib/libvirt/images",
      networkMode: "nat",
      image: { source: "/srv/debian.qcow2", sha256 },
      sizes: {
        loadBalancer: { vcpus: 1, memoryMiB: 512, diskGiB: 4 },
        controller: { vcpus: 2, memoryMiB: 2_048, diskGiB: 10 },
        worker: { vcpus: 2, memoryMiB: 1_536, diskGiB: 10 },
      },
      privateKeyFile: "~/.ssh/id_ed25519",
      useAgent: false,
      machines: [],
    });
  });
  it("may be those of Pulumi.dev.yaml", () => {
    const { config } = parse(readProject("Pulumi.dev.yaml")) as { config: Record<string, unknown> };
    const texts = Object.entries(config).map(([key, value]) => [
      key,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]);
    const written = rawSettings(Object.fromEntries(texts)) as { libvirt: object };
    const image = { source: "/srv/debian.qcow2", sha256 };
    const all = settings({ ...written, libvirt: { ...written.libvirt, image } }, { read });
    assert.equal(all.platform, "libvirt");
    assert.equal(all.network, "weave");
    assert.equal(all.controllers.length, 3);
  });
  it("lead to the API's load balancer, or to where the operator reaches it", () => {
    const endpoint = (change: Change) => {
      const all = settings(onLibvirt(change), { read });
      return libvirt.endpoint(all).fromOperator;
    };
    assert.deepEqual(endpoint({}), { host: "10.240.0.10", port: 6443 });
    const elsewhere = { host: "api.example.com", port: 443 };
    assert.deepEqual(endpoint({ "libvirt.endpoint": elsewhere }), elsewhere);
  });
  it("may not change what is under the machines", () => {
    assert.deepEqual(libvirt.unchanging(settings(onLibvirt(), { read })), {
      machineCidr: "10.240.0.0/24",
      "libvirt.networkMode": "nat",
      "libvirt.poolFolder": "/var/lib/libvirt/images",
    });
  });

  const leastSizes = (role: string, memoryMiB: number, diskGiB: number): Row[] => [
    [
      { [`libvirt.sizes.${role}.memoryMiB`]: memoryMiB - 1 },
      `libvirt.sizes.${role}.memoryMiB: too small for what runs there, got ${memoryMiB - 1}; use at least ${memoryMiB}`,
    ],
    [
      { [`libvirt.sizes.${role}.diskGiB`]: diskGiB - 1 },
      `libvirt.sizes.${role}.diskGiB: too small for what runs there, got ${diskGiB - 1}; use at least ${diskGiB}`,
    ],
  ];
  const rows: readonly Row[] = [
    [
      { "libvirt.uri": "xen:///system" },
      "libvirt.uri: not the address of a libvirt with QEMU, got xen:///system; write it like qemu:///system or qemu+ssh://root@192.0.2.1/system",
    ],
    [
      { "libvirt.uri": "qemu+shh://root@192.0.2.1/system" },
      "libvirt.uri: not the address of a libvirt with QEMU, got qemu+shh://root@192.0.2.1/system; write it like qemu:///system or qemu+ssh://root@192.0.2.1/system",
    ],
    [
      { "libvirt.domainType": "xen" },
      "libvirt.domainType: not a type of domain, got xen; use one of kvm, qemu",
    ],
    [
      { "libvirt.firmware": "efi" },
      "libvirt.firmware: not a firmware, got efi; use one of bios, uefi",
    ],
    [
      { "libvirt.networkMode": "bridge" },
      "libvirt.networkMode: not a mode of a network, got bridge; use one of nat, none, route, open",
    ],
    [
      { "libvirt.poolFolder": "images" },
      "libvirt.poolFolder: not an absolute folder, got images; write it like /var/lib/libvirt/images",
    ],
    [
      { "libvirt.image.source": "debian.qcow2" },
      "libvirt.image.source: neither the path of a file nor an http(s) address, got debian.qcow2; write it like /srv/debian-12.qcow2 or https://mirror.example.com/debian-12.qcow2",
    ],
    [
      { "libvirt.image.sha256": "abc" },
      "libvirt.image.sha256: not a SHA-256 checksum, got abc; write its 64 small hexadecimal digits, as sha256sum prints them",
    ],
    [
      { "libvirt.image": { source: "https://mirror.example.com/debian.qcow2" } },
      "libvirt.image.sha256: needed for an image of a server, got nothing; write the SHA-256 that the image's publisher gives",
    ],
    ...leastSizes("loadBalancer", 200, 2),
    ...leastSizes("controller", 1_700, 6),
    ...leastSizes("worker", 900, 5),
    [
      { "libvirt.sizes.worker.vcpus": 0 },
      "libvirt.sizes.worker.vcpus: not a number of virtual CPUs, got 0; use a whole number from 1 to 512",
    ],
    [
      { "controllers[0].address": "10.240.0.1" },
      "controllers[0].address: the address of the machines' gateway, got 10.240.0.1; choose a free one in machineCidr 10.240.0.0/24",
    ],
    [
      { "controllers[0].address": "10.99.0.11" },
      "controllers[0].address: not in machineCidr 10.240.0.0/24, got 10.99.0.11; choose a free one in it",
    ],
    [{ architecture: "arm64" }, "architecture: not that of domains, got arm64; use amd64"],
    [
      { "artifacts.mirror": "/srv/kthw" },
      "artifacts.mirror: out of reach for virtual machines, got /srv/kthw; serve the folder over http, and write that address",
    ],
    [
      { "libvirt.machines": [{ name: "cp9" }] },
      "libvirt.machines[0].name: the name of no machine, got cp9; use the name of a load balancer, controller or worker",
    ],
    [
      { "libvirt.machines": [{ name: "cp1", generation: 0 }] },
      "libvirt.machines[0].generation: not a positive whole number, got 0; use 1 or more",
    ],
    [
      { "libvirt.privateKeyFile": "/keys/none" },
      "libvirt.privateKeyFile: no such file, got /keys/none; name the file of a private key for SSH",
    ],
    [
      { "libvirt.privateKeyFile": "/keys/alone" },
      "libvirt.privateKeyFile: no public key beside it, got /keys/alone; write it by ssh-keygen -y -f /keys/alone >/keys/alone.pub",
    ],
    [
      { "libvirt.jumpBox": { host: "192.0.2.1", privateKeyFile: "/keys/none" } },
      "libvirt.jumpBox.privateKeyFile: no such file, got /keys/none; name the file of a private key for SSH",
    ],
  ];
  for (const [change, ...expected] of rows)
    it(expected[0]!, () => assert.deepEqual(mistakes(onLibvirt(change), { read }), expected));

  it("are not for a stack whose name is too long for domains", () => {
    const stack = "a".repeat(41);
    assert.deepEqual(mistakes(onLibvirt(), { read, stack }), [
      `stack: not usable in the names of domains, got ${stack}; name the stack with up to 40 small letters, digits and inner dashes, like dev`,
    ]);
  });
});

describe("an image of libvirt's machines", () => {
  const surroundings = { home: "/home/operator", read };

  it("may have its checksum in a file beside it", () => {
    const image = { source: "/srv/summed.qcow2", sha256: "1".repeat(64) };
    assert.deepEqual(imageFrom({ source: "/srv/summed.qcow2" }, surroundings), image);
  });
  it("needs its checksum", () =>
    assert.deepEqual(imageFrom({ source: "/srv/debian.qcow2" }, surroundings), {
      mistakes: [
        "libvirt.image.sha256: needed for an image without its checksum beside it, got nothing; write it, or make /srv/debian.qcow2.sha256 by sha256sum",
      ],
    }));
  it("is the one that was built, without settings", () =>
    assert.deepEqual(imageFrom(undefined, surroundings), {
      mistakes: ["libvirt.image: none was built, got nothing; run make image, or name an image"],
    }));
  it("may be in the user's home folder", () => {
    const image = { source: "/home/operator/debian.qcow2", sha256 };
    assert.deepEqual(imageFrom({ source: "~/debian.qcow2", sha256 }, surroundings), image);
  });
});

describe("what is looked at before libvirt's machines are made", () => {
  let folder: string;
  let image: string;
  const sum = createHash("sha256").update("an image").digest("hex");
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-libvirt-"));
    image = path.join(folder, "image.qcow2");
    writeFileSync(image, "an image");
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Without the room, which is this computer's. */
  const look = async (change: Change, own: Parameters<typeof preflight>[1], isMade = false) => {
    const common = { "libvirt.poolFolder": folder, "libvirt.domainType": "qemu" };
    const all = settings(onLibvirt({ ...common, ...change }), { read });
    const names = ["lb", "cp1", "cp2", "cp3", "worker1", "worker2"];
    const builds = new Map(
      names.map((name) => [
        name,
        {
          build: {
            ...("mistakes" in own ? { source: "", sha256: "a build's" } : own),
            ...all.libvirt.sizes.worker,
            domainType: "kvm" as const,
            firmware: "bios" as const,
            machines: [],
          },
          generation: 1,
          isMade,
          records: [],
        },
      ]),
    );
    const found = await preflight(all, own, builds);
    return found.filter((mistake) => !mistake.startsWith("libvirt.poolFolder: without the room"));
  };

  it("is the image's checksum", async () => {
    assert.deepEqual(await look({}, { source: image, sha256: sum }), []);
    assert.deepEqual(await look({}, { source: image, sha256 }), [
      `libvirt.image: ${image} has another checksum than ${sha256}, got ${sum}; take the image anew, or correct its checksum`,
    ]);
  });
  it("is whether the image is there", async () => {
    assert.deepEqual(await look({}, { source: "/no/image", sha256 }), [
      "libvirt.image: no such file, got /no/image; put the image there, or name another one",
    ]);
  });
  it("is whether there is an image at all", async () => {
    const none = { mistakes: ["libvirt.image: none was built"] };
    assert.deepEqual(await look({}, none), none.mistakes);
    assert.deepEqual(await look({}, none, true), []);
  });
  it("is the device of the kernel for machines that are not emulated", async () => {
    assert.deepEqual(problemOfKvm(image), []);
    const device = path.join(folder, "kvm");
    const mistake = (device: string) =>
      `libvirt.domainType: without ${device} on this computer, got kvm; use qemu, with timeoutFactor 10, or load the module kvm-intel or kvm-amd`;
    assert.deepEqual(problemOfKvm(device), [mistake(device)]);
    const own = { source: image, sha256: sum };
    const ofKvm = existsSync("/dev/kvm") ? [] : [mistake("/dev/kvm")];
    assert.deepEqual(await look({ "libvirt.domainType": "kvm" }, own), ofKvm);
    const uri = "qemu+ssh://root@192.0.2.1/system";
    const elsewhere = { "libvirt.domainType": "kvm", "libvirt.uri": uri };
    assert.deepEqual(await look(elsewhere, own), []);
  });
  it("is the room in the pool, for the image and what each role needs", () => {
    const { bavail, bsize } = statfsSync(folder);
    const freeMiB = Math.floor((bavail * bsize) / 1024 ** 2);
    const machines = [{ role: "controller" }, { role: "worker" }] as const;
    const below = path.join(folder, "not", "there", "yet");
    assert.deepEqual(problemOfRoom(below, freeMiB / 4 - 7_168, machines), []);
    assert.match(
      problemOfRoom(below, 2 * freeMiB, machines).join("\n"),
      new RegExp(
        `^libvirt.poolFolder: without the room of ${2 * freeMiB + 7_168} MiB that the image and 2 new machines need, got \\d+ MiB in ${below}; free some, or choose another folder$`,
      ),
    );
  });
  it("is nothing of what machines that are there were made from", async () =>
    assert.deepEqual(await look({}, { source: "/no/image", sha256 }, true), []));
});

describe("what runs on a libvirt", () => {
  let virsh: FakeVirsh;
  before(() => {
    virsh = new FakeVirsh();
  });
  after(() => virsh.remove());

  it("is told by virsh, with what was noted at each start", async () => {
    virsh.answers({ "kthw-dev-cp1": "0a1b", "kthw-dev-lb": "", other: "ff" }, [
      "default",
      "kthw-dev",
    ]);
    const running = await whatRuns("qemu:///system", "kthw-dev");
    assert.deepEqual(
      [...running!.domains],
      [
        ["kthw-dev-cp1", "0a1b"],
        ["kthw-dev-lb", undefined],
      ],
    );
    assert.deepEqual([...running!.networks], ["kthw-dev"]);
    assert.ok(!virsh.calls.some((call) => call.includes("other")), "a domain of somebody else");
  });
  it("is not to be had without a connection", async () => {
    const says = "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock'";
    virsh.fails(`error: failed to connect to the hypervisor\n${says}`);
    await assert.rejects(whatRuns("qemu:///system", "kthw-dev"), { message: says });
  });
  it("is not to be had where one domain's note is not", async () => {
    const other = new FakeVirsh();
    try {
      other.answers({ "kthw-dev-cp1": "0a1b", "kthw-dev-lb": "0c" });
      const says = "error: Cannot recv data: Connection reset by peer";
      other.failsAt("metadata kthw-dev-lb --uri urn:kthw:boot --live", says);
      await assert.rejects(whatRuns("qemu+ssh://root@192.0.2.1/system", "kthw-dev"), {
        message: says,
      });
    } finally {
      other.remove();
    }
  });
  it("is unknown without virsh", async () => {
    const { PATH } = process.env;
    process.env.PATH = virsh.folder;
    try {
      assert.equal(await whatRuns("qemu:///system", "kthw-dev"), undefined);
    } finally {
      process.env.PATH = PATH;
    }
  });
});
