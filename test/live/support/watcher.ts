import { createInterface } from "node:readline";
import { json } from "node:stream/consumers";
import { ApiClient } from "./api-client.ts";
import { sleep } from "./run.ts";

/** The results of a watch. */
export interface Watching {
  /** How often the watch ended and was opened again from where it was. */
  readonly reopened: number;
  /** What a client that holds such a watch would not have survived. */
  readonly failures: readonly string[];
}

interface Versioned {
  readonly metadata: { readonly resourceVersion: string };
}

interface List extends Versioned {
  readonly items: readonly Versioned[];
}

interface Event {
  readonly type: string;
  readonly object: Versioned & { readonly message?: string };
}

/** Holds a watch of objects open, as controllers do: where the watch ends, the next one begins at the last version seen. */
export class Watcher {
  readonly #client: ApiClient;
  readonly #list: string;
  readonly #failures: string[] = [];
  readonly #watching: Promise<void>;
  #version = "";
  #reopened = -1;
  #end = () => {};
  #isStopped = false;

  /** Starts the watch; `list` is a path that lists the objects, with a query. */
  constructor(kubeconfig: string, list: string) {
    this.#client = new ApiClient(kubeconfig);
    this.#list = list;
    this.#watching = this.#watch();
  }

  /** Ends the watch, once the last change of an object has been seen; returns the results. */
  async stop(): Promise<Watching> {
    const { items } = await this.#objects();
    const last = Math.max(...items.map(({ metadata }) => Number(metadata.resourceVersion)));
    for (let tries = 0; tries < 50 && Number(this.#version) < last; tries++) await sleep(0.2);
    if (Number(this.#version) < last) this.#failures.push(`version ${last} was never seen`);
    this.#isStopped = true;
    this.#end();
    await this.#watching;
    return { reopened: this.#reopened, failures: this.#failures };
  }

  async #watch(): Promise<void> {
    this.#version = (await this.#objects()).metadata.resourceVersion;
    while (!this.#isStopped) {
      this.#reopened++;
      const query = `watch=1&resourceVersion=${this.#version}`;
      await this.#follow(`${this.#list}&${query}`).catch((error: Error) => {
        if (!this.#isStopped) this.#failures.push(error.message);
      });
      // Clients wait a little, too.
      await sleep(0.1);
    }
  }

  async #objects(): Promise<List> {
    return (await json(await this.#client.ask({ path: this.#list }))) as List;
  }

  /** Follows one watch to its end; a connection that breaks while it is open is an end like any other. */
  async #follow(path: string): Promise<void> {
    const answer = await this.#client.ask({ path });
    const lines = createInterface({ input: answer });
    // Lines that are read one by one do not end with a stream that is destroyed.
    this.#end = () => {
      lines.close();
      answer.destroy();
    };
    try {
      for await (const line of lines) {
        const { type, object } = JSON.parse(line) as Event;
        if (type === "ERROR") this.#failures.push(`watch: ${object.message}`);
        else this.#version = object.metadata.resourceVersion;
      }
    } catch {
      // The connection broke.
    }
  }
}
