import assert from "node:assert/strict";
import { output, run } from "../operations/access/command.ts";

const bash = (script: string, options?: Parameters<typeof run>[2]) =>
  run("bash", ["-c", script], options);

describe("a command", () => {
  it("ends with its status and its whole output, the newlines at the end included", async () => {
    const { code, stdout, stderr } = await bash("echo out; echo err >&2; exit 3");
    assert.deepEqual([code, stdout, stderr], [3, "out\n", "err\n"]);
  });

  it("reads its input, also an empty one", async () => {
    assert.equal(await output("cat", [], { input: "some text\n" }), "some text\n");
    assert.equal(await output("cat", []), "");
  });

  it("may end without reading its input", async () => {
    const { code } = await bash("exit 4", { input: "x".repeat(1_000_000) });
    assert.equal(code, 4);
  });

  it("has the environment given, and no other variable", async () => {
    const env = { PATH: process.env.PATH, COLOUR: "blue" };
    const { stdout } = await bash("env", { env });
    assert.match(stdout, /^COLOUR=blue$/m);
    assert.doesNotMatch(stdout, /^HOME=/m);
  });

  it("that fails is told with all of its output", async () => {
    await assert.rejects(output("bash", ["-c", "echo out; echo err >&2; exit 3"]), {
      message: "bash -c echo out; echo err >&2; exit 3 ended with status 3:\nout\n\nerr",
    });
  });

  it("that does not exist is an error of its own", async () => {
    await assert.rejects(run("no-such-program", []), /no-such-program/);
  });

  it("is killed when it takes too long, and keeps its output", async () => {
    const slow = "trap '' TERM INT; echo out; while :; do read -t 5 <> <(:); done";
    const { code, stdout, stderr } = await bash(slow, { timeoutSeconds: 0.5 });
    assert.deepEqual([code, stdout], [1, "out\n"]);
    assert.match(stderr, /^ended by SIGKILL after [01] s$/m);
  });

  it("is killed when its signal is aborted, and does not start after that", async () => {
    const { signal } = new AbortController();
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const { code, stderr } = await bash("exec sleep 10", { signal: stop.signal });
    assert.equal(code, 1);
    assert.match(stderr, /^ended by SIGKILL/m);
    await assert.rejects(bash("true", { signal: stop.signal }), { name: "AbortError" });
    assert.equal((await bash("true", { signal })).code, 0);
  });

  it("may share its signal with many others, without a warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 12 }, () => bash("true", { signal })));
    process.off("warning", note);
    assert.deepEqual(warnings, []);
  });

  it("leaves the signals to this process alone", async () => {
    const before = process.listenerCount("SIGINT");
    const running = bash("true");
    assert.equal(process.listenerCount("SIGINT"), before);
    await running;
  });

  it("is interrupted once its output says so", async () => {
    const script =
      "trap 'echo stopped; exit 130' INT; echo one; echo two; while :; do sleep 0.1; done";
    const { code, stdout } = await bash(script, {
      interruptOnce: (soFar) => soFar.includes("two"),
      timeoutSeconds: 5,
    });
    assert.deepEqual([code, stdout], [130, "one\ntwo\nstopped\n"]);
  });
});
