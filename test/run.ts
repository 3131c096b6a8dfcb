/** Runs the checks and tests of a scope, `lint`, `fast` or `all`, one after another, and ends with one line of counts. */
import { argv, exit } from "node:process";
import { execa } from "execa";

interface Suite {
  readonly name: string;
  /** A shell command. */
  readonly command: string;
  /** Patterns of the counts in the output, what failed being told behind theirs; a suite without counts is one check. */
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

let group: number | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    if (group !== undefined) process.kill(-group, signal);
  });

/** Runs a command, passing its output on as it comes; returns the output and whether the command succeeded. */
async function run(command: string): Promise<{ output: string; succeeded: boolean }> {
  // A process group of its own, so that a signal reaches all that the command started.
  const child = execa("sh", ["-c", `exec ${command} 2>&1`], {
    stdio: ["ignore", ["pipe", "inherit"], "inherit"],
    maxBuffer: Number.POSITIVE_INFINITY,
    detached: true,
    reject: false,
  });
  group = child.pid;
  const { stdout, exitCode } = await child;
  return { output: stdout, succeeded: exitCode === 0 };
}

const last = (text: string, pattern: RegExp): number =>
  Number([...text.matchAll(new RegExp(pattern, "gm"))].at(-1)?.[1] ?? 0);

/** What a suite says of its failures, at most 80 lines. */
function failuresIn(output: string, begin: RegExp | undefined): string {
  const from = begin === undefined ? -1 : output.search(begin);
  const lines = (from === -1 ? output : output.slice(from)).trimEnd().split("\n");
  return (from === -1 ? lines.slice(-80) : lines.slice(0, 80)).join("\n");
}

const suites = scopes[argv[2] ?? ""];
if (suites === undefined) {
  console.error(`usage: run.ts ${Object.keys(scopes).join("|")}`);
  exit(2);
}

let passed = 0;
let failed = 0;
const reports: string[] = [];
for (const { name, command, counts } of suites) {
  const start = Date.now();
  console.log(`\n== ${name}`);
  const { output, succeeded } = await run(command);
  const passes = counts === undefined ? Number(succeeded) : last(output, counts.passed);
  let failures = counts === undefined ? 0 : last(output, counts.failed);
  // A suite that breaks off or runs nothing counts as one failure.
  if (failures === 0 && (!succeeded || passes === 0)) failures = 1;
  passed += passes;
  failed += failures;
  if (failures > 0) reports.push(`== ${name} failed\n${failuresIn(output, counts?.failed)}`);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  console.log(`== ${name}: ${passes} passed, ${failures} failed in ${seconds} s`);
}
// Again, since what comes last of a long output is what is kept of it.
for (const report of reports) console.log(`\n${report}`);
console.log(`\n${passed} passed, ${failed} failed`);
exit(failed === 0 ? 0 : 1);
