import assert from "node:assert/strict";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Eavesdropper, loggedSecrets, readableFilesWith } from "./support/eavesdropper.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { writeLogs } from "./support/logs.ts";
import { bootMachines } from "./support/measures.ts";
import { step } from "./support/run.ts";
import { leaks, type SecretTexts, secretTexts, secretTextsOfKeys } from "./support/secrets.ts";

const names = ["cp1", "lb", "worker1"];

describeLive("the secrets of a cluster", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  /** What processes on the machines showed while the cluster came up. */
  const shown = new Map<string, string>();
  const secrets: SecretTexts = new Map();

  before(async () => {
    stack = live.stack;
    await stack.configure((settings) => {
      settings.controllers = settings.controllers!.slice(0, 1);
      settings.workerPools = [
        {
          name: "workers",
          join: "bootstrapToken",
          machines: [{ name: "worker1", address: "10.240.0.21", podCidr: "10.200.21.0/24" }],
        },
      ];
      settings.joinTokens = [{ name: "lab" }];
    });
  });

  it("are placed, while somebody looks at the processes of all machines", async () => {
    await bootMachines(stack);
    await step("pulumi preview --diff", () => stack.succeeding("preview", "--diff"));
    const listening = names.map((name) => new Eavesdropper(stack.machines, name));
    await step("pulumi up --diff", () => stack.up("--diff"));
    live.isUp = true;
    for (const [index, name] of names.entries()) shown.set(name, await listening[index]!.stop());
    await stack.takeKubeconfig();
    secrets.set(stack.passphrase, "the passphrase");
    for (const [text, secret] of secretTexts((await stack.export()).deployment.resources))
      secrets.set(text, secret);
    const requested = "cat /var/lib/kubelet/pki/kubelet-client-current.pem";
    const pem = await stack.machines.inside("worker1", requested);
    for (const [text, secret] of secretTextsOfKeys(pem, "worker1's own key"))
      secrets.set(text, secret);
    const known = new Set(secrets.values());
    for (const name of [
      "cp1:apiserver-key",
      "encryption-key1",
      "join-token:lab",
      "kubernetes-ca-key",
      "operator-key",
      "service-accounts",
      "the passphrase",
      "worker1's own key",
      "worker1:bootstrap-token",
    ])
      assert.ok(known.has(name), `there is a secret ${name} among ${[...known].sort()}`);
  });

  itOnceUp("are shown by no process", async () => {
    for (const name of names) {
      assert.match(shown.get(name)!, /kthw-node apply/);
      assert.deepEqual(leaks(secrets, name, shown.get(name)!), []);
    }
  });

  itOnceUp("are in no file that everybody can read, and in no journal", async () => {
    const { machines } = stack;
    const [text] = [...secrets].find(([, secret]) => secret === "service-accounts")!;
    await machines.inside("worker1", "tee /tmp/canary | systemd-cat --identifier=canary", text);
    const readable = async (name: string) => await readableFilesWith(machines, name, secrets);
    const logged = (name: string) => loggedSecrets(machines, name, secrets);
    // Both searches find what is there to be found.
    assert.deepEqual(await readable("worker1"), ["/tmp/canary"]);
    assert.deepEqual(await logged("worker1"), ["service-accounts"]);
    for (const name of names.filter((one) => one !== "worker1")) {
      assert.deepEqual([name, await readable(name)], [name, []]);
      assert.deepEqual([name, await logged(name)], [name, []]);
    }
    await machines.inside("worker1", "rm /tmp/canary");
  });

  itOnceUp("are in nothing that this project's commands say and write", async () => {
    const { code } = await step("make smoke", () => stack.script("operations/smoke/run-smoke.ts"));
    assert.equal(code, 0);
    for (const command of [
      "check/run-check",
      "status/run-status",
      "cis/run-cis",
      "certificates/list-certificates",
    ])
      await step(`operations/${command}.ts`, () => stack.script(`operations/${command}.ts`));
    await step("pulumi refresh --diff", () =>
      stack.succeeding("refresh", "--yes", "--skip-preview", "--diff"),
    );
    await stack.configure((settings) => {
      settings.reassert = 1;
    });
    await step("make plan", () => stack.script("operations/plan/write-plan.ts"));
    await step("pulumi preview --diff", () => stack.succeeding("preview", "--diff"));
    const objects = "configmaps,events,nodes,pods,daemonsets,deployments,csr";
    await stack.kubectl(["get", objects, "--all-namespaces", "--output=yaml"]);

    const found = stack.said.flatMap(({ command, text }) => leaks(secrets, command, text));
    for (const [file, text] of await stack.stateFiles()) found.push(...leaks(secrets, file, text));
    const { files } = await step("make logs", () => writeLogs(stack));
    for (const [file, text] of files) found.push(...leaks(secrets, file, text));
    const plan = join("plan", stack.name);
    const entries = await readdir(plan, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((one) => one.isFile())
      .map((one) => join(one.parentPath, one.name));
    assert.ok(paths.length >= 50, `${paths.length} files in ${plan}`);
    for (const path of paths) found.push(...leaks(secrets, path, await readFile(path, "utf8")));
    await rm(plan, { recursive: true });
    assert.deepEqual(found, []);
  });
});
