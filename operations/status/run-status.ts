/** Shows the machines, services, members of etcd, certificates and faults of a stack; with `watch` again and again: `run-status.ts <stack> [watch]`. */
import { argv, exit, stdout } from "node:process";
import { sleep } from "../access/command.ts";
import { faultsIn, linesOf } from "./lines.ts";
import { statusOf } from "./status.ts";

/** How long a status is shown before the next is asked for, in seconds. */
const interval = 3;

const [stack, watch] = argv.slice(2);
if (stack === undefined || (watch !== undefined && watch !== "watch")) {
  console.error("usage: run-status.ts <stack> [watch]");
  exit(2);
}

/** Clears a terminal. */
const clear = "\x1b[H\x1b[2J";

for (;;) {
  const { lines, isWell } = await look(stack);
  const time = watch ? [new Date().toISOString(), ""] : [];
  stdout.write(`${watch && stdout.isTTY ? clear : ""}${[...time, ...lines].join("\n")}\n`);
  if (!watch) exit(isWell ? 0 : 1);
  await sleep(interval);
}

async function look(stack: string): Promise<{ lines: readonly string[]; isWell: boolean }> {
  try {
    const now = new Date();
    const status = await statusOf(stack, now);
    return { lines: linesOf(status, now), isWell: faultsIn(status).length === 0 };
  } catch (error) {
    return { lines: [(error as Error).message], isWell: false };
  }
}
