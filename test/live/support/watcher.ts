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

interface Event {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly resourceVersion: string };
    readonly message?: string;
  };
}

/** Holds a watch of one object open, as controllers do: where the watch ends, the next one begins at the last version seen. */
export class Watcher {
  readonly #client: ApiClient;
  readonly #path: string;
  readonly #failures: string[] = [];
  readonly #watching: Promise<void>;
  #version = "";
  #reopened = -1;
  #end = () => {};
  #isStopped = false;

  /** Starts the watch; `path` is that of an object in a namespace. */
  constructor(kubeconfig: string, path: string) {
    this.#client = new ApiClient(kubeconfig);
    this.#path = path;
    this.#watching = this.#watch();
  }

  /** Ends the watch, once the last version of the object has been seen; returns the results. */
  async stop(): Promise<Watching> {
    const object = (await json(await this.#client.ask({ path: this.#path }))) as Event["object"];
    for (let tries = 0; tries < 50 && this.#version !== object.metadata.resourceVersion; tries++)
      await sleep(0.2);
    if (this.#version !== object.metadata.resourceVersion)
      this.#failures.push(`version ${object.metadata.resourceVersion} was never seen`);
    this.#isStopped = true;
    this.#end();
    await this.#watching;
    return { reopened: this.#reopened, failures: this.#failures };
  }

  async #watch(): Promise<void> {
    const [, list, name] = /^(.*)\/([^/]+)$/.exec(this.#path)!;
    const object = (await json(await this.#client.ask({ path: this.#path }))) as Event["object"];
    this.#version = object.metadata.resourceVersion;
    while (!this.#isStopped) {
      this.#reopened++;
      const query = `watch=1&fieldSelector=metadata.name=${name}&resourceVersion=${this.#version}`;
      await this.#follow(`${list}?${query}`).catch((error: Error) => {
        if (!this.#isStopped) this.#failures.push(error.message);
      });
      // Clients wait a little, too.
      await sleep(0.1);
    }
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
