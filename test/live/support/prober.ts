import { Agent, request } from "node:https";
import { parse } from "yaml";
import { type Probing, Requests } from "./requests.ts";

/** Sends twenty requests a second to the API, each over a new connection, reads and writes in turn. */
export class Prober {
  readonly #server: URL;
  readonly #credentials: { ca: string; cert: string; key: string };
  readonly #path: string;
  readonly #requests: Requests;

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
    this.#requests = new Requests((number) =>
      this.#send(number % 2 === 0 ? "GET" : "PATCH", number),
    );
  }

  /** Ends the requests; returns the results. */
  stop(): Promise<Probing> {
    return this.#requests.stop();
  }

  #send(method: "GET" | "PATCH", number: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => reject(new Error(`${method}: ${error.message}`));
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
          response.on("error", fail);
          response.on("end", () =>
            response.statusCode === 200
              ? resolve()
              : fail(new Error(`status ${response.statusCode}`)),
          );
        },
      );
      asked.on("timeout", () => asked.destroy(new Error("no answer within 10 s")));
      asked.on("error", fail);
      asked.end(method === "PATCH" ? JSON.stringify({ data: { probe: `${number}` } }) : undefined);
    });
  }
}
