/**
 * Clears away what a command of Pulumi that was cut off has left in a stack's state, so that the next one can run, and says so:
 * `clear-interrupted.ts <stack>`. Fails where the stack is locked by a command that may still run.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { argv, env, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { output } from "../access/command.ts";
import { holderOf, type Lock } from "./locks.ts";
import { isRepeatable, type PendingOperation } from "./pending.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: clear-interrupted.ts <stack>");
  exit(2);
}
const backend = env.PULUMI_BACKEND_URL ?? "";
// Of a state elsewhere, Pulumi itself says what it knows.
if (!backend.startsWith("file://")) exit(0);
const folder = join(fileURLToPath(backend), ".pulumi");
const pulumi = (...args: string[]) => output("pulumi", [...args, "--stack", stack]);

const lockFolder = join(folder, "locks/organization/kthw", stack);
const locks = locksIn(lockFolder);
const holders = locks.flatMap(
  // Pulumi writes a lock as a whole: only a computer that lost power leaves one that cannot be read.
  (lock) => (lock && holderOf(lock, stack, { hostname: hostname(), startOf })) ?? [],
);
if (holders.length > 0) {
  for (const holder of holders) console.error(holder);
  exit(1);
}
// Pulumi replaces a file as a whole, but writes the attributes beside it in place. Without them, it takes the usual ones.
const torn = [
  ...filesIn(folder, "meta.yaml"),
  ...filesIn(lockFolder, ""),
  ...filesIn(join(folder, "stacks/kthw"), `${stack}.json`),
].filter((file) => file.endsWith(".attrs") && parsed(readFileSync(file, "utf8")) === undefined);
for (const file of torn) {
  rmSync(file);
  console.error(`stack ${stack}: a command was cut off while it wrote ${file}; that is removed`);
}
if (locks.length > 0) {
  await pulumi("cancel", "--yes", "--non-interactive");
  const [lock] = locks;
  const by = lock === undefined ? "" : ` (process ${lock.pid})`;
  console.error(`stack ${stack}: a command was cut off${by}; its lock is removed`);
}

const state = join(folder, `stacks/kthw/${stack}.json`);
const text = existsSync(state) ? readFileSync(state, "utf8") : "{}";
if (parsed(text) === undefined) {
  console.error(
    `stack ${stack}: the state was cut off while it was written, got ${text.length} characters in ${state}; take the copy from just before: cp '${state}.bak' '${state}'`,
  );
  exit(1);
}
if (text.includes('"pending_operations"')) {
  const exported = JSON.parse(await pulumi("stack", "export"));
  const pending: readonly PendingOperation[] = exported.deployment.pending_operations ?? [];
  const kept = pending.filter((operation) => !isRepeatable(operation));
  if (kept.length < pending.length) {
    exported.deployment.pending_operations = kept;
    await output("pulumi", ["stack", "import", "--stack", stack], {
      input: JSON.stringify(exported),
    });
    console.error(
      `stack ${stack}: operations that were cut off: ${pending.length - kept.length}; they are done again`,
    );
  }
  for (const { resource } of kept)
    console.error(
      `stack ${stack}: ${resource.urn} was cut off while it was made; look for it and remove it where it is, then forget it: make shell STACK=${stack} CMD='pulumi refresh --clear-pending-creates'`,
    );
}

/** The locks in a folder; undefined for one that cannot be read. */
function locksIn(place: string): (Lock | undefined)[] {
  const files = filesIn(place, "").filter((file) => file.endsWith(".json"));
  return files.map((file) => parsed<Lock>(readFileSync(file, "utf8")));
}

/** The files in a folder whose names begin so; none where there is no folder. */
function filesIn(place: string, start: string): string[] {
  const names = existsSync(place) ? readdirSync(place) : [];
  return names.filter((name) => name.startsWith(start)).map((name) => join(place, name));
}

/** A value from JSON; undefined for a text that is not whole. */
function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** When a process of the Pulumi CLI started, from proc(5). */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    if (readFileSync(`/proc/${pid}/comm`, "utf8") !== "pulumi\n") return undefined;
    // The name, in parentheses, may hold spaces.
    const ticks = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
    const [, boot] = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))!;
    return (Number(boot) + ticks / 100) * 1000;
  } catch {
    return undefined;
  }
}
