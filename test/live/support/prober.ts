import { Agent, request } from "node:https";
import { parse } from "yaml";

/** The results of a prober. */
export interface Probing {
  readonly requests: number;
  /** The errors, each with its second. */
  readonly failures: readonly string[];
  readonly maxMs: number;
  readonly p99Ms: number;
}

/** Sends twenty requests a second to the API, each over a new connection, reads and writes in turn. */
export class Prober {
  readonly #server: URL;
  readonly #credentials: { ca: string; cert: string; key: string };
  readonly #path: string;
  readonly #latencies: number[] = [];
  readonly #failures: string[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #start = performance.now();
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  /** Starts the requests; `path` is that of an object that can be patched. */
  constructor(kubeconfig: string, path: string) {
    const { clusters, users } = parse(kubeconfig);
    const text = (base64: string) => Buffer.from(base64, "base64").toString();
    this.#server = new URL(clusters[0].cluster.server);
    this.#credentials = {
      ca: text(clusters[0].cluster["certificate-authority-data"]),
      cert: text(users[0].user["client-certificate-data"]),
      key: text(users[0].user["client-key-data"]),
    };
    this.#path = path;
    this.#timer = setInterval(() => this.#probe(), 50);
  }

  /** Ends the requests; returns the results. */
  async stop(): Promise<Probing> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    const sorted = this.#latencies.toSorted((one, other) => one - other);
    return {
      requests: this.#count,
      failures: this.#failures,
      maxMs: Math.round(sorted.at(-1) ?? 0),
      p99Ms: Math.round(sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0),
    };
  }

  #probe() {
    const number = this.#count++;
    const started = performance.now();
    const method = number % 2 === 0 ? "GET" : "PATCH";
    const one = this.#ask(method, number)
      .catch((error: Error) => {
        const second = ((started - this.#start) / 1000).toFixed(1);
        this.#failures.push(`${method} after ${second} s: ${error.message}`);
      })
      .finally(() => {
        this.#latencies.push(performance.now() - started);
        this.#pending.delete(one);
      });
    this.#pending.add(one);
  }

  #ask(method: "GET" | "PATCH", number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: this.#server.hostname,
          port: this.#server.port,
          path: this.#path,
          method,
          timeout: 10_000,
          headers: { "Content-Type": "application/merge-patch+json" },
          agent: new Agent({ ...this.#credentials, keepAlive: false, maxCachedSessions: 0 }),
        },
        (response) => {
          response.resume();
          response.on("error", reject);
          response.on("end", () =>
            response.statusCode === 200
              ? resolve()
              : reject(new Error(`status ${response.statusCode}`)),
          );
        },
      );
      asked.on("timeout", () => asked.destroy(new Error("no answer within 10 s")));
      asked.on("error", reject);
      asked.end(method === "PATCH" ? JSON.stringify({ data: { probe: `${number}` } }) : undefined);
    });
  }
}
