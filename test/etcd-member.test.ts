import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { etcd } from "../services/etcd.ts";
import { facts } from "./support/facts.ts";

const [member] = facts.controllers;
const script = etcd(facts, member!).files.find(({ path }) => path.endsWith("/etcd-member"))!.text;

/** A line of `etcdctl member list`. */
const started = (id: string, name: string, kind: "voter" | "learner" = "voter") =>
  `${id}, started, ${name}, https://${name}:2380, https://${name}:2379, ${kind === "learner"}`;
const unstarted = (id: string, name: string, kind: "voter" | "learner") =>
  `${id}, unstarted, , https://${name}:2380, , ${kind === "learner"}`;

/** Fails unless there is room for one learner more, as etcd does. */
const etcdctl = `#!/bin/bash
cd "$(dirname "$0")"
while [[ \${1-} == --* ]]; do endpoint=\${1#--endpoints=} && shift; [[ $endpoint == http* ]] && at=$endpoint; done
case "$1 $2" in
  'member list') cat list ;;
  'member remove') sed -i "/^$3,/d" list && echo "remove $3" >>log ;;
  'member add')
    ! grep --quiet -e 'true$' -e unstarted list || exit 1
    echo "add $3" >>log
    echo 'ETCD_INITIAL_CLUSTER="all of them"'
    ;;
  'endpoint health') ! grep --quiet --line-regexp -- "$at" silent || exit 1 ;;
  'get kthw/members/' | 'get --prefix') [[ $* != *leaving* ]] && cat claimed ;;
  'put kthw/leaving/'*) echo "tell $2" >>log ;;
  'move-leader '*) ! grep --quiet --line-regexp "$2" refusing || exit 1 && echo "$2 leads" >>log ;;
  'txn '*) grep -o 'kthw/members/\\S*' >>claimed ;;
esac
true
`;

describe("a member of etcd", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-member-"));
    writeFileSync(
      path.join(folder, "script"),
      script.replaceAll(/\/(etc|var\/lib)\/etcd/g, folder),
    );
    writeFileSync(path.join(folder, "etcdctl"), etcdctl);
    writeFileSync(path.join(folder, "etcd"), "#!/bin/bash\necho starts with $ETCD_INITIAL_CLUSTER");
    for (const program of ["script", "etcdctl", "etcd"])
      chmodSync(path.join(folder, program), 0o755);
    write(
      "members",
      ["a", "b", "new"].map((name) => `${name} ${url(name)} https://${name}:2379`),
    );
    for (const file of ["log", "silent", "claimed", "refusing"]) write(file, []);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const url = (name: string) => `https://${name}:2380`;
  const write = (file: string, lines: readonly string[]) =>
    writeFileSync(path.join(folder, file), lines.map((line) => `${line}\n`).join(""));
  const read = (file: string) =>
    readFileSync(path.join(folder, file), "utf8").split("\n").slice(0, -1);
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await execa(path.join(folder, "script"), args, {
      env: {
        ETCD_BINARIES: folder,
        ETCD_NAME: "new",
        ETCD_PEER_URL: url("new"),
        ETCD_GENERATION: "1",
      },
      reject: false,
      timeout: 20_000,
    });
    return { code: exitCode, said: stdout + stderr, done: read("log") };
  };
  const named = (id: string, name: string) =>
    `etcd has the member ${id} ${name}(https://ghost:2380), which is no controller's; remove it: make etcdctl CMD='member remove ${id}'`;

  it("joins after a learner that nobody started has left", async () => {
    write("list", [started("1", "a"), started("2", "b"), unstarted("3", "ghost", "learner")]);
    const { code, said, done } = await run("start");
    assert.match(said, /starts with all of them/);
    assert.equal(code, 0);
    assert.deepEqual(done, ["remove 3", "add new"]);
    assert.deepEqual(
      read("claimed"),
      ["a", "b", "new"].map((name) => `kthw/members/${url(name)}`),
    );
  });

  it("joins in place of its own former member", async () => {
    write("list", [started("1", "a"), started("2", "b"), started("3", "new")]);
    assert.deepEqual((await run("start")).done, ["remove 3", "add new"]);
  });

  for (const [what, line, name] of [
    ["a voter that never started", unstarted("3", "ghost", "voter"), ""],
    ["a learner that runs", started("3", "ghost", "learner"), "ghost "],
  ] as const)
    it(`names ${what} and is no controller's, with the command that removes it`, async () => {
      write("list", [started("1", "a"), started("2", "b"), line]);
      const { code, said, done } = await run("start");
      assert.deepEqual([said, code, done], [named("3", name), 78, []]);
    });

  it("lets those leave that were controllers', the silent ones first, and their API servers before them", async () => {
    write("list", [started("1", "new"), started("2", "a"), started("3", "b")]);
    write(
      "claimed",
      ["new", "a", "b"].map((name) => `kthw/members/${url(name)}`),
    );
    write("silent", ["https://b:2379"]);
    const { code, done } = await run("retire-others", url("new"));
    assert.equal(code, 0);
    assert.deepEqual(done, [`tell kthw/leaving/${url("a")}`, "1 leads", "remove 3", "remove 2"]);
  });

  it("lets all others leave where an earlier version has written nothing down", async () => {
    write("list", [started("1", "new"), started("2", "ghost")]);
    const { done } = await run("retire-others", url("new"));
    assert.deepEqual(done, [`tell kthw/leaving/${url("ghost")}`, "1 leads", "remove 2"]);
    assert.deepEqual(read("claimed"), [`kthw/members/${url("new")}`]);
  });

  it("hands the lead over to the first voter that takes it, and stops in any case", async () => {
    write("list", [
      started("1", "new"),
      started("2", "a", "learner"),
      unstarted("3", "ghost", "voter"),
      started("4", "b"),
      started("5", "c"),
      started("6", "d"),
    ]);
    write("refusing", ["4"]);
    const { code, done } = await run("hand-over");
    assert.deepEqual([code, done], [0, ["5 leads"]]);
    write("refusing", ["4", "5", "6"]);
    assert.deepEqual((await run("hand-over")).code, 0);
    write("refusing", []);
    write("silent", ["https://127.0.0.1:2379"]);
    assert.deepEqual((await run("hand-over")).done, ["5 leads"]);
  });

  it("lets nobody leave while a member runs that never was a controller's, and names that at once", async () => {
    write("list", [started("1", "new"), started("2", "b"), started("3", "ghost")]);
    write(
      "claimed",
      ["new", "b"].map((name) => `kthw/members/${url(name)}`),
    );
    for (const args of [
      ["retire-others", url("new")],
      ["healthy", "https://new:2379"],
    ]) {
      const { code, said, done } = await run(...args);
      assert.deepEqual([said, code, done], [named("3", "ghost "), 78, []]);
    }
  });
});
