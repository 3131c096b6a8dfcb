import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Probing } from "./requests.ts";

const program = fileURLToPath(new URL("service-requests.ts", import.meta.url));

/** Does something while a Service is asked twenty times a second from a network namespace, each time over a new connection; returns what was done, and the results. */
export async function whileServiceAsked<T>(
  namespace: string,
  url: string,
  change: () => Promise<T>,
): Promise<readonly [T, Probing]> {
  const prober = new ServiceProber(namespace, url);
  let done: T;
  try {
    done = await change();
  } catch (error) {
    await prober.stop();
    throw error;
  }
  return [done, await prober.stop()];
}

/** Sends the requests. */
class ServiceProber {
  readonly #child;

  /** Starts the requests; `namespace` is their network namespace. */
  constructor(namespace: string, url: string) {
    const node = [process.execPath, "--import", "tsx", program, url];
    this.#child = execa("ip", ["netns", "exec", namespace, ...node], {
      stdin: "pipe",
      stderr: "inherit",
      reject: false,
      cleanup: false,
    });
  }

  /** Ends the requests; returns the results. */
  async stop(): Promise<Probing> {
    this.#child.stdin.end();
    return JSON.parse((await this.#child).stdout);
  }
}
