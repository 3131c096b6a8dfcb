import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Probing } from "./requests.ts";

const program = fileURLToPath(new URL("service-requests.ts", import.meta.url));

/** Sends twenty requests a second to a Service from within a machine's network, each over a new connection. */
export class ServiceProber {
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
