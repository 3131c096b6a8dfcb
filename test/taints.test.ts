import assert from "node:assert/strict";
import { withKubectl } from "./support/kubectl.ts";

describe("the taints of a Node", () => {
  /** Runs the script; `calls` are those of kubectl in order. */
  async function taint(taints: string, { former = "", word = "", kubectl = "" } = {}) {
    const { changes: calls, ...ended } = await withKubectl({
      command: `components/node-taints.sh ${word}`,
      env: {
        NODE: "worker1",
        TAINTS: taints,
        ...(former !== "" && { PULUMI_COMMAND_STDOUT: former }),
      },
      kubectl,
    });
    return { ...ended, calls };
  }

  it("are put on all at once, and remembered", async () => {
    const taints = "example.com/gpu=yes:NoSchedule slow:NoExecute";
    const { code, stdout, calls } = await taint(taints);
    assert.deepEqual(calls, [`taint nodes worker1 ${taints} --overwrite`]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: taints });
  });

  it("go if they were put on here and are listed no longer; another value takes the place of the former", async () => {
    const former = "gone=x:NoSchedule kept=1:NoSchedule kept=1:NoExecute";
    const { calls } = await taint("kept=2:NoSchedule", { former });
    assert.deepEqual(calls, [
      "taint nodes worker1 gone:NoSchedule-",
      "taint nodes worker1 kept:NoExecute-",
      "taint nodes worker1 kept=2:NoSchedule --overwrite",
    ]);
  });

  it("go with the resource, also where somebody has taken them off or deleted the Node", async () => {
    const former = "one:NoSchedule other=x:NoExecute";
    const removed = { former, word: "remove" };
    for (const kubectl of [
      "",
      `echo 'error: taint "one" not found' >&2; exit 1`,
      `echo 'Error from server (NotFound): nodes "worker1" not found' >&2; exit 1`,
    ]) {
      const { code, calls } = await taint(former, { ...removed, kubectl });
      assert.equal(code, 0);
      assert.deepEqual(calls, [
        "taint nodes worker1 one:NoSchedule-",
        "taint nodes worker1 other:NoExecute-",
      ]);
    }
  });

  it("that cannot be taken off or put on are told", async () => {
    const kubectl = "echo refused >&2; exit 1";
    const kept = await taint("", { former: "one:NoSchedule", kubectl });
    assert.equal(kept.code, 1);
    assert.equal(kept.stderr, "worker1 keeps the taint one:NoSchedule: refused");
    const missing = await taint("one:NoSchedule", { kubectl });
    assert.equal(missing.code, 1);
    assert.equal(missing.stderr, "refused");
  });
});
