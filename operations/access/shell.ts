import { answersOf, askingOurs } from "../../node/askpass.ts";
import { readSudoPassword, sudoWithPassword } from "../../node/become-root.ts";
import { type Result, type RunOptions, run } from "./command.ts";
import type { ShellMachine } from "./stack.ts";

/** The exit status of ssh when there is no connection to the machine. */
const unreachable = 255;

/** How a command runs on a machine: the standard input and the environment are of this module. */
type Options = Omit<RunOptions, "input" | "env">;

/** Runs a bash script as root on a machine, successful or not; fails if the machine cannot be reached. */
export async function onMachine(
  machine: ShellMachine,
  script: string,
  options?: Options,
): Promise<Result> {
  // In braces, so that bash runs no part of a script that arrives incomplete, and no command reads the rest of the script.
  const input = `${passwordLine(machine)}{\n${script}\n} </dev/null\n`;
  const result = await run("bash", ["-c", `exec ${ssh(machine)}`, asRoot(machine, "bash -s")], {
    ...options,
    ...environment(machine),
    input,
  });
  const { name } = machine;
  if (result.code === unreachable && result.stdout === "")
    throw new Error(`${name} cannot be reached: ${result.stderr.trim()}`);
  return { ...result, command: `a script on ${name}` };
}

/** Copies a file of this computer to a machine; nobody but the owner there may read the file. */
export async function upload(
  machine: ShellMachine,
  from: string,
  to: { readonly path: string; readonly owner: string },
  options?: Options,
): Promise<void> {
  const line = `set -o pipefail; exec 3<"$1" || exit; cat - /dev/fd/3 | ${ssh(machine)}`;
  const install = `install --mode=0600 --owner=${to.owner} --group=${to.owner} /dev/stdin '${to.path}'`;
  const { code, stderr } = await run("bash", ["-c", line, asRoot(machine, install), from], {
    ...options,
    ...environment(machine),
    input: passwordLine(machine),
  });
  if (code !== 0) throw new Error(`${machine.name} did not take ${from}: ${stderr.trim()}`);
}

/** Copies a file of a machine to this computer, where nobody but the user may read the file. */
export async function download(
  machine: ShellMachine,
  from: string,
  to: string,
  options?: Options,
): Promise<void> {
  const line = `umask 077 && exec ${ssh(machine)} >"$1"`;
  const { code, stderr } = await run("bash", ["-c", line, asRoot(machine, `cat '${from}'`), to], {
    ...options,
    ...environment(machine),
    input: passwordLine(machine),
  });
  if (code !== 0) throw new Error(`${machine.name} did not give ${from}: ${stderr.trim()}`);
}

/**
 * The command line that runs the command in `$0` on a machine, without a terminal: no questions to a person; an unknown host key is accepted,
 * unless the machine's command line is stricter. ssh takes options after the destination, too.
 */
function ssh({ ssh, secrets }: ShellMachine): string {
  const asks = secrets?.passphrases
    ? "-o BatchMode=no -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no"
    : "-o BatchMode=yes";
  return `${ssh} ${asks} -o StrictHostKeyChecking=accept-new -o ConnectTimeout=10 "$0"`;
}

/** Where ssh finds the passphrases for which it asks, if there are any. */
function environment({ secrets }: ShellMachine): { readonly env?: NodeJS.ProcessEnv } {
  const { passphrases } = secrets ?? {};
  return passphrases ? { env: { ...process.env, ...askingOurs(answersOf(passphrases)) } } : {};
}

/** The first line of standard input, where sudo asks for a password. */
function passwordLine({ secrets }: ShellMachine): string {
  return secrets?.sudoPassword === undefined ? "" : `${secrets.sudoPassword}\n`;
}

/** The command line on a machine that runs a command as root. */
function asRoot({ secrets }: ShellMachine, command: string): string {
  if (secrets?.sudoPassword !== undefined)
    return `${readSudoPassword}${sudoWithPassword}${command}`;
  return `if [ "$(id -u)" = 0 ]; then exec ${command}; else exec sudo -n ${command}; fi`;
}
