/** Commands on this computer. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { type Call, type Outcome, Output } from "./output.ts";

/** How a local command is run. */
export interface Shell {
  readonly dir: string | undefined;
  /** The program and its first arguments; the command is its last one. */
  readonly interpreter: readonly string[];
}

const signals: Record<string, string> = {
  SIGHUP: "hangup",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
};

/** Runs one command to its end, and until nobody holds its output any more. */
export function run(shell: Shell, call: Call): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const output = new Output(call);
    const { dir } = shell;
    const [program, ...first] =
      shell.interpreter.length > 0 ? shell.interpreter : ["/bin/sh", "-c"];
    if (dir !== undefined && !existsSync(dir))
      return reject(output.failure(`chdir ${dir}: no such file or directory`));
    const child = spawn(program as string, [...first, call.command], {
      cwd: dir,
      env: { ...process.env, ...call.environment },
      stdio: [call.stdin ? "pipe" : "ignore", "pipe", "pipe"],
    });
    output.collect("stdout", child.stdout as NodeJS.ReadableStream);
    output.collect("stderr", child.stderr as NodeJS.ReadableStream);
    // A command may end without having read its input.
    child.stdin?.on("error", () => {});
    child.stdin?.end(call.stdin);
    const stop = () => child.kill("SIGKILL");
    call.signal.addEventListener("abort", stop, { once: true });
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(
        output.failure(
          error.code === "ENOENT"
            ? `exec: "${program}": executable file not found in $PATH`
            : error.message,
        ),
      ),
    );
    child.on("close", (code, signal) => {
      call.signal.removeEventListener("abort", stop);
      if (code === 0) resolve(output.outcome());
      else if (signal === null) reject(output.failure(`exit status ${code}`));
      else
        reject(
          output.failure(`signal: ${signals[signal] ?? `signal ${constants.signals[signal]}`}`),
        );
    });
  });
}
