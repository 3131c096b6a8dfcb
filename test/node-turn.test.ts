import assert from "node:assert/strict";
import { withKubectl } from "./support/kubectl.ts";

describe("a Node whose kubelet gets another minor version", () => {
  /** Runs the script; `state` is the Node's version, whether it is cordoned, and its mark. */
  async function turn(verb: "drain" | "return", state: string, kubectl = "") {
    const { code, stderr, changes } = await withKubectl({
      command: `components/node-turn.sh ${verb}`,
      env: { NODE: "worker1", VERSION: "1.37", DRAIN_TIMEOUT: "5" },
      kubectl: `
       ${kubectl}
       case "$*" in
         'get node'*kubeletVersion*) printf %s '${state}' ;;
         'get node'*) echo True ;;
       esac`,
    });
    const calls = changes.map((call) => call.split(" ").slice(0, 4).join(" "));
    return { code, said: stderr, calls };
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
