import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { provider } from "../plugins/command/index.ts";
import { bare, type Properties, secret } from "../plugins/protocol/values.ts";
import { checked, context, kind, temporary, wrong } from "./support.ts";

const local = kind(provider, "command:local:Command");
const remote = kind(provider, "command:remote:Command");

describe("inputs that are refused", () => {
  const connection = { host: "h" };
  const cases: [of: typeof local, inputs: Properties, field: string, message: RegExp][] = [
    [local, { assetPaths: ["*"] }, "assetPaths", /not implemented/],
    [local, { archivePaths: ["*"] }, "archivePaths", /not implemented/],
    [local, { logging: "all" }, "logging", /one of stdout, stderr, stdoutAndStderr, none/],
    [local, { create: ["x"] }, "create", /expected a string/],
    [local, { connection }, "connection", /not implemented/],
    [remote, { create: "true" }, "connection", /Missing required field/],
    [remote, { connection: {} }, "connection.host", /Missing required field/],
    [remote, { connection: { ...connection, port: "22" } }, "connection.port", /whole number/],
    [
      remote,
      { connection: { ...connection, proxy: {} } },
      "connection.proxy.host",
      /Missing required field/,
    ],
    [
      remote,
      { connection: { ...connection, proxy: { host: "p", proxy: { host: "q" } } } },
      "connection.proxy.proxy",
      /not implemented/,
    ],
    [
      remote,
      { connection: { ...connection, proxy: { host: "p", agentSocketPath: "x" } } },
      "connection.proxy.agentSocketPath",
      /not implemented/,
    ],
    [
      remote,
      { connection: secret({ ...connection, agentSocketPath: "x" }) },
      "connection.agentSocketPath",
      /not implemented/,
    ],
    [remote, { connection, environment: { A: 1 } }, "environment.A", /expected a string/],
  ];
  for (const [of, inputs, field, message] of cases)
    it(field, () => assert.match(wrong(of, inputs)[field] ?? "", message));
});

it("a connection has its defaults, and is secret with its credentials", () => {
  const { connection } = checked(remote, { connection: { host: "h", privateKey: "k" } });
  assert.deepEqual(
    connection,
    secret({
      host: "h",
      port: 22,
      user: "root",
      dialErrorLimit: 10,
      perDialTimeout: 15,
      privateKey: secret("k"),
    }),
  );
});

it("so is what it goes through", () => {
  const proxy = { host: "p", user: "u", password: "w" };
  const { connection } = checked(remote, { connection: { host: "h", proxy } });
  const defaults = { port: 22, dialErrorLimit: 10, perDialTimeout: 15 };
  assert.deepEqual(
    connection,
    secret({
      ...defaults,
      host: "h",
      user: "root",
      proxy: { ...defaults, host: "p", user: "u", password: secret("w") },
    }),
  );
});

