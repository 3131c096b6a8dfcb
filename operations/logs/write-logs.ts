/** Writes an archive of the logs of a stack's machines and cluster, for a bug report and without secrets: `write-logs.ts <stack>`. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { argv, exit } from "node:process";
import { output } from "../access/command.ts";
import { machinesOf } from "../access/stack.ts";
import { collectCluster } from "./cluster.ts";
import type { Collected } from "./collected.ts";
import { collectMachine } from "./machine.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: write-logs.ts <stack>");
  exit(2);
}

const machines = await machinesOf(stack).catch((error: Error) => {
  console.error(error.message);
  exit(1);
});
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => interrupted.abort());

const collecting: [folder: string, collected: Promise<Collected>][] = [
  ["cluster", collectCluster(interrupted.signal)],
  ...machines.map((machine): [string, Promise<Collected>] => [
    join("machines", machine.name),
    collectMachine(machine, interrupted.signal),
  ]),
];
const parts = await Promise.all(
  collecting.map(async ([folder, collected]) => ({ folder, ...(await collected) })),
);
if (interrupted.signal.aborted) exit(130);

const time = new Date().toISOString().replace(/\..*/, "").replaceAll(/[-:]/g, "");
const name = `${stack}-${time}`;
const missing = parts.flatMap((part) => part.missing);
const texts = new Map([["missing", missing.map((line) => `${line}\n`).join("")]]);
for (const { folder, files } of parts)
  for (const [file, text] of files) texts.set(join(folder, file), text);

const draft = mkdtempSync(join(tmpdir(), "kthw-logs-"));
const archive = join("logs", `${name}.tar.gz`);
try {
  for (const [path, text] of texts) {
    mkdirSync(dirname(join(draft, name, path)), { recursive: true });
    writeFileSync(join(draft, name, path), text);
  }
  mkdirSync("logs", { recursive: true });
  await output("tar", ["--create", "--gzip", `--file=${archive}`, `--directory=${draft}`, name]);
} finally {
  rmSync(draft, { recursive: true });
}

for (const { folder, files } of parts)
  if (files.size > 0) console.log(`${folder}: ${files.size} files`);
for (const line of missing) console.log(`missing: ${line}`);
console.log(`written to ${archive}`);
