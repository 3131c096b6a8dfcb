import { execa } from "execa";
import type { Probing } from "./prober.ts";

/** Sends twenty requests a second to a Service from within a machine's network, each over a new connection. */
export class ServiceProber {
  readonly #child;

  /** Starts the requests; `namespace` is their network namespace. */
  constructor(namespace: string, url: string) {
    const node = [process.execPath, "--input-type=module", "--eval", program, url];
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

const program = `
import { request } from "node:http";
const latencies = [], failures = [], pending = new Set(), start = performance.now();
const ask = () => new Promise((resolve, reject) => {
  const asked = request(process.argv[1], { agent: false, timeout: 5000 }, (response) => {
    response.resume().on("error", reject);
    response.on("end", () => response.statusCode === 200 ? resolve() : reject(new Error("status " + response.statusCode)));
  });
  asked.on("timeout", () => asked.destroy(new Error("no answer within 5 s")));
  asked.on("error", reject);
  asked.end();
});
const timer = setInterval(() => {
  const started = performance.now();
  const one = ask()
    .catch(({ message }) => failures.push("after " + ((started - start) / 1000).toFixed(1) + " s: " + message))
    .finally(() => { latencies.push(performance.now() - started); pending.delete(one); });
  pending.add(one);
}, 50);
process.stdin.resume().on("end", async () => {
  clearInterval(timer);
  await Promise.all(pending);
  const sorted = latencies.sort((one, other) => one - other);
  console.log(JSON.stringify({
    requests: sorted.length, failures,
    maxMs: Math.round(sorted.at(-1) ?? 0), p99Ms: Math.round(sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0),
  }));
});
`;
