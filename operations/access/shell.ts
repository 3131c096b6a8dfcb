import { type Result, type RunOptions, run } from "./command.ts";
import type { ShellMachine } from "./stack.ts";

/** The exit status of ssh when there is no connection to the machine. */
const unreachable = 255;

/** Runs a bash script as root on a machine, successful or not; fails if the machine cannot be reached. */
export async function onMachine(
  { name, ssh }: ShellMachine,
  script: string,
  options?: Omit<RunOptions, "input">,
): Promise<Result> {
  // ssh takes options after the destination, too.
  const line = `exec ${ssh} ${unattended} "$0"`;
  // In braces, so that bash runs no part of a script that arrives incomplete, and no command reads the rest of the script.
  const input = `{\n${script}\n} </dev/null\n`;
  const result = await run("bash", ["-c", line, asRoot], { ...options, input });
  if (result.code === unreachable && result.stdout === "")
    throw new Error(`${name} cannot be reached: ${result.stderr.trim()}`);
  return { ...result, command: `a script on ${name}` };
}

/** Options of ssh for a command without a terminal: no questions; an unknown host key is accepted, unless the machine's command line is stricter. */
const unattended = "-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=10";

const asRoot = `if [ "$(id -u)" = 0 ]; then exec bash -s; else exec sudo -n bash -s; fi`;
