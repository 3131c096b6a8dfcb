import { setMaxListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";

/** The output of a command, and how the command ended. */
export interface Result {
  /** The command line, for messages. */
  readonly command: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

let factor = 1;

/** Multiplies all timeouts from now on, as a cluster of slow machines needs. */
export function stretchTimeouts(by: number): void {
  factor = by;
}

/** How many seconds a timeout is on the machines of this cluster. */
export function stretched(seconds: number): number {
  return seconds * factor;
}

/** How a command is run. */
export interface RunOptions {
  /** The working folder. @default this process's */
  readonly cwd?: string;
  /** All environment variables of the command. @default this process's */
  readonly env?: NodeJS.ProcessEnv;
  /** The standard input. @default empty */
  readonly input?: string;
  /** A command that takes longer is killed. @default 120 */
  readonly timeoutSeconds?: number;
  /** Aborting this signal kills the command. */
  readonly signal?: AbortSignal;
  /** Gets SIGINT, as from a terminal, as soon as this is true of the standard output so far. */
  readonly interruptOnce?: (stdout: string) => boolean;
}

/** Runs a command to its end, successful or not; fails if the command cannot be started. */
export async function run(
  program: string,
  args: readonly string[],
  { cwd, env, input = "", timeoutSeconds = 120, signal, interruptOnce }: RunOptions = {},
): Promise<Result> {
  signal?.throwIfAborted();
  // Many commands may share a signal, of which Node.js warns otherwise.
  if (signal !== undefined) setMaxListeners(0, signal);
  const child = execa(program, args, {
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env, extendEnv: false }),
    ...(signal !== undefined && { cancelSignal: signal }),
    input,
    timeout: stretched(timeoutSeconds) * 1000,
    killSignal: "SIGKILL",
    maxBuffer: Number.POSITIVE_INFINITY,
    stripFinalNewline: false,
    reject: false,
    // execa's own cleanup listens to SIGINT, too, and ends this process while a caller's listener still tidies up.
    cleanup: false,
  });
  let soFar = "";
  let interrupted = false;
  child.stdout.on("data", (chunk) => {
    if (interruptOnce === undefined || interrupted) return;
    soFar += chunk;
    if (interruptOnce(soFar)) interrupted = child.kill("SIGINT");
  });
  const result = await child;
  const { command, exitCode, stdout, stderr, durationMs } = result;
  const seconds = durationMs / 1000;
  if (exitCode !== undefined) return { command, code: exitCode, stdout, stderr, seconds };
  if (result.signal === undefined) throw result;
  const end = `\nended by ${result.signal} after ${seconds.toFixed(0)} s\n`;
  return { command, code: 1, stdout, stderr: stderr + end, seconds };
}

/** The result of a command that must have succeeded; otherwise fails with the command's whole output. */
export function succeeded(result: Result): Result {
  if (result.code === 0) return result;
  const said = [result.stdout, result.stderr].join("\n").trim();
  throw new Error(`${result.command} ended with status ${result.code}:\n${said}`);
}

/** Runs a command that must succeed; returns the standard output. */
export async function output(
  program: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  return succeeded(await run(program, args, options)).stdout;
}

/** Waits. */
export function sleep(seconds: number): Promise<void> {
  return setTimeout(seconds * 1000);
}

/** Repeats some work until it succeeds; after the timeout, or once the signal is aborted, fails with the last error. */
export async function eventually<T>(
  work: () => Promise<T>,
  timeoutSeconds = 30,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + stretched(timeoutSeconds) * 1000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline || signal?.aborted) throw error;
      await sleep(0.3);
    }
  }
}
