import { rm } from "node:fs/promises";
import type { LiveStack } from "./live-stack.ts";
import { output, succeeded } from "./run.ts";

/** Runs write-logs.ts; returns its output, and the texts of the archive by path. */
export async function writeLogs(
  stack: LiveStack,
): Promise<{ readonly said: string; readonly files: Map<string, string> }> {
  const { stdout } = succeeded(await stack.script("operations/logs/write-logs.ts"));
  const [, archive] = /^written to (.*)$/m.exec(stdout) ?? [];
  const files = new Map<string, string>();
  const list = await output("tar", ["--list", "--file", archive!]);
  for (const path of list.split("\n").filter((one) => one !== "" && !one.endsWith("/"))) {
    const text = await output("tar", ["--extract", "--to-stdout", "--file", archive!, path]);
    files.set(path.slice(path.indexOf("/") + 1), text);
  }
  await rm(archive!);
  return { said: stdout, files };
}
