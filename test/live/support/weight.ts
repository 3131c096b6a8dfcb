import { readdirSync, readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { LiveStack } from "./live-stack.ts";
import { output } from "./run.ts";

const mebibyte = 2 ** 20;

/** What a stack's machines have in memory of this computer, in MiB. */
export interface Memory {
  /** What processes have of their own, and memory that they share, once. */
  readonly processes: number;
  /** Pages of files: those of the machines, and those that the machines may share, once. */
  readonly files: number;
}

/** Takes out of memory what machines may share, such as the mirror: what is there later is there because of them. */
export async function forgetShared(stack: LiveStack): Promise<void> {
  const drop = 'for file; do dd if="$file" iflag=nocache count=0 status=none; done';
  const files = [...(await sharedBy(stack)), "-type", "f", "-size", "+255k"];
  await output("find", [...files, "-exec", "sh", "-c", drop, "sh", "{}", "+"]);
}

/** The memory that a stack's machines take, once `forgetShared` was called before they were made. */
export async function memoryOf(stack: LiveStack): Promise<Memory> {
  const processes = processesOf(stack).map(({ id }) => {
    const sizes = readOf(id, "smaps_rollup").matchAll(/^Pss_(?:Anon|Shmem): +(\d+) kB$/gm);
    return [...sizes].reduce((sum, [, size]) => sum + Number(size), 0) / 1024;
  });
  const folders = [join(stack.machines.folder, ".."), ...(await sharedBy(stack))];
  // A file with several names, as in a copy of the mirror by links, counts once. Some files go while the list is made.
  const list = `find "$@" -type f -size +0 -printf '%D:%i\\t%p\\0' | sort -zu -t '\t' -k 1,1 | cut -zf 2- |
    xargs -0 fincore --bytes --noheadings --raw --output RES 2>/dev/null || true`;
  const pages = await output("bash", ["-c", list, "bash", ...folders]);
  return {
    processes: processes.reduce((sum, size) => sum + size, 0),
    files: pages.split("\n").reduce((sum, size) => sum + Number(size), 0) / mebibyte,
  };
}

/** The folders of what is installed for machines: all but what the Pulumi CLI is made of. */
async function sharedBy(stack: LiveStack): Promise<string[]> {
  const cache = stack.environment.KTHW_CACHE!;
  const names = readdirSync(cache).filter((name) => !/^(\.|pulumi|bin$)/.test(name));
  return [stack.mirror, ...(await Promise.all(names.map((name) => realpath(join(cache, name)))))];
}

/** How much all processes of each machine have written to files since its boot, in MiB, those included that have ended. */
export function writtenByMachine(stack: LiveStack): Record<string, number> {
  const written: Record<string, number> = {};
  for (const { id, machine } of processesOf(stack)) {
    // A process inherits the counts of its children when they have ended: proc_pid_io(5).
    const counts = Object.fromEntries(
      [...readOf(id, "io").matchAll(/^(\w+): (\d+)$/gm)].map(([, name, count]) => [name, count]),
    );
    const bytes = Number(counts.write_bytes ?? 0) - Number(counts.cancelled_write_bytes ?? 0);
    written[machine] = (written[machine] ?? 0) + bytes / mebibyte;
  }
  return written;
}

/** The processes of a stack's machines, known by their control groups. */
function processesOf({ name }: LiveStack): { readonly id: string; readonly machine: string }[] {
  const group = new RegExp(`/kthw-${name}[/:]([a-z0-9-]+)(?:\\.service)?(?:/|$)`, "m");
  return readdirSync("/proc").flatMap((id) => {
    const [, machine] = (/^\d+$/.test(id) && group.exec(readOf(id, "cgroup"))) || [];
    return machine === undefined ? [] : [{ id, machine }];
  });
}

function readOf(id: string, file: string): string {
  try {
    return readFileSync(`/proc/${id}/${file}`, "utf8");
  } catch {
    // The process has ended.
    return "";
  }
}
