import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { quoted } from "../node/shell.ts";
import { joinConfiguration } from "../services/kubeadm.ts";
import { facts, worker } from "./support/facts.ts";
import { firstUpdate, runProgram, stdinOf } from "./support/program.ts";

/** The one number in a text that a pattern finds. */
const number = (pattern: RegExp, text: string) => Number(pattern.exec(text)?.[1]);

describe("a gate's command", () => {
  let commands: string[];
  let limit: number;

  before(async () => {
    const { graph } = await firstUpdate();
    commands = graph
      .commands()
      .map(({ inputs }) => String(inputs.create))
      .filter((create) => create.startsWith("kthw-node wait "));
    limit = number(/ --within (\d+) /, commands.find((one) => one.includes(" --until "))!);
  });

  it("has the limit of all gates where it runs a command of its own, else none", () => {
    assert.ok(commands.length > 0);
    for (const command of commands) {
      const options = command.includes("--until") ? ` --within ${limit} --until '.*'` : "";
      assert.match(command, new RegExp(`^kthw-node wait [a-z -]*[a-z]${options}$`));
    }
  });

  it("has a multiple of the limit on slow machines, as each timeout within and before it", async () => {
    const { graph } = await runProgram({ settings: (settings) => (settings.timeoutFactor = 3) });
    const slow = graph.commands().map(({ inputs }) => String(inputs.create));
    const limits = slow.flatMap((create) => number(/ --within (\d+) /, create) || []);
    assert.ok(limits.length > 0);
    assert.deepEqual(new Set(limits), new Set([3 * limit]));
    const [seconds] = slow.flatMap((create) => number(/kubectl.* --timeout=(\d+)s /, create) || []);
    const [former] = commands.flatMap((one) => number(/kubectl.* --timeout=(\d+)s /, one) || []);
    assert.equal(seconds, 3 * former!);
    const descriptions = ["cp1:etcd", "cp1:kube-proxy", "cp1:kube-apiserver"].map((name) =>
      stdinOf(graph.command(name)),
    );
    assert.deepEqual(
      descriptions.map((text) => number(/^timeout (\d+)$/m, text)),
      [540, 180, 360],
    );
    assert.match(descriptions[2]!, /^ *TimeoutStartSec=270$/m);
    const awaited = graph.resources.filter(({ type }) => /:(Deployment|Service)$/.test(type));
    const timeouts = awaited.map(({ name, createTimeout }) => [name, createTimeout]);
    assert.deepEqual(Object.fromEntries(timeouts), { coredns: "30m", "kube-dns": "30m" });
  });

  it("lets kubectl say what it waited for before it is cut off", () => {
    const waits = commands.filter((command) => command.includes("kubectl"));
    const timeouts = waits.flatMap((command) => number(/--timeout=(\d+)s /, command) || []);
    assert.ok(timeouts.length > 0);
    for (const timeout of timeouts) assert.ok(timeout < limit, `${timeout} s of ${limit} s`);
  });

  it("asks all that it is made of: nothing stands behind a comment", () => {
    const commented = commands.filter((command) => command.includes(" # "));
    assert.ok(commented.length > 0);
    for (const command of commented)
      assert.doesNotMatch(command.slice(command.indexOf(" # ")), /&&|\|\|/);
  });

  it("lets two phases of a join take all their time", () => {
    const configuration = joinConfiguration(facts, worker(), { token: "", caCertHashes: [] });
    const phases = [...configuration.matchAll(/^ {2}\w+: (\d+)s$/gm)].map(([, seconds]) =>
      Number(seconds),
    );
    assert.equal(phases.length, 3);
    assert.ok(2 * Math.max(...phases) < limit, `${phases} s of ${limit} s`);
  });
});

describe("a quoted text", () => {
  it("is one word to a shell, whatever stands in it", () => {
    const fragment = fc.constantFrom("'", "''", '"', "\\", "$HOME", "`id`", "\n", " ", "!", "a;b");
    fc.assert(
      fc.property(fc.array(fragment), (fragments) => {
        const text = fragments.join("");
        const { stdout } = spawnSync("sh", ["-c", `printf '<%s>' ${quoted(text)}`]);
        assert.equal(stdout.toString(), `<${text}>`);
      }),
      { numRuns: 50 },
    );
  });

  it("stands between single quotes as it is, if it has none", () => {
    assert.equal(quoted('test -e "$HOME"'), `'test -e "$HOME"'`);
  });
});