describe("local commands", () => {
  const directory = temporary();
  const run = async (inputs: Properties, lines: string[] = [], options = {}) =>
    (await local.create(inputs, context(lines, options))).outputs;

  it("yield what they say, without the last line's end", async () => {
    const lines: string[] = [];
    const outputs = await run({ create: "printf 'a\\nb\\n\\n'; echo c >&2" }, lines);
    assert.deepEqual(outputs, { stdout: "a\nb\n", stderr: "c" });
    assert.deepEqual(lines.sort(), ["", "a", "b", "c"]);
  });
  it("show only the streams that are asked for", async () => {
    for (const [logging, expected] of [
      ["none", []],
      ["stdout", ["a"]],
      ["stderr", ["c"]],
    ] as const) {
      const lines: string[] = [];
      await run({ create: "echo a; echo c >&2", logging }, lines);
      assert.deepEqual(lines, expected);
    }
  });
  it("have an id with the resource's name and eight digits", async () =>
    assert.match((await local.create({}, context())).id, /^test[0-9a-f]{8}$/));
  it("read their input, whole", async () => {
    const stdin = "äöü\n".repeat(100_000);
    assert.equal((await run({ create: "wc -c", stdin })).stdout, String(Buffer.byteLength(stdin)));
  });
  it("need not read their input", async () =>
    assert.equal((await run({ create: "echo x", stdin: "y".repeat(1_000_000) })).stdout, "x"));
  it("run in a folder, with an environment and an interpreter", async () => {
    const inputs = { dir: directory, environment: { A: "1" }, interpreter: ["sh", "-e", "-c"] };
    const { stdout } = await run({ ...inputs, create: "pwd; echo $A; false || true" });
    assert.equal(stdout, `${realpathSync(directory)}\n1`);
  });
  it("fail with their exit status, command and output", () =>
    assert.rejects(run({ create: "echo a; echo b >&2; exit 3" }), {
      message: 'exit status 3: running "echo a; echo b >&2; exit 3":\na\nb\n',
    }));
  it("fail when killed", () =>
    assert.rejects(
      run({ create: "kill -9 $$" }),
      /^Error: signal: killed: running "kill -9 \$\$":/,
    ));
  it("fail in a folder that is not there", () =>
    assert.rejects(run({ create: "true", dir: "/nowhere" }), /chdir \/nowhere: no such file/));
  it("fail without their interpreter", () =>
    assert.rejects(
      run({ create: "true", interpreter: ["nonesuch"] }),
      /exec: "nonesuch": executable file not found in \$PATH: running "true"/,
    ));
  it("are ended by an interrupt", async () => {
    const stopping = new AbortController();
    const running = run({ create: "exec sleep 60" }, [], { signal: stopping.signal });
    setTimeout(() => stopping.abort(), 100);
    await assert.rejects(running, /signal: killed/);
  });
  it("see what was said before, when updated and deleted", async () => {
    const inputs = { create: "echo 1", update: "echo 2 $PULUMI_COMMAND_STDOUT" };
    const state = { id: "x", inputs, properties: { ...inputs, stdout: "old", stderr: "" } };
    assert.equal((await local.update?.(state, inputs, context()))?.stdout, "2 old");
    const without = { ...inputs, addPreviousOutputInEnv: false };
    assert.equal((await local.update?.(state, without, context()))?.stdout, "2");
    assert.equal((await local.update?.(state, { create: "echo 1" }, context()))?.stdout, "1");
    const path = join(directory, "deleted");
    const properties = { ...state.properties, delete: `echo $PULUMI_COMMAND_STDOUT > ${path}` };
    await local.delete?.({ ...state, properties }, context());
    assert.equal(readFileSync(path, "utf8"), "old\n");
  });
  it("keep what was said before when there is nothing to run", async () => {
    const state = { id: "x", inputs: {}, properties: { stdout: "old", stderr: "e" } };
    assert.deepEqual(await local.update?.(state, {}, context()), { stdout: "old", stderr: "e" });
  });
});

const sshd = "/usr/sbin/sshd";
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

