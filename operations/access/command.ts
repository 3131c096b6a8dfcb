import { spawn } from "node:child_process";

/** What a command said, and how it ended. */
export interface Result {
  /** The command line, for messages. */
  readonly command: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** How a command is run. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Its standard input. */
  readonly input?: string;
  /** It is killed when it takes longer. @default 120 */
  readonly timeoutSeconds?: number;
  /** It is killed when this is aborted. */
  readonly signal?: AbortSignal;
  /** It is interrupted as from a terminal once its standard output is so. */
  readonly interruptOnce?: (stdout: string) => boolean;
}

/** Runs a command to its end, whatever that is. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, env, input = "", timeoutSeconds = 120, signal: stop, interruptOnce }: RunOptions = {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    stop?.throwIfAborted();
    const child = spawn(program, args, { cwd, env });
    const kill = () => child.kill("SIGKILL");
    const timer = setTimeout(kill, timeoutSeconds * 1000);
    stop?.addEventListener("abort", kill);
    const end = () => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", kill);
    };
    let stdout = "";
    let stderr = "";
    let interrupted = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (!interrupted && interruptOnce?.(stdout)) interrupted = child.kill("SIGINT");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", (error) => {
      end();
      reject(error);
    });
    child.on("close", (code, signal) => {
      end();
      const seconds = (performance.now() - start) / 1000;
      if (signal !== null) stderr += `\nended by ${signal} after ${seconds.toFixed(0)} s\n`;
      const command = [program, ...args].join(" ");
      resolve({ command, code: code ?? 1, stdout, stderr, seconds });
    });
    // Whatever does not read its input says by its exit status why.
    child.stdin.on("error", () => {}).end(input);
  });
}

/** Fails with all that a command said, unless it succeeded. */
export function succeeded(result: Result): Result {
  if (result.code === 0) return result;
  const said = [result.stdout, result.stderr].join("\n").trim();
  throw new Error(`${result.command} ended with status ${result.code}:\n${said}`);
}

/** Runs a command that must succeed; its standard output. */
export async function output(
  program: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  return succeeded(await run(program, args, options)).stdout;
}

/** Waits. */
export function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Tries something again until it does not fail, for so long or until a signal is aborted; fails as it failed last. */
export async function eventually<T>(
  work: () => Promise<T>,
  timeoutSeconds = 30,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline || signal?.aborted) throw error;
      await sleep(0.3);
    }
  }
}
