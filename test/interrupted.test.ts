import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { type Computer, holderOf } from "../operations/interrupted/locks.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const lock = { pid: 42, username: "alice", hostname: "desk", timestamp: "2026-11-27T14:51:57.23Z" };

describe("a lock of a stack", () => {
  const started = (time?: string): Computer => ({
    hostname: "desk",
    startOf: () => (time === undefined ? undefined : Date.parse(time)),
  });

  it("holds nobody back once its process has ended, or another has the id", () => {
    assert.equal(holderOf(lock, "mine", started()), undefined);
    assert.equal(holderOf(lock, "mine", started("2026-11-27T15:00:00Z")), undefined);
  });

  it("names the process that still runs", () => {
    assert.equal(
      holderOf(lock, "mine", started("2026-11-27T14:51:56Z")),
      "stack mine: locked since 2026-11-27T14:51:57Z by process 42 on this computer, which still runs; wait for it, or interrupt it: kill -INT 42",
    );
  });

  it("of another computer is the operator's to judge", () => {
    assert.equal(
      holderOf({ ...lock, hostname: "laptop" }, "mine", started()),
      "stack mine: locked since 2026-11-27T14:51:57Z by process 42 of alice on laptop; once that process has ended, remove the lock: make shell STACK=mine CMD='pulumi cancel --yes'",
    );
  });
});

describe("a command that was cut off", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-interrupted-"));
    const write = (file: string, text: string) => {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    };
    write("log", "");
    write(
      "bin/pulumi",
      `#!/bin/bash
       echo "$*" >>${folder}/log
       case "$*" in
         'stack export'*) cat ${folder}/state/.pulumi/stacks/kthw/mine.json ;;
         'stack import'*) cat >${folder}/imported ;;
       esac`,
    );
    chmodSync(path.join(folder, "bin/pulumi"), 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const put = (file: string, value: unknown) => {
    const full = path.join(folder, "state/.pulumi", file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, JSON.stringify(value));
  };
  const pending = (type: string, resource: string) => ({
    type,
    resource: { type: resource, urn: `urn:${resource}` },
  });
  const clear = async () => {
    const args = ["--import", "tsx", "operations/interrupted/clear-interrupted.ts", "mine"];
    const { exitCode, stdout, stderr } = await execa(process.execPath, args, {
      cwd: root,
      env: {
        PATH: `${folder}/bin:${process.env.PATH}`,
        PULUMI_BACKEND_URL: `file://${folder}/state`,
      },
      reject: false,
    });
    const calls = readFileSync(path.join(folder, "log"), "utf8").trim();
    return { code: exitCode, said: stdout + stderr, calls: calls === "" ? [] : calls.split("\n") };
  };

  it("leaves nothing to do where it left nothing", async () => {
    assert.deepEqual(await clear(), { code: 0, said: "", calls: [] });
    put("stacks/kthw/mine.json", { deployment: {} });
    assert.deepEqual(await clear(), { code: 0, said: "", calls: [] });
  });

  it("has its lock removed, and what can be done again forgotten", async () => {
    put("locks/organization/kthw/mine/a.json", { ...lock, pid: 2 ** 30, hostname: hostname() });
    const ec2 = pending("creating", "aws:ec2/instance:Instance");
    put("stacks/kthw/mine.json", {
      deployment: {
        secret: "stays",
        pending_operations: [
          pending("creating", "command:remote:Command"),
          pending("creating", "kubernetes:core/v1:Namespace"),
          pending("updating", "aws:ec2/instance:Instance"),
          ec2,
        ],
      },
    });
    const { code, said, calls } = await clear();
    assert.deepEqual(said.split("\n"), [
      `stack mine: a command was cut off (process ${2 ** 30}); its lock is removed`,
      "stack mine: operations that were cut off: 3; they are done again",
      "stack mine: urn:aws:ec2/instance:Instance was cut off while it was made; look for it and remove it where it is, then forget it: make shell STACK=mine CMD='pulumi refresh --clear-pending-creates'",
    ]);
    assert.equal(code, 0);
    assert.deepEqual(calls, [
      "cancel --yes --non-interactive --stack mine",
      "stack export --stack mine",
      "stack import --stack mine",
    ]);
    assert.deepEqual(JSON.parse(readFileSync(path.join(folder, "imported"), "utf8")), {
      deployment: { secret: "stays", pending_operations: [ec2] },
    });
  });

  it("has attributes removed that were cut off, and no others", async () => {
    const file = (name: string) => path.join(folder, "state/.pulumi", name);
    put("stacks/kthw/mine.json", { deployment: {} });
    put("stacks/kthw/mine.json.bak.attrs", { "user.content_type": "text/plain" });
    put("stacks/kthw/other.json.attrs", {});
    for (const one of ["mine.json.attrs", "other.json.attrs"])
      writeFileSync(file(`stacks/kthw/${one}`), "");
    const { code, said, calls } = await clear();
    const torn = file("stacks/kthw/mine.json.attrs");
    assert.equal(said, `stack mine: a command was cut off while it wrote ${torn}; that is removed`);
    assert.deepEqual([code, calls], [0, []]);
    assert.deepEqual(readdirSync(file("stacks/kthw")), [
      "mine.json",
      "mine.json.bak.attrs",
      "other.json.attrs",
    ]);
  });

  it("left its lock and the state in pieces where the computer lost power", async () => {
    const torn = (file: string, text: string) => {
      put(file, {});
      writeFileSync(path.join(folder, "state/.pulumi", file), text);
    };
    torn("locks/organization/kthw/mine/a.json", "");
    const state = path.join(folder, "state/.pulumi/stacks/kthw/mine.json");
    torn("stacks/kthw/mine.json", '{"deployment": {');
    const { code, said, calls } = await clear();
    assert.deepEqual(said.split("\n"), [
      "stack mine: a command was cut off; its lock is removed",
      `stack mine: the state was cut off while it was written, got 16 characters in ${state}; take the copy from just before: cp '${state}.bak' '${state}'`,
    ]);
    assert.deepEqual([code, calls], [1, ["cancel --yes --non-interactive --stack mine"]]);
  });

  it("keeps its lock where it may still run elsewhere", async () => {
    put("locks/organization/kthw/mine/a.json", lock);
    const { code, said, calls } = await clear();
    assert.deepEqual([code, calls], [1, []]);
    assert.match(said, /^stack mine: locked since .* of alice on desk; /);
  });
});
