import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { provider as command } from "../plugins/command/simulated.ts";
import { provider as kubernetes } from "../plugins/kubernetes/simulated.ts";
import { checked, context, kind, temporary, wrong } from "./support.ts";

const folder = temporary();
const log = join(folder, "log");
const touched = join(folder, "touched");
process.env.SIMULATION = join(folder, "simulation.json");
writeFileSync(
  process.env.SIMULATION,
  JSON.stringify({
    remote: ["^agent "],
    local: ["^make machine$"],
    run: [`^touch ${folder}`],
    log,
  }),
);

describe("a simulated command", () => {
  const local = kind(command, "command:local:Command");
  const remote = kind(command, "command:remote:Command");
  const connection = { host: "192.0.2.1" };

  it("succeeds on a machine that nobody reaches, and is in the log", async () => {
    const { outputs } = await remote.create({ connection, create: "agent apply\n# x" }, context());
    assert.deepEqual(outputs, { stdout: "", stderr: "" });
    assert.equal(readFileSync(log, "utf8"), '192.0.2.1\t"agent apply\\n# x"\n');
  });
  it("fails unless the simulation knows it", async () => {
    const message = /^192.0.2.1: a command that the simulation does not know, got "reboot"$/;
    await assert.rejects(remote.create({ connection, create: "reboot" }, context()), { message });
    await assert.rejects(local.create({ create: "reboot" }, context()), /^Error: this computer: /);
  });
  it("succeeds on this computer, where only those run that shall", async () => {
    await local.create({ create: "make machine" }, context());
    await local.create({ create: `touch ${touched}` }, context());
    assert.ok(existsSync(touched));
  });
  it("takes no other inputs than a real one", () =>
    assert.match(wrong(remote, { connection, make: "x" }).make ?? "", /not implemented/));
});

describe("a simulated object", () => {
  const node = kind(kubernetes, "kubernetes:core/v1:NodePatch");

  it("is what it was asked to be, with an identity", async () => {
    const inputs = checked(node, { metadata: { name: "worker1" }, spec: { unschedulable: true } });
    const { id, outputs } = await node.create(inputs, context());
    assert.equal(id, "test");
    assert.deepEqual(outputs, {
      ...inputs,
      metadata: { name: "worker1", uid: "uid of urn:pulumi:s::p::t::test" },
    });
  });
  it("is asked of no server in a preview, at a refresh and when it goes", async () => {
    const inputs = checked(node, { metadata: { name: "worker1" } });
    assert.deepEqual(await node.plan(inputs, undefined, context()), inputs);
    assert.equal(node.read, undefined);
    await node.delete?.({ id: "test", properties: {}, inputs }, context());
  });
});
