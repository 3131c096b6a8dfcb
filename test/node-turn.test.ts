import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("a Node whose kubelet gets another minor version", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-turn-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the script with a shell script in place of kubectl; `state` is the Node's version, whether it is cordoned, and its mark. */
  async function turn(verb: "drain" | "return", state: string, kubectl = "") {
    const program = path.join(folder, "kubectl");
    const log = path.join(folder, "log");
    writeFileSync(
      program,
      `#!/bin/bash
       shift # the kubeconfig
       [[ $1 != --request-timeout* ]] || shift
       case "$1" in drain | cordon | uncordon | annotate) echo "$1 $2 $3 $4" >>${log} ;; esac
       ${kubectl}
       case "$*" in
         'get node'*kubeletVersion*) printf %s '${state}' ;;
         'get node'*) echo True ;;
       esac`,
    );
    chmodSync(program, 0o755);
    const { exitCode, stderr } = await execa("components/node-turn.sh", [verb], {
      cwd: root,
      extendEnv: false,
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        NODE: "worker1",
        VERSION: "1.37",
        DRAIN_TIMEOUT: "5",
      },
      input: "a kubeconfig",
      reject: false,
    });
    const calls = existsSync(log) ? readFileSync(log, "utf8").trim().split(/\s*\n/) : [];
    rmSync(log, { force: true });
    return { code: exitCode, said: stderr, calls };
  }

  const mark = "annotate node worker1 kthw-turn=1.37";
  const cordon = "cordon worker1";
  const drain = "drain worker1 --ignore-daemonsets --delete-emptydir-data";

  it("is marked, cordoned and drained", async () => {
    const { code, said, calls } = await turn("drain", "v1.36.4  ");
    assert.deepEqual([code, calls], [0, [mark, cordon, drain]], said);
    assert.match(said, /^worker1 gets Kubernetes 1\.37: draining$/m);
  });

  it("is drained again after a run that was killed", async () =>
    assert.deepEqual((await turn("drain", "v1.36.4 true 1.37")).calls, [mark, cordon, drain]));

  it("stays in service if it has the version, is not there yet, or has no kubelet yet", async () => {
    for (const state of ["v1.37.2  ", "", "  "]) {
      const { code, calls } = await turn("drain", state);
      assert.deepEqual([code, calls], [0, []], state);
    }
  });

  it("takes pods again if it cannot be drained, and the update fails", async () => {
    const { code, said, calls } = await turn("drain", "v1.36.4  ", "[[ $1 != drain ]] || exit 1");
    assert.notEqual(code, 0);
    assert.match(said, /^worker1: not drained within 5 s; /m);
    assert.match(said, /or drain the Node by hand and run the update again$/m);
    assert.equal(calls.at(-1), "uncordon worker1");
  });

  it("is not drained if its kubelet does not report", async () => {
    const { code, said, calls } = await turn(
      "drain",
      "v1.36.4  ",
      "[[ $* != *conditions* ]] || { echo Unknown; exit; }",
    );
    assert.notEqual(code, 0);
    assert.match(said, /^worker1: its kubelet does not report; mend the machine, or /m);
    assert.deepEqual(calls, [mark, cordon, "uncordon worker1"]);
  });

  it("takes pods again afterwards", async () => {
    const { code, calls } = await turn("return", "v1.37.2 true 1.37");
    assert.deepEqual([code, calls], [0, ["uncordon worker1", "annotate node worker1 kthw-turn-"]]);
  });

  it("stays cordoned if somebody else cordoned it", async () => {
    assert.deepEqual((await turn("drain", "v1.36.4 true ")).calls, [drain]);
    assert.deepEqual((await turn("return", "v1.37.2 true ")).calls, []);
  });
});
