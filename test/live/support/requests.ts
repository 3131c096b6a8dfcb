/** The results of repeated requests. */
export interface Probing {
  readonly requests: number;
  /** The errors, each with its second. */
  readonly failures: readonly string[];
  readonly maxMs: number;
  readonly p99Ms: number;
}

/** Sends twenty requests a second until stopped, whether earlier ones are answered or not. */
export class Requests {
  readonly #send: (number: number) => Promise<void>;
  readonly #latencies: number[] = [];
  readonly #failures: string[] = [];
  readonly #pending = new Set<Promise<void>>();
  readonly #start = performance.now();
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  /** Starts the requests; `send` gets the number of the request, and fails if the request does. */
  constructor(send: (number: number) => Promise<void>) {
    this.#send = send;
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
    const started = performance.now();
    const one = this.#send(this.#count++)
      .catch((error: Error) => {
        const second = ((started - this.#start) / 1000).toFixed(1);
        this.#failures.push(`after ${second} s: ${error.message}`);
      })
      .finally(() => {
        this.#latencies.push(performance.now() - started);
        this.#pending.delete(one);
      });
    this.#pending.add(one);
  }
}
