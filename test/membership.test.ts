import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("Nodes that leave", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-membership-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the script as Pulumi does, with a shell script in place of kubectl; returns the calls of kubectl in order. */
  async function leave(kubectl: string, onLine: (line: string, shell: number) => void = () => {}) {
    const program = path.join(folder, "kubectl");
    const log = path.join(folder, "log");
    writeFileSync(
      program,
      `#!/bin/bash
       shift # the kubeconfig
       [[ $1 != --request-timeout* ]] || shift
       case "$1 $2" in
         'drain '* | 'cordon '* | 'uncordon '* | 'delete '*) echo "$*" >>${log}; echo "$*" >&2 ;;
       esac
       ${kubectl}
       case "$*" in
         'get node'*'{.metadata.name}'*) echo "$3 " ;;
         'get node'*) echo True ;;
       esac`,
    );
    chmodSync(program, 0o755);
    const child = execa("/bin/sh", ["-c", "components/node-membership.sh || exit"], {
      cwd: root,
      extendEnv: false,
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        NODES: "worker1",
        PULUMI_COMMAND_STDOUT: "worker1 worker2 worker3",
        DRAIN_TIMEOUT: "5",
      },
      input: "a kubeconfig",
      reject: false,
    });
    child.stderr.on("data", (chunk) => onLine(String(chunk), child.pid!));
    const { exitCode, stderr } = await child;
    const calls = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    return {
      code: exitCode,
      said: stderr,
      calls: calls.map((call) => call.split(" ").slice(0, 2).join(" ")),
    };
  }

  it("are drained, all of them, and then deleted", async () => {
    const { code, calls } = await leave("");
    assert.equal(code, 0);
    assert.deepEqual(calls, [
      "cordon worker2",
      "cordon worker3",
      "drain worker2",
      "drain worker3",
      "delete node",
      "delete node",
    ]);
  });
  it("stay, all of them, when one cannot be drained", async () => {
    const { code, said, calls } = await leave("[[ $1 != drain || $2 != worker3 ]] || exit 1");
    assert.notEqual(code, 0);
    assert.match(said, /^worker3: not drained within 5 s; /m);
    assert.deepEqual(calls.slice(4), ["uncordon worker2"]);
    assert.match(said, /^uncordon worker2 worker3$/m);
  });
  it("are not taken for deleted when the API does not answer", async () => {
    const { code, said, calls } = await leave(
      "[[ $* != 'get node'* ]] || { echo EOF >&2; exit 1; }",
    );
    assert.notEqual(code, 0);
    assert.match(said, /EOF/);
    assert.deepEqual(calls, []);
  });
  it("stay when Pulumi is interrupted", async () => {
    const { calls } = await leave("[[ $1 != drain ]] || sleep 2", (line, shell) => {
      if (line.includes("drain worker2")) process.kill(shell, "SIGKILL");
    });
    assert.deepEqual(calls, [
      "cordon worker2",
      "cordon worker3",
      "drain worker2",
      "uncordon worker2",
    ]);
  });
});