describe("remote commands", { skip: !existsSync(sshd) || process.getuid?.() !== 0 }, () => {
  const directory = temporary();
  const path = (name: string): string => join(directory, name);
  const log = (): string => readFileSync(path("log"), "utf8");
  let server: ReturnType<typeof spawn>;
  let connection: Properties;

  before(async () => {
    const make = (name: string, type: string, ...more: string[]) =>
      execFileSync("ssh-keygen", ["-q", "-t", type, "-f", path(name), ...more]);
    for (const name of ["id", "host", "other"]) make(name, "ed25519", "-N", "");
    make("host-rsa", "rsa", "-N", "");
    make("host-ecdsa", "ecdsa", "-N", "");
    for (const [name, cipher] of [
      ["locked", "aes256-ctr"],
      ["locked-gcm", "aes256-gcm@openssh.com"],
    ] as const) {
      writeFileSync(path(name), readFileSync(path("id")), { mode: 0o600 });
      const anew = ["-q", "-p", "-P", "", "-N", "sesame", "-Z", cipher];
      execFileSync("ssh-keygen", [...anew, "-f", path(name)]);
    }
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
    const port = await freePort();
    writeFileSync(
      path("config"),
      [
        `Port ${port}`,
        "ListenAddress 127.0.0.1",
        ...["host", "host-rsa", "host-ecdsa"].map((name) => `HostKey ${path(name)}`),
        "AcceptEnv LC_*",
        `AuthorizedKeysFile ${path("id.pub")}`,
        `PidFile ${path("pid")}`,
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "PermitRootLogin yes",
        // A shell within another one does not run what the user has for the start of a session.
        "SetEnv SHLVL=2",
      ].join("\n"),
    );
    server = spawn(sshd, ["-D", "-f", path("config"), "-E", path("log")]);
    connection = {
      host: "127.0.0.1",
      port,
      user: userInfo().username,
      privateKey: readFileSync(path("id"), "utf8"),
      hostKey: readFileSync(path("host.pub"), "utf8"),
      dialErrorLimit: 20,
    };
  });
  after(async () => {
    provider.close?.();
    server.kill();
    await new Promise((resolve) => server.once("exit", resolve));
  });

  const run = async (inputs: Properties, to: Properties = {}, lines: string[] = []) => {
    const whole = { ...inputs, connection: { ...connection, ...to } };
    assert.deepEqual(wrong(remote, whole), {});
    const filled = bare(checked(remote, whole)) as Properties;
    return (await remote.create(filled, context(lines))).outputs;
  };

  it("yield what they say and show it", async () => {
    const lines: string[] = [];
    const outputs = await run({ create: "cat; echo err >&2", stdin: "äöü\n" }, {}, lines);
    assert.deepEqual(outputs, { stdout: "äöü", stderr: "err" });
    assert.deepEqual(lines.filter((line) => !line.startsWith("Dial ")).sort(), ["err", "äöü"]);
  });
  it("take large input and yield large output", async () => {
    const stdin = `${"0123456789".repeat(10)}\n`.repeat(20_000);
    const { stdout } = await run({ create: "cat", stdin, logging: "none" });
    assert.equal(`${stdout}\n`, stdin);
  });
  it("need not read their input", async () => {
    for (let i = 0; i < 20; i++)
      assert.equal((await run({ create: "echo x", stdin: "y".repeat(i * 50_000) })).stdout, "x");
  });
  it("fail with their exit status, command and output", () =>
    assert.rejects(run({ create: 'echo "a"; echo b >&2; exit 3' }), (error: Error) => {
      assert.match(
        error.message,
        /^Process exited with status 3: running "echo \\"a\\"; echo b >&2; exit 3":\n/,
      );
      assert.deepEqual(error.message.split("\n").slice(1).sort(), ["", "a", "b"]);
      return true;
    }));
  it("fail when killed", () =>
    assert.rejects(
      run({ create: "kill -9 $$" }),
      /Process exited with status 128 from signal KILL: running/,
    ));
  it("share one connection, many at once", async () => {
    const before = log().match(/Accepted publickey/g)?.length ?? 0;
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) => run({ create: `sleep 0.0${i % 10}; echo ${i}` })),
    );
    assert.deepEqual(
      all.map(({ stdout }) => stdout),
      Array.from({ length: 50 }, (_, i) => String(i)),
    );
    assert.equal(log().match(/Accepted publickey/g)?.length, before);
  });
  it("dial anew when the connection is gone", async () => {
    await run({ create: "true" });
    await assert.rejects(run({ create: "kill -9 $PPID; sleep 5" }), /without exit status/);
    assert.equal((await run({ create: "echo back" })).stdout, "back");
  });
  it("are not run where another host key is shown", () =>
    assert.rejects(
      run(
        { create: "true" },
        { hostKey: readFileSync(path("other.pub"), "utf8"), dialErrorLimit: 1 },
      ),
      /after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch/,
    ));
  it("are not run for who may not come in", () =>
    assert.rejects(
      run(
        { create: "true" },
        { privateKey: readFileSync(path("other"), "utf8"), dialErrorLimit: 0 },
      ),
      /after 0 failed attempts: ssh: handshake failed: ssh: unable to authenticate/,
    ));
  it("take the one key that a host may show, but for an RSA key, for which the plugin offers SHA-1 alone", async () => {
    const hostKey = (name: string) => ({ hostKey: readFileSync(path(`${name}.pub`), "utf8") });
    assert.equal((await run({ create: "echo x" }, hostKey("host-ecdsa"))).stdout, "x");
    await assert.rejects(
      run({ create: "true" }, { ...hostKey("host-rsa"), dialErrorLimit: 0 }),
      /after 0 failed attempts: ssh: handshake failed: /,
    );
  });
  it("come in with a key that a password opens", async () => {
    const locked = (name: string, privateKeyPassword?: string) =>
      run(
        { create: "echo x" },
        {
          privateKey: readFileSync(path(name), "utf8"),
          ...(privateKeyPassword !== undefined && { privateKeyPassword }),
        },
      );
    assert.equal((await locked("locked", "sesame")).stdout, "x");
    await assert.rejects(locked("locked", "wrong"), /^Error: private key: /);
    await assert.rejects(locked("locked"), /^Error: private key: /);
    await assert.rejects(locked("locked-gcm", "sesame"), /unknown cipher "aes256-gcm@openssh.com"/);
    await assert.rejects(locked("id", "sesame"), /key is not password protected/);
  });
  it("come in with the keys of the agent, whom they need only without a key", async () => {
    const { privateKey: _, ...keyless } = connection;
    const { SSH_AUTH_SOCK } = process.env;
    const socket = path("agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    const asAgent = async (name: string) => {
      const filled = bare(
        checked(remote, { create: "echo x", connection: keyless, triggers: [name] }),
      );
      return (await remote.create(filled as Properties, context())).outputs;
    };
    try {
      while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20));
      process.env.SSH_AUTH_SOCK = socket;
      execFileSync("ssh-add", ["-q", path("id")], { stdio: "ignore" });
      assert.equal((await asAgent("with")).stdout, "x");
      process.env.SSH_AUTH_SOCK = path("nowhere");
      await assert.rejects(
        run({ create: "true" }, { user: userInfo().username, dialErrorLimit: 7 }),
        /dial unix .*nowhere: connect: no such file or directory/,
      );
    } finally {
      if (SSH_AUTH_SOCK === undefined) delete process.env.SSH_AUTH_SOCK;
      else process.env.SSH_AUTH_SOCK = SSH_AUTH_SOCK;
      agent.kill();
    }
  });
  it("have the variables that the server accepts, and are not run without the others", async () => {
    const create = 'echo "$LC_A $LC_B"';
    const environment = { LC_A: "it's 1", LC_B: "2" };
    assert.equal((await run({ create, environment })).stdout, "it's 1 2");
    await assert.rejects(
      run({ create, environment: { OTHER: "3" } }),
      /^Error: could not set environment variable "OTHER": ssh: setenv failed$/,
    );
  });
  it("fail at once with a key that cannot be read, without showing it", async () => {
    const to = { privateKey: "hunter2" };
    await assert.rejects(run({ create: "true" }, to), (error: Error) => {
      assert.match(error.message, /^private key: /);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
    await assert.rejects(run({ create: "true" }, { hostKey: "x" }), /failed to parse host key/);
  });
  it("wait for a machine that does not answer yet", async () => {
    const lines: string[] = [];
    const started = run({ create: "true" }, { port: await freePort(), dialErrorLimit: 2 }, lines);
    await assert.rejects(
      started,
      /after 2 failed attempts: dial tcp 127.0.0.1:\d+: connect: connection refused/,
    );
    assert.deepEqual(lines, ["Dial 1/2 failed: retrying", "Dial 2/2 failed: retrying"]);
  });

  describe("through a proxy", () => {
    it("run on the machine behind it", async () => {
      const before = log().match(/Accepted publickey/g)?.length ?? 0;
      const lines: string[] = [];
      const { stdout } = await run({ create: "cat", stdin: "x" }, { proxy: connection }, lines);
      assert.equal(stdout, "x");
      // One connection to the proxy, and one through it.
      assert.equal(log().match(/Accepted publickey/g)?.length, before + 2);
    });
    it("share its connection, many at once", async () => {
      await run({ create: "true" }, { proxy: connection });
      const before = log().match(/Accepted publickey/g)?.length ?? 0;
      const all = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          run({ create: `sleep 0.0${i % 10}; echo ${i}` }, { proxy: connection }),
        ),
      );
      assert.deepEqual(
        all.map(({ stdout }) => stdout),
        Array.from({ length: 30 }, (_, i) => String(i)),
      );
      assert.equal(log().match(/Accepted publickey/g)?.length, before);
    });
    it("dial anew when the connection is gone", async () => {
      const through = { proxy: connection };
      await assert.rejects(
        run({ create: "kill -9 $PPID; sleep 5" }, through),
        /without exit status/,
      );
      assert.equal((await run({ create: "echo back" }, through)).stdout, "back");
    });
    it("wait for a proxy that does not answer yet", async () => {
      const lines: string[] = [];
      const proxy = { ...connection, port: await freePort(), dialErrorLimit: 2 };
      await assert.rejects(
        run({ create: "true" }, { proxy }, lines),
        /^Error: proxy: after 2 failed attempts: dial tcp 127.0.0.1:\d+: connect: connection refused$/,
      );
      assert.deepEqual(lines, [
        "Dial proxy 1/2 failed: retrying",
        "Dial proxy 2/2 failed: retrying",
      ]);
    });
    it("wait for a machine behind it that does not answer yet", async () => {
      const lines: string[] = [];
      const to = { proxy: connection, port: await freePort(), dialErrorLimit: 1 };
      await assert.rejects(
        run({ create: "true" }, to, lines),
        /^Error: proxy: after 1 failed attempts: ssh: rejected: connect failed \(Connection refused\)$/,
      );
      assert.deepEqual(lines, ["Dial from proxy 1/1 failed: retrying"]);
    });
    it("are not run for who may not come in, on either", async () => {
      const privateKey = readFileSync(path("other"), "utf8");
      const proxy = { ...connection, privateKey, dialErrorLimit: 0 };
      const message = /proxy: after 0 failed attempts: ssh: handshake failed: ssh: unable to auth/;
      await assert.rejects(run({ create: "true" }, { proxy }), message);
      await assert.rejects(run({ create: "true" }, { proxy: connection, privateKey }), message);
    });
    it("are not run where the proxy shows another host key", () => {
      const hostKey = readFileSync(path("other.pub"), "utf8");
      const proxy = { ...connection, hostKey, dialErrorLimit: 0 };
      return assert.rejects(
        run({ create: "true" }, { proxy }),
        /proxy: after 0 failed attempts: ssh: handshake failed: ssh: host key mismatch/,
      );
    });
  });
});
