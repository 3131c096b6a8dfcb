import { ApiClient } from "./api-client.ts";
import { type Probing, Requests } from "./requests.ts";

/**
 * Sends twenty requests a second to the API, each over a new connection, reads and writes in turn. What is written is base64, as Secrets need.
 * Objects take turns: of several patches of one object, etcd accepts one at a time, and API servers try the others again in no order.
 */
export class Prober {
  readonly #client: ApiClient;
  readonly #paths: readonly string[];
  readonly #silenceMs: number;
  readonly #requests: Requests;

  /** Starts the requests; `paths` are those of objects that can be patched. A request fails if nothing is heard for so long. */
  constructor(kubeconfig: string, paths: readonly string[], silenceMs = 10_000) {
    this.#client = new ApiClient(kubeconfig);
    this.#paths = paths;
    this.#silenceMs = silenceMs;
    this.#requests = new Requests((number) =>
      this.#send(number % 2 === 0 ? "GET" : "PATCH", number),
    );
  }

  /** Ends the requests; returns the results. */
  stop(): Promise<Probing> {
    return this.#requests.stop();
  }

  async #send(method: "GET" | "PATCH", number: number): Promise<void> {
    try {
      const patch = method === "PATCH" && {
        patch: JSON.stringify({ data: { probe: `${number}`.padStart(8, "0") } }),
      };
      const path = this.#paths[(number >> 1) % this.#paths.length]!;
      const asked = { method, path, silenceMs: this.#silenceMs, ...patch };
      // The answer is read to its end.
      for await (const _ of await this.#client.ask(asked));
    } catch (error) {
      throw new Error(`${method}: ${(error as Error).message}`);
    }
  }
}
