/** Runs the checks and tests of a scope, `lint`, `fast` or `all`, one after another, and ends with one line of counts. */
import { type ChildProcess, spawn } from "node:child_process";
import { argv, exit, stdout } from "node:process";

interface Suite {
  readonly name: string;
  /** Words of a shell command. */
  readonly command: string;
  /** Where the output has its counts; a suite without them is one check, which passes or fails as a whole. */
  readonly counts?: { readonly passed: RegExp; readonly failed: RegExp };
}

const mocha = { passed: /^ {2}(\d+) passing/m, failed: /^ {2}(\d+) failing/m };
const nodeTest = { passed: /^ℹ pass (\d+)$/m, failed: /^ℹ fail (\d+)$/m };

const lint: Suite[] = [
  { name: "format and lint", command: "npm run --silent lint:format" },
  { name: "types", command: "npm run --silent lint:types" },
  { name: "shell scripts", command: "npm run --silent lint:shell" },
];
const fast: Suite[] = [
  ...lint,
  { name: "tests", command: "npm run --silent test:fast", counts: mocha },
  { name: "offline", command: "npm run --silent test:offline", counts: nodeTest },
];
const live: Suite = { name: "live", command: "npm run --silent test:live", counts: mocha };
const scopes: Record<string, Suite[]> = { lint, fast, all: [...fast, live] };

let running: ChildProcess | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    if (running?.pid !== undefined) process.kill(-running.pid, signal);
  });

/** Runs a command, passing its output on as it comes; tells the output and whether it succeeded. */
function run(command: string): Promise<{ output: string; succeeded: boolean }> {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that a signal reaches all that the command started.
    const child = spawn("sh", ["-c", `exec ${command} 2>&1`], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    running = child;
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      stdout.write(text);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ output, succeeded: code === 0 }));
  });
}

const last = (text: string, pattern: RegExp): number =>
  Number([...text.matchAll(new RegExp(pattern, "gm"))].at(-1)?.[1] ?? 0);

const suites = scopes[argv[2] ?? ""];
if (suites === undefined) {
  console.error(`usage: run.ts ${Object.keys(scopes).join("|")}`);
  exit(2);
}

let passed = 0;
let failed = 0;
for (const { name, command, counts } of suites) {
  const start = Date.now();
  console.log(`\n== ${name}`);
  const { output, succeeded } = await run(command);
  const passes = counts === undefined ? Number(succeeded) : last(output, counts.passed);
  let failures = counts === undefined ? 0 : last(output, counts.failed);
  // A suite that breaks off, or that ran nothing, is a failure of its own.
  if (failures === 0 && (!succeeded || passes === 0)) failures = 1;
  passed += passes;
  failed += failures;
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`== ${name}: ${passes} passed, ${failures} failed in ${seconds} s`);
}
console.log(`\n${passed} passed, ${failed} failed`);
exit(failed === 0 ? 0 : 1);
