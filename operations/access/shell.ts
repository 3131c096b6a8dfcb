import { type Result, type RunOptions, run } from "./command.ts";
import type { ShellMachine } from "./stack.ts";

/** What ssh itself ends with when it does not get to the machine. */
const unreachable = 255;

/** Runs a bash script as root on a machine, however it ends; fails if the machine cannot be reached. */
export async function onMachine(
  { name, ssh }: ShellMachine,
  script: string,
  options?: Omit<RunOptions, "input">,
): Promise<Result> {
  // Options may stand after the destination, too.
  const line = `exec ${ssh} ${unattended} "$0"`;
  // As a whole, so that what arrives in part does nothing and no command of it reads the rest.
  const input = `{\n${script}\n} </dev/null\n`;
  const result = await run("bash", ["-c", line, asRoot], { ...options, input });
  if (result.code === unreachable && result.stdout === "")
    throw new Error(`${name} cannot be reached: ${result.stderr.trim()}`);
  return { ...result, command: `a script on ${name}` };
}

/** Nobody is there to answer questions: a host whose key nobody knows yet is taken for what it says, unless its command line is stricter. */
const unattended = "-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=10";

const asRoot = `if [ "$(id -u)" = 0 ]; then exec bash -s; else exec sudo -n bash -s; fi`;
