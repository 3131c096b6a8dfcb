import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { etcdctl } from "../operations/access/etcdctl.ts";
import { makeFor } from "../operations/access/make.ts";
import { alarmsIn, machinesWith } from "../operations/etcd/controllers.ts";
import { hindrances, isNewer, readTold, type Told } from "../operations/etcd/restorable.ts";
import { waitForNodes } from "../operations/etcd/restore.ts";
import { isWhole, parseText } from "../operations/etcd/snapshot.ts";
import { nearlyFullIn } from "../operations/smoke/etcd.ts";
import { etcd } from "../services/etcd.ts";
import { cluster } from "./support/facts.ts";

describe("a snapshot", () => {
  const folder = mkdtempSync(join(tmpdir(), "kthw-snapshot-"));
  after(() => rmSync(folder, { recursive: true }));
  const written = (content: Buffer) => {
    const path = join(folder, randomBytes(4).toString("hex"));
    writeFileSync(path, content);
    return path;
  };
  const pages = randomBytes(3 * 4096);
  const sum = createHash("sha256").update(pages).digest();

  it("is whole with the checksum of all before at its end, and else not", async () => {
    assert.equal(await isWhole(written(Buffer.concat([pages, sum]))), true);
    const changed = Buffer.from(pages);
    changed[5000]! ^= 1;
    const wrong = [
      Buffer.concat([changed, sum]),
      Buffer.concat([pages, sum]).subarray(0, -512),
      Buffer.concat([pages.subarray(512), sum]),
      pages,
      sum,
      Buffer.alloc(0),
    ];
    for (const content of wrong) assert.equal(await isWhole(written(content)), false);
  });

  it("has a text beside it that tells of keys by name", () => {
    const text =
      "cluster: kubernetes\ntaken: 2026-11-27T15:00:00Z\nkubernetes: 1.36.4\nencryption: aescbc/key1 secretbox/key2\n";
    assert.deepEqual(parseText(text), {
      taken: "2026-11-27T15:00:00Z",
      kubernetes: "1.36.4",
      encryption: ["aescbc/key1", "secretbox/key2"],
    });
    assert.deepEqual(parseText("encryption: \n"), { encryption: [] });
  });
});

describe("a restore", () => {
  const names = ["cp1", "cp2", "cp3"];
  const output = (free: number, key = "key1") =>
    [
      "etcd 3.6.14",
      "kubernetes 1.36.4",
      `free  ${free}`,
      ...names.map((name, at) => `member ${name} https://10.240.0.1${at + 1}:2380 https://x:2379`),
      `key ${key}`,
    ].join("\n");
  const told = (...differing: Partial<Told>[]) =>
    new Map(names.map((name, at) => [name, { ...readTold(output(1e9)), ...differing[at] }]));
  const candidate = {
    path: "backups/x.db",
    bytes: 10_485_760,
    kubernetes: "1.36.4",
    encryption: ["aescbc/key1"],
  };

  it("reads what a controller tells", () => {
    assert.deepEqual(readTold(output(7)), {
      etcd: "3.6.14",
      kubernetes: "1.36.4",
      freeBytes: 7,
      members: names.map((name, at) => ({ name, peer: `https://10.240.0.1${at + 1}:2380` })),
      keys: ["key1"],
    });
  });

  it("has nothing against controllers that fit", () => {
    assert.deepEqual(hindrances(candidate, told(), []), []);
    assert.deepEqual(hindrances({ ...candidate, encryption: [] }, told({ keys: [] }), []), []);
    const [cp1] = told();
    assert.deepEqual(hindrances(candidate, new Map([cp1!]), ["cp2", "cp3"]), []);
  });

  it("names all that hinders it at once", () => {
    const [cp1, cp2] = told()
      .get("cp1")!
      .members.map((one) => one);
    assert.deepEqual(
      hindrances(
        { ...candidate, kubernetes: "1.37.0", encryption: ["aescbc/key0"] },
        told({ freeBytes: 1_048_576 }, { members: [cp1!, cp2!] }, { kubernetes: "1.37.2" }),
        [],
      ),
      [
        "cp1: too little free space in /var/lib/etcd, got 1 MiB; make room for 30 MiB",
        "SNAPSHOT: of a newer Kubernetes than cp1 runs, got 1.37.0 in backups/x.db; use a snapshot of 1.36 or older",
        "cp2: lists other members than the stack has, got cp1, cp2; run make up first, so that it lists cp1, cp2, cp3",
        "SNAPSHOT: of a newer Kubernetes than cp2 runs, got 1.37.0 in backups/x.db; use a snapshot of 1.36 or older",
        "SNAPSHOT: its Secrets are encrypted by keys that the cluster has no longer, got key0 in backups/x.db; use a snapshot whose keys are among key1",
      ],
    );
  });

  it("compares versions by their numbers", () => {
    assert.equal(isNewer("3.7.0", "3.6.14"), true);
    assert.equal(isNewer("1.9.0", "1.10.0"), false);
    assert.equal(isNewer("2.0", "1.36"), true);
    assert.equal(isNewer("1.36.9", "1.36.4"), false);
  });

  it("is for the machines on which etcd was placed", () => {
    const urn = (name: string) => `urn:pulumi:x::y::z::${name}`;
    const host = (name: string) => ({
      urn: urn(name),
      type: "kthw:index:Host",
      outputs: { name, ssh: `ssh ${name}` },
    });
    const command = (name: string) => ({ urn: urn(name), type: "command:remote:Command" });
    const resources = [host("cp1"), host("lb"), command("cp1:etcd"), command("lb:nginx")];
    assert.deepEqual(machinesWith("etcd", resources), [{ name: "cp1", ssh: "ssh cp1" }]);
  });
});

