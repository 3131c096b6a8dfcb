import type { Machine } from "./machine.ts";

/** The variable in which a machine is handed the password of sudo. An SSH server takes it where `AcceptEnv LC_*` says so, as Debian's does. */
export const sudoVariable = "LC_KTHW_SUDO";

/**
 * The start of a command line that makes the rest run as root by a password in that variable. Standard input stays the command's: sudo asks
 * a program for the password, with the prompt as its argument, and the prompt is the variable's name.
 */
export const sudoWithPassword = `SUDO_ASKPASS=/usr/bin/printenv sudo -A -p ${sudoVariable} env -u ${sudoVariable} `;

/** Lines of a shell that read the password from the first line of standard input, before such a command line. */
export const readSudoPassword = `IFS= read -r ${sudoVariable} && export ${sudoVariable} && `;

/** A line of a shell that sets the password. */
export function setSudoPassword(quotedPassword: string): string {
  return `export ${sudoVariable}=${quotedPassword}\n`;
}

/** The start of a command line on a machine that makes the rest run as root; empty where the connection's user is root. */
export function asRoot({ sudo, secrets }: Pick<Machine, "sudo" | "secrets">): string {
  if (!sudo) return "";
  return secrets?.sudoPassword === undefined ? "sudo -n " : sudoWithPassword;
}

/** A command without the start that makes it run as root. */
export function withoutSudo(command: string): string {
  for (const start of ["sudo -n ", sudoWithPassword])
    if (command.startsWith(start)) return command.slice(start.length);
  return command;
}
