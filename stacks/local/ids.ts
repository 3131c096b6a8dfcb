import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

// Neither an update nor a refresh sees that a machine was killed or the computer rebooted, so the program looks. The scripts record an
// id with each machine, disk and network: while the thing is there, the id stays; otherwise a new id makes a difference in the preview.

/** The id in a file; undefined if there is none. */
export function idIn(file: string): string | undefined {
  return read(file)?.trim() || undefined;
}

/** An id that nothing has had. */
export function newId(): string {
  return randomBytes(16).toString("hex");
}

/** The text of a file; undefined if there is none. */
export function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Whether the process whose id is in the file runs, with the word among its arguments. */
export function runs(file: string, word: string): boolean {
  const id = idIn(file);
  return id !== undefined && (read(`/proc/${id}/cmdline`)?.split("\0").includes(word) ?? false);
}

/** The inode of a file; undefined if there is none. */
export function inodeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino;
}