describe("etcdctl on a controller", () => {
  const folder = mkdtempSync(join(tmpdir(), "kthw-etcdctl-"));
  after(() => rmSync(folder, { recursive: true }));

  it("is of the version that runs there, and not of a newer one that lies beside it", () => {
    const facts = cluster();
    const binaries = join(folder, "opt/kthw/etcd");
    const running = facts.folders.etcd.replace("/opt/kthw/etcd", binaries);
    for (const path of [running, join(binaries, "3.99.0")]) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, "etcdctl"), '#!/bin/sh\necho "$0 $*"\n', { mode: 0o755 });
    }
    for (const { path, text } of etcd(facts, facts.controllers[0]!).files) {
      const at = join(folder, path);
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, text.replaceAll("/opt/kthw/etcd", binaries));
    }
    const line = `${etcdctl} member list`.replaceAll(
      / (\/etc\/systemd|\/opt\/kthw)/g,
      ` ${folder}$1`,
    );
    const said = execFileSync("bash", ["-c", line], { encoding: "utf8" });
    assert.match(said, new RegExp(`^${running}/etcdctl --endpoints=.* member list\n$`));
  });
});

describe("Nodes after a restore", () => {
  const folder = mkdtempSync(join(tmpdir(), "kthw-nodes-"));
  const { PATH } = process.env;
  after(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true });
  });

  it("are waited for, but not those of controllers that are gone, Ready by the snapshot or not", async () => {
    const node = (name: string, status: string) => ({
      metadata: { name },
      status: {
        conditions: [{ type: "Ready", status, lastHeartbeatTime: "2026-11-27T15:00:00Z" }],
      },
    });
    const items = [node("cp1", "True"), node("cp2", "True"), node("cp3", "Unknown")];
    const script = `#!/bin/bash\ncat <<'END'\n${JSON.stringify({ items })}\nEND\n`;
    writeFileSync(join(folder, "kubectl"), script, { mode: 0o755 });
    process.env.PATH = `${folder}:${PATH}`;
    assert.deepEqual(await waitForNodes(new Map(), ["cp2", "cp3"]), { nodes: 1, notReady: [] });
  });
});

describe("alarms of etcd", () => {
  const members = [
    "8211f1d0f64f3269, started, cp1, https://10.240.0.11:2380, https://10.240.0.11:2379, false",
    "91bc3c398fb3c146, started, cp2, https://10.240.0.12:2380, https://10.240.0.12:2379, false",
  ].join("\n");

  it("are named with the member, the meaning and a command", () => {
    const output = `${members}\nmemberID:10501334649042878790 alarm:NOSPACE \n memberID:9372538179322589801  alarm:CORRUPT\n`;
    assert.deepEqual(alarmsIn(output, makeFor("dev")), [
      "cp2: etcd has raised the alarm NOSPACE: the database is full and takes no more writes; run make defragment STACK=dev",
      "cp1: etcd has raised the alarm CORRUPT; run make etcdctl CMD='endpoint status --cluster --write-out=table' STACK=dev",
    ]);
    assert.deepEqual(alarmsIn(members, makeFor("local")), []);
  });

  it("are foretold where a database is nearly full", () => {
    const member = (name: string, used: number) =>
      [`"ClusterID" : 1`, `"DBSize" : 9`, `"DBSizeInUse" : ${used * 1_048_576}`]
        .concat(`"DBSizeQuota" : ${100 * 1_048_576}`, `"Endpoint" : "${name}"`, "")
        .join("\n");
    assert.deepEqual(nearlyFullIn(`${member("one", 79)}\n${member("other", 80)}`), [
      "other uses 80 of 100 MiB; remove objects, or raise etcd.quotaMiB and run make up",
    ]);
  });
});
