import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** How a script is run that asks the API by kubectl. */
export interface WithKubectl {
  /** The script with its arguments. */
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  /** The lines of a shell script in place of kubectl; `$1` is the first word after the flags that every call has. */
  readonly kubectl: string;
  /** Gets what is written to the standard error, and the process that Pulumi kills at an interruption. */
  readonly hear?: (said: string, shell: number) => void;
}

/** Runs a script as Pulumi does, with a shell script in place of kubectl; `changes` are the calls of kubectl, in order, that do not only read. */
export async function withKubectl({ command, env, kubectl, hear = () => {} }: WithKubectl) {
  const folder = mkdtempSync(path.join(tmpdir(), "kthw-kubectl-"));
  const program = path.join(folder, "kubectl");
  const log = path.join(folder, "log");
  writeFileSync(
    program,
    `#!/bin/bash
     [[ $(cat "\${1#--kubeconfig=}") == 'a kubeconfig' ]] || exit 9
     shift
     [[ $1 != --request-timeout* ]] || shift
     [[ $1 == get ]] || echo "$*" >>${log}
     ${kubectl}`,
  );
  chmodSync(program, 0o755);
  const child = execa("/bin/sh", ["-c", `${command} || exit`], {
    cwd: root,
    extendEnv: false,
    env: { PATH: `${folder}:${process.env.PATH}`, ...env },
    input: "a kubeconfig",
    reject: false,
  });
  child.stderr.on("data", (chunk) => hear(String(chunk), child.pid!));
  const { exitCode, stdout, stderr } = await child;
  const changes = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  rmSync(folder, { recursive: true });
  return { code: exitCode, stdout, stderr, changes };
}
