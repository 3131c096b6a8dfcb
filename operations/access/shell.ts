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
  const result = await run("bash", ["-c", line, asRoot("bash -s")], { ...options, input });
  if (result.code === unreachable && result.stdout === "")
    throw new Error(`${name} cannot be reached: ${result.stderr.trim()}`);
  return { ...result, command: `a script on ${name}` };
}

/** Copies a file of this computer to a machine; nobody but the owner there may read the file. */
export async function upload(
  { name, ssh }: ShellMachine,
  from: string,
  to: { readonly path: string; readonly owner: string },
  options?: Omit<RunOptions, "input">,
): Promise<void> {
  const line = `exec ${ssh} ${unattended} "$0" <"$1"`;
  const install = `install --mode=0600 --owner=${to.owner} --group=${to.owner} /dev/stdin '${to.path}'`;
  const { code, stderr } = await run("bash", ["-c", line, asRoot(install), from], options);
  if (code !== 0) throw new Error(`${name} did not take ${from}: ${stderr.trim()}`);
}

/** Copies a file of a machine to this computer, where nobody but the user may read the file. */
export async function download(
  { name, ssh }: ShellMachine,
  from: string,
  to: string,
  options?: Omit<RunOptions, "input">,
): Promise<void> {
  const line = `umask 077 && exec ${ssh} ${unattended} "$0" >"$1"`;
  const { code, stderr } = await run("bash", ["-c", line, asRoot(`cat '${from}'`), to], options);
  if (code !== 0) throw new Error(`${name} did not give ${from}: ${stderr.trim()}`);
}

/** Options of ssh for a command without a terminal: no questions; an unknown host key is accepted, unless the machine's command line is stricter. */
const unattended = "-o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=10";

/** The command line on a machine that runs a command as root. */
function asRoot(command: string): string {
  return `if [ "$(id -u)" = 0 ]; then exec ${command}; else exec sudo -n ${command}; fi`;
}
