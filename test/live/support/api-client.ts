import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { parse } from "yaml";

/** What one asks of the API. */
export interface Asked {
  readonly method?: string;
  readonly path: string;
  /** A merge patch, JSON. */
  readonly patch?: string;
  /** How long the connection may be silent; endless unless given. */
  readonly silenceMs?: number;
}

/** Asks the API that a kubeconfig names; each request has a connection of its own. */
export class ApiClient {
  readonly #server: URL;
  readonly #credentials: { readonly ca: string; readonly cert: string; readonly key: string };

  constructor(kubeconfig: string) {
    const { clusters, users } = parse(kubeconfig);
    const decoded = (base64: string) => Buffer.from(base64, "base64").toString();
    this.#server = new URL(clusters[0].cluster.server);
    this.#credentials = {
      ca: decoded(clusters[0].cluster["certificate-authority-data"]),
      cert: decoded(users[0].user["client-certificate-data"]),
      key: decoded(users[0].user["client-key-data"]),
    };
  }

  /** The answer, once its head is there; fails if there is none, or if its status is not 200. */
  ask({ method = "GET", path, patch, silenceMs = 0 }: Asked): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          ...this.#credentials,
          host: this.#server.hostname,
          port: this.#server.port,
          path,
          method,
          timeout: silenceMs,
          headers: { "Content-Type": "application/merge-patch+json" },
          agent: false,
        },
        (response) => {
          if (response.statusCode === 200) return resolve(response);
          const said = text(response).then((body) => `: ${body}`, String);
          said.then((more) => reject(new Error(`status ${response.statusCode}${more}`)));
        },
      );
      asked.on("timeout", () => asked.destroy(new Error(`no answer within ${silenceMs} ms`)));
      asked.on("error", reject);
      asked.end(patch);
    });
  }
}
