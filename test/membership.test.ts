import assert from "node:assert/strict";
import { withKubectl } from "./support/kubectl.ts";

describe("Nodes that leave", () => {
  /** Runs the script; `calls` are the first two words of each call of kubectl that changes something. */
  async function leave(kubectl: string, hear?: (said: string, shell: number) => void) {
    const { code, stderr, changes } = await withKubectl({
      command: "components/node-membership.sh",
      env: {
        NODES: "worker1",
        PULUMI_COMMAND_STDOUT: "worker1 worker2 worker3",
        DRAIN_TIMEOUT: "5",
      },
      kubectl: `
       ${kubectl}
       case "$*" in
         'get node'*'{.metadata.name}'*) echo "$3 " ;;
         'get node'*) echo True ;;
       esac`,
      ...(hear && { hear }),
    });
    const calls = changes.map((call) => call.split(" ").slice(0, 2).join(" "));
    return { code, said: stderr, calls, changes };
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
    const { code, said, calls, changes } = await leave(
      "[[ $1 != drain || $2 != worker3 ]] || exit 1",
    );
    assert.notEqual(code, 0);
    assert.match(said, /^worker3: not drained within 5 s; /m);
    assert.deepEqual(calls.slice(4), ["uncordon worker2"]);
    assert.equal(changes.at(-1), "uncordon worker2 worker3");
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
    const drain = '[[ $1 != drain ]] || { echo "$*" >&2; sleep 2; }';
    const { calls } = await leave(drain, (said, shell) => {
      if (said.includes("drain worker2")) process.kill(shell, "SIGKILL");
    });
    assert.deepEqual(calls, [
      "cordon worker2",
      "cordon worker3",
      "drain worker2",
      "uncordon worker2",
    ]);
  });
});
