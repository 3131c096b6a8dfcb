/** Commands on machines over SSH: one connection to a machine, shared by everything that runs there. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import ssh2, { type ClientChannel } from "ssh2";
import { type Call, type Outcome, Output, quote } from "./output.ts";

/** Where a machine is and how to get in. */
export interface Connection extends Entrance {
  /** The machine through which this one is reached. */
  readonly proxy?: Entrance;
}

/** A machine that is dialled. */
export interface Entrance {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly privateKey?: string;
  readonly privateKeyPassword?: string;
  /** The one key that the machine may show, as in known_hosts; left out: any. */
  readonly hostKey?: string;
  /** How often dialling may fail; -1: without end. */
  readonly dialErrorLimit: number;
  /** Seconds; 0: without end. */
  readonly perDialTimeout: number;
}

/** Below the ten sessions that an SSH server allows on one connection unless told otherwise. */
const sessions = 8;

interface Machine {
  client: Promise<ssh2.Client> | undefined;
  running: number;
  readonly waiting: (() => void)[];
}

const machines = new Map<string, Machine>();

/** Ends all connections. */
export function close(): void {
  for (const { client } of machines.values())
    client?.then(
      (open) => open.end(),
      () => {},
    );
}

const refusals: Record<string, string> = {
  ECONNREFUSED: "connect: connection refused",
  ECONNRESET: "read: connection reset by peer",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
};

type DialError = Error & { level?: string; code?: string };

function explain(to: Entrance, error: DialError): string {
  const address = `${to.host}:${to.port}`;
  switch (error.level) {
    case "client-timeout":
      return `dial tcp ${address}: i/o timeout`;
    case "client-socket":
      return `dial tcp ${address}: ${refusals[error.code ?? ""] ?? error.message}`;
    case "client-authentication":
      return "ssh: handshake failed: ssh: unable to authenticate, no supported methods remain";
    default:
      return `ssh: handshake failed: ${/^Host denied/.test(error.message) ? "ssh: host key mismatch" : error.message}`;
  }
}

/** What the plugin's SSH library does not decrypt, although this one's does. */
function checkCipher(privateKey: string, isPasswordGiven: boolean): void {
  const [, body] = /^-----BEGIN OPENSSH PRIVATE KEY-----\s([^-]*)/.exec(privateKey) ?? [];
  if (body === undefined || !isPasswordGiven) return;
  const data = Buffer.from(body, "base64");
  // https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
  const start = "openssh-key-v1\0".length + 4;
  const cipher = data.toString("latin1", start, start + data.readUInt32BE(start - 4));
  if (cipher === "none") throw new Error("ssh: key is not password protected");
  if (cipher !== "aes256-ctr" && cipher !== "aes256-cbc")
    throw new Error(`ssh: unknown cipher "${cipher}", only supports "aes256-ctr" or "aes256-cbc"`);
}

/** The socket of the agent of the environment, which the plugin connects to whether or not it has a key. */
async function agent(): Promise<string | undefined> {
  const path = process.env.SSH_AUTH_SOCK;
  if (!path) return undefined;
  await new Promise<void>((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => {
      const why = code === "ENOENT" ? "no such file or directory" : "connection refused";
      reject(new Error(`dial unix ${path}: connect: ${why}`));
    });
  });
  return path;
}

/** The settings of the SSH client; a key that cannot be read is an error here, before anything is dialled. */
function settings(to: Entrance, agent: string | undefined): ssh2.ConnectConfig {
  const { privateKey, privateKeyPassword, password, hostKey } = to;
  if (privateKey !== undefined) {
    checkCipher(privateKey, privateKeyPassword !== undefined);
    const parsed = ssh2.utils.parseKey(privateKey, privateKeyPassword);
    if (parsed instanceof Error) throw new Error(`private key: ${parsed.message}`);
  }
  const [type, key] = hostKey?.trim().split(/\s+/) ?? [];
  if (hostKey !== undefined && (key === undefined || ssh2.utils.parseKey(hostKey) instanceof Error))
    throw new Error("failed to parse host key: ssh: no key found");
  return {
    host: to.host,
    port: to.port,
    username: to.user,
    readyTimeout: to.perDialTimeout * 1000,
    keepaliveInterval: 15_000,
    keepaliveCountMax: 4,
    // Go tries the method of public keys once: with a key of its own, the agent's are never offered.
    ...(privateKey !== undefined ? { privateKey } : agent !== undefined && { agent }),
    ...(privateKeyPassword !== undefined && { passphrase: privateKeyPassword }),
    ...(password !== undefined && { password, tryKeyboard: true }),
    ...(key !== undefined && {
      // The plugin offers the type of the key and no other: for ssh-rsa that means signatures by SHA-1.
      algorithms: { serverHostKey: [type] as never },
      hostVerifier: (offered: Buffer) => offered.toString("base64") === key,
    }),
  };
}

