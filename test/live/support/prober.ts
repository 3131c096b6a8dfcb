import { ApiClient } from "./api-client.ts";
import { type Probing, Requests } from "./requests.ts";

/** Sends twenty requests a second to the API, each over a new connection, reads and writes in turn. What is written is base64, as Secrets need. */
export class Prober {
  readonly #client: ApiClient;
  readonly #path: string;
  readonly #silenceMs: number;
  readonly #requests: Requests;

  /** Starts the requests; `path` is that of an object that can be patched. A request fails if nothing is heard for so long. */
  constructor(kubeconfig: string, path: string, silenceMs = 10_000) {
    this.#client = new ApiClient(kubeconfig);
    this.#path = path;
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
      const asked = { method, path: this.#path, silenceMs: this.#silenceMs, ...patch };
      // The answer is read to its end.
      for await (const _ of await this.#client.ask(asked));
    } catch (error) {
      throw new Error(`${method}: ${(error as Error).message}`);
    }
  }
}
