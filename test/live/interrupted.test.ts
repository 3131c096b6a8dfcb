import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
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
    // Pulumi may have been killed while it wrote the attributes beside the state.
    assert.match(stdout + stderr, /currently locked|failed to load checkpoint: EOF/);
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

  itOnceUp(
    "are gone on from, though the CLI was killed while it wrote beside the state, as an earlier version did",
    async () => {
      const folder = fileURLToPath(stack.environment.PULUMI_BACKEND_URL!);
      const attributes = join(folder, `.pulumi/stacks/kthw/${stack.name}.json.attrs`);
      assert.equal(existsSync(attributes), false);
      await writeFile(attributes, "");
      const { code, stderr } = await stack.pulumi("stack", "select");
      assert.notEqual(code, 0);
      assert.match(stderr, /failed to load checkpoint: EOF/);
      const { stderr: said } = await stack.script("operations/interrupted/clear-interrupted.ts");
      assert.match(said, /^stack \S+: a command was cut off while it wrote \S+; that is removed$/m);
      await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
    },
  );

  itOnceUp("cost no machine where the state was lost with them", async () => {
    const file = join(await mkdtemp(join(tmpdir(), "kthw-state-")), "state.json");
    const { stdout: state } = await stack.succeeding("stack", "export");
    const empty = JSON.parse(state);
    empty.deployment.resources = [];
    const restore = async (text: string) => {
      await writeFile(file, text);
      await stack.succeeding("stack", "import", "--force", "--file", file);
    };
    await restore(JSON.stringify(empty));
    const { code, stdout, stderr } = await step("pulumi up without a state", () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    await restore(state);
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /which this state does not know, got cp1 lb; use the state/);
    await rm(dirname(file), { recursive: true });
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
    assert.deepEqual(await readyNodes(stack), ["cp1"]);
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