const dialOnce = (
  to: Entrance,
  config: ssh2.ConnectConfig,
  sock?: ClientChannel,
): Promise<ssh2.Client> =>
  new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client
      .once("ready", () => resolve(client))
      .on("keyboard-interactive", (_name, _text, _language, prompts, answer) =>
        answer(prompts.map(() => to.password ?? "")),
      )
      .on("error", (error: DialError) => {
        client.end();
        reject(new Error(explain(to, error)));
      })
      .once("close", () => reject(new Error("ssh: handshake failed: EOF")))
      .connect({ ...config, ...(sock && { sock }) });
  });

/** Tries again until it succeeds or has failed too often. */
async function insisting<T>(
  what: string,
  limit: number,
  call: Call,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failed = 1, delay = 100; ; failed++, delay = Math.min(delay * 1.5, 5_000)) {
    try {
      return await attempt();
    } catch (error) {
      if (limit > -1 && failed > limit)
        throw new Error(`after ${failed - 1} failed attempts: ${(error as Error).message}`);
      call.log(`${what} ${failed}/${limit === -1 ? "inf" : limit} failed: retrying`);
      await sleep(delay, undefined, { signal: call.signal }).catch(() => {});
      call.signal.throwIfAborted();
    }
  }
}

async function dial(to: Connection, call: Call): Promise<ssh2.Client> {
  const socket = await agent();
  const config = settings(to, socket);
  const { proxy } = to;
  if (proxy === undefined)
    return insisting("Dial", to.dialErrorLimit, call, () => dialOnce(to, config));
  try {
    return await dialThrough([proxy, settings(proxy, socket)], [to, config], call);
  } catch (error) {
    throw new Error(`proxy: ${(error as Error).message}`);
  }
}

/** A connection of its own to the proxy, which ends with the one that goes through it. */
async function dialThrough(
  [proxy, proxyConfig]: readonly [Entrance, ssh2.ConnectConfig],
  [to, config]: readonly [Entrance, ssh2.ConnectConfig],
  call: Call,
): Promise<ssh2.Client> {
  const between = await insisting("Dial proxy", proxy.dialErrorLimit, call, () =>
    dialOnce(proxy, proxyConfig),
  );
  between.on("error", () => {});
  try {
    const sock = await insisting("Dial from proxy", to.dialErrorLimit, call, () =>
      forward(between, to),
    );
    // A socket closes when the other end does; a channel stays half open.
    sock.once("end", () => sock.end());
    // The plugin tries again over the same connection, which has ended with the first attempt.
    const client = await insisting("Dial", 0, call, () => dialOnce(to, config, sock));
    client.once("close", () => between.end());
    between.once("close", () => client.end());
    return client;
  } catch (error) {
    between.end();
    throw error;
  }
}

const reasons: Record<number, string> = {
  1: "administratively prohibited",
  2: "connect failed",
  3: "unknown channel type",
  4: "resource shortage",
};

const forward = (between: ssh2.Client, to: Entrance): Promise<ClientChannel> =>
  new Promise((resolve, reject) => {
    const fail = (error: Error & { reason?: number }) => {
      const said = error.message.replace(/^\(SSH\) Channel open failure: /, "");
      const reason = reasons[error.reason ?? 0];
      reject(new Error(reason === undefined ? said : `ssh: rejected: ${reason} (${said})`));
    };
    try {
      between.forwardOut("127.0.0.1", 0, to.host, to.port, (error, channel) =>
        error === undefined ? resolve(channel) : fail(error),
      );
    } catch (error) {
      // A connection that is gone already throws instead of calling back.
      fail(error as Error);
    }
  });

/** The command has certainly not been started, so that it may be tried once more. */
class NotStarted extends Error {}

