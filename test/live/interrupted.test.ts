import assert from "node:assert/strict";
import { readyNodes } from "./support/cluster.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { step } from "./support/run.ts";

describeLive("updates that are cut off", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;

  const cutOff = async (enough: RegExp, ...signals: readonly NodeJS.Signals[]) =>
    assert.ok(await stack.cutOff(enough, ...signals), `the update ended before ${enough}`);

  before(async () => {
    stack = live.stack;
    await stack.configure((settings) => {
      settings.controllers = settings.controllers!.slice(0, 1);
      settings.workerPools = [];
    });
  });

  it("are finished by the next, a first one after each of three ends", async () => {
    await step("killed while machines are made", () =>
      cutOff(/local:Command cp1 creating/, "SIGKILL"),
    );
    const { code, stdout, stderr } = await stack.pulumi("up", "--yes", "--skip-preview");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /currently locked/);
    const { stderr: said } = await stack.script("operations/interrupted/clear-interrupted.ts");
    assert.match(said, /^stack \S+: a command was cut off \(process \d+\); its lock is removed$/m);
    await step("interrupted twice while etcd starts", () =>
      cutOff(/ cp1:etcd creating/, "SIGINT", "SIGINT"),
    );
    await stack.script("operations/interrupted/clear-interrupted.ts");
    await step("interrupted once while the control plane starts", () =>
      cutOff(/ cp1:kube-scheduler creating/, "SIGINT"),
    );
    await step("pulumi up", () => stack.upAgain());
    live.isUp = true;
    await stack.takeKubeconfig();
    assert.deepEqual(await readyNodes(stack), ["cp1"]);
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
  });

  itOnceUp("are finished by the next, after the machine was lost with the CLI", async () => {
    await stack.configure((settings) => {
      settings.apiServer = { extraFlags: { "event-ttl": "2h" } };
    });
    await step("killed, and the machine with it", async () => {
      await cutOff(/ cp1:kube-apiserver updating/, "SIGKILL");
      await stack.machines.kill("cp1");
    });
    const said = await step("pulumi up", () => stack.upAgain());
    assert.match(said, /^stack \S+: a command was cut off \(process \d+\); its lock is removed$/m);
    const flags = await stack.machines.inside(
      "cp1",
      "systemctl show --property=ExecStart kube-apiserver",
    );
    assert.match(flags, /--event-ttl=2h/);
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
  });
});
