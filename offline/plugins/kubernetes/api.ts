/** Requests to an API server. */
import { existsSync, readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import type { Properties, Value } from "../protocol/values.ts";

/** An answer that is no success. */
export class StatusError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The API server could not be spoken with at all. */
export class Unreachable extends Error {}

/** One request. */
export interface Call {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Record<string, string>;
  readonly contentType?: string;
  readonly body?: Value;
  readonly signal: AbortSignal;
  /** For how long a server that has never answered is tried again; milliseconds. */
  readonly patience?: number;
}

interface Named {
  readonly name: string;
  readonly [kind: string]: unknown;
}

interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: readonly Named[];
  readonly clusters?: readonly Named[];
  readonly users?: readonly Named[];
}

type Settings = Record<string, string | boolean | undefined>;

/** A kubeconfig given by its text, or by the path of its file. */
export function parseKubeconfig(text: string): {
  cluster: Settings;
  user: Settings;
  namespace: string;
} {
  const config = parse(existsSync(text) ? readFileSync(text, "utf8") : text, {
    // Its own would quote lines, and so keys.
    prettyErrors: false,
  }) as Kubeconfig | null;
  const pick = (list: "contexts" | "clusters" | "users", kind: string, name: unknown): Settings => {
    const found = config?.[list]?.find((one) => one.name === name)?.[kind];
    if (found === undefined) throw new Error(`kubeconfig: no ${kind} named "${name}"`);
    return (found ?? {}) as Settings;
  };
  const context = pick("contexts", "context", config?.["current-context"]);
  return {
    cluster: pick("clusters", "cluster", context.cluster),
    user: pick("users", "user", context.user),
    namespace: String(context.namespace ?? "default"),
  };
}

const understood = {
  cluster: [
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "insecure-skip-tls-verify",
    "tls-server-name",
  ],
  user: ["client-certificate", "client-certificate-data", "client-key", "client-key-data", "token"],
};

/** What a kubeconfig asks for that is not implemented. */
export function strange(text: string): string[] {
  const config = parseKubeconfig(text);
  return (["cluster", "user"] as const).flatMap((part) =>
    Object.keys(config[part])
      .filter((key) => !understood[part].includes(key))
      .map((key) => `${part}.${key}`),
  );
}

const content = (settings: Settings, key: string): Buffer | undefined => {
  const data = settings[`${key}-data`];
  if (typeof data === "string") return Buffer.from(data, "base64");
  const path = settings[key];
  return typeof path === "string" ? readFileSync(path) : undefined;
};

/** Statuses that say "not now". */
const passing = (code: number, method: string): boolean =>
  code === 429 || code === 503 || (method !== "POST" && code >= 500);

type Failure = Error & { code?: string; connected?: boolean };

/** An API server, and the connections to it. */
export class Api {
  readonly #server: URL;
  readonly #agent: Agent;
  readonly #token: string | undefined;
  /** Whether it has answered before. */
  #met = false;

  constructor(kubeconfig: string) {
    const { cluster, user } = parseKubeconfig(kubeconfig);
    this.#server = new URL(String(cluster.server));
    this.#token = user.token as string | undefined;
    this.#agent = new Agent({
      keepAlive: true,
      ca: content(cluster, "certificate-authority"),
      cert: content(user, "client-certificate"),
      key: content(user, "client-key"),
      rejectUnauthorized: cluster["insecure-skip-tls-verify"] !== true,
      ...(cluster["tls-server-name"] !== undefined && {
        servername: String(cluster["tls-server-name"]),
      }),
    });
  }

  /** The answer's body; an answer that is no success is thrown as a StatusError. */
  async call(call: Call): Promise<Properties> {
    const until = Date.now() + (this.#met ? 10_000 : (call.patience ?? 10_000));
    for (;;) {
      try {
        const answer = await this.#once(call);
        this.#met = true;
        return answer;
      } catch (error) {
        call.signal.throwIfAborted();
        const { message, connected } = error as Failure;
        const again =
          error instanceof StatusError
            ? passing(error.code, call.method)
            : call.method !== "POST" || connected !== true;
        if (error instanceof StatusError && !again) this.#met = true;
        if (!again || Date.now() >= until) {
          if (error instanceof StatusError || this.#met) throw error;
          throw new Unreachable(`${this.#server.origin}: ${message}`);
        }
        await sleep(250, undefined, { signal: call.signal }).catch(() => {});
      }
    }
  }

  #once({ method, path, query, contentType, body, signal }: Call): Promise<Properties> {
    const url = new URL(this.#server);
    url.pathname = url.pathname.replace(/\/$/, "") + path;
    url.search = new URLSearchParams(query).toString();
    const data = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      let connected = false;
      const fail = (error: Error) => reject(Object.assign(error, { connected }));
      const sent = request(
        url,
        {
          method,
          agent: this.#agent,
          signal,
          timeout: 30_000,
          headers: {
            accept: "application/json",
            ...(data !== undefined && {
              "content-type": contentType ?? "application/json",
              "content-length": Buffer.byteLength(data),
            }),
            ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
          },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
          });
          response.on("error", fail);
          response.on("end", () => {
            const code = response.statusCode ?? 0;
            try {
              if (code >= 200 && code < 300) resolve(JSON.parse(text) as Properties);
              else reject(new StatusError(code, explain(code, text)));
            } catch (error) {
              fail(error as Error);
            }
          });
        },
      );
      sent.on("socket", (socket) => {
        // One that was used before may have been closed by the other side meanwhile: nothing has been asked then.
        if (sent.reusedSocket) return;
        socket.once("secureConnect", () => {
          connected = true;
        });
      });
      sent.on("timeout", () => sent.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
      sent.on("error", fail);
      sent.end(data);
    });
  }
}

function explain(code: number, text: string): string {
  try {
    return String((JSON.parse(text) as { message: string }).message);
  } catch {
    return `the server answered ${code}: ${text.slice(0, 200)}`;
  }
}