/** A busy server still counts sessions that have ended: it has no room for another one yet. */
class NoRoom extends NotStarted {}

function execute(client: ssh2.Client, call: Call): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    // The listeners are set here and now: the answers to a quick command arrive together with that to its start, and
    // the event with the exit status is not kept for those who listen later.
    try {
      client.exec(call.command, { env: call.environment }, (error, channel) => {
        if (error === undefined) finish(channel, call).then(resolve, reject);
        else if (error.message === "Unable to exec")
          reject(new Error(`EOF: running ${quote(call.command)}:\n`));
        else if ("reason" in error) reject(new NoRoom(error.message));
        else reject(new NotStarted(error.message));
      });
    } catch (error) {
      // A connection that is gone already throws instead of calling back.
      reject(new NotStarted((error as Error).message));
    }
  });
}

function finish(channel: ClientChannel, call: Call): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const output = new Output(call);
    output.collect("stdout", channel);
    output.collect("stderr", channel.stderr);
    let end = "wait: remote command exited without exit status or exit signal";
    let code: number | null = null;
    channel.on("exit", (status: number | null, signal?: string) => {
      code = status;
      end =
        signal === undefined
          ? `Process exited with status ${status}`
          : `Process exited with status 128 from signal ${signal.replace(/^SIG/, "")}`;
    });
    // A command may end without having read its input; what it says by its exit status is all that counts.
    channel.on("error", () => {});
    channel.on("close", () => {
      if (code === 0) resolve(output.outcome());
      else reject(output.failure(end));
    });
    // Not end(): a stream that has ended both ways destroys itself, which closes the channel before the server has
    // told the exit status.
    const eof = () => (channel as unknown as { eof(): void }).eof();
    if (call.stdin) channel.write(call.stdin, eof);
    else eof();
  });
}

const accepted = new WeakMap<ssh2.Client, Map<string, Promise<unknown>>>();

/** Fails if the server does not accept a variable: this library does not tell, so that a command of its own looks. */
function demand(name: string, client: ssh2.Client, call: Call): Promise<unknown> {
  const known = accepted.get(client) ?? new Map<string, Promise<unknown>>();
  accepted.set(client, known);
  const command = `printenv ${name} >/dev/null`;
  const asked =
    known.get(name) ??
    executeOnceThereIsRoom(client, { ...call, command, stdin: undefined, shown: [] }).catch(
      (error: Error) => {
        if (error instanceof NotStarted) throw error;
        throw new Error(`could not set environment variable "${name}": ssh: setenv failed`);
      },
    );
  known.set(name, asked);
  return asked;
}

/** For half a minute it is tried again where there is no room: ending the connection would end what runs on it. */
async function executeOnceThereIsRoom(client: ssh2.Client, call: Call): Promise<Outcome> {
  for (let left = 300; ; left--) {
    try {
      return await execute(client, call);
    } catch (error) {
      if (!(error instanceof NoRoom) || left === 0) throw error;
    }
    call.signal.throwIfAborted();
    await sleep(100);
  }
}

/** Runs one command to its end. A connection that has died is dialled anew, but only before the command has started. */
export async function run(to: Connection, call: Call): Promise<Outcome> {
  const key = JSON.stringify(to);
  const machine = machines.get(key) ?? { client: undefined, running: 0, waiting: [] };
  machines.set(key, machine);
  while (machine.running >= sessions)
    await new Promise<void>((resolve) => machine.waiting.push(resolve));
  machine.running++;
  try {
    for (let attempt = 1; ; attempt++) {
      call.signal.throwIfAborted();
      machine.client ??= dial(to, call).then((client) => {
        const forget = () => {
          if (machine.client === dialled) machine.client = undefined;
        };
        client.on("close", forget).on("error", forget);
        return client;
      });
      const dialled = machine.client;
      try {
        const client = await dialled;
        for (const name of call.demanded) await demand(name, client, call);
        return await executeOnceThereIsRoom(client, call);
      } catch (error) {
        const lost = error instanceof NotStarted;
        dialled.then(
          (client) => lost && client.end(),
          () => {
            if (machine.client === dialled) machine.client = undefined;
          },
        );
        if (!lost || attempt === 3) throw error;
        if (machine.client === dialled) machine.client = undefined;
      }
    }
  } finally {
    machine.running--;
    machine.waiting.shift()?.();
  }
}
