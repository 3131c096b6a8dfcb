/** Commands on machines and on this computer, as the plugin command runs them. */
import { randomBytes } from "node:crypto";
import type { Context, Plugin, Resource } from "../protocol/provider.ts";
import {
  anything,
  flag,
  listOf,
  mapOf,
  object,
  oneOf,
  required,
  type Shape,
  text,
  whole,
} from "../protocol/shape.ts";
import {
  isObject,
  type Properties,
  reveal,
  secret,
  unknown,
  type Value,
  within,
} from "../protocol/values.ts";
import type { Call, Outcome, Stream } from "./output.ts";
import * as shell from "./shell.ts";
import * as ssh from "./ssh.ts";

const shown: Record<string, readonly Stream[]> = {
  stdout: ["stdout"],
  stderr: ["stderr"],
  stdoutAndStderr: ["stdout", "stderr"],
  none: [],
};

const inputs: Shape = {
  create: text,
  update: text,
  delete: text,
  stdin: text,
  triggers: listOf(anything),
  logging: oneOf(Object.keys(shown)),
  addPreviousOutputInEnv: flag,
};

/** How a command with these inputs is run. */
export type Run = (inputs: Properties, call: Call) => Promise<Outcome>;

async function execute(
  run: Run,
  command: Value | undefined,
  inputs: Properties,
  previous: Properties,
  context: Context,
): Promise<Properties> {
  const { stdout = "", stderr = "" } = previous;
  if (typeof command !== "string") return { stdout, stderr };
  const outcome = await run(inputs, {
    command,
    stdin: typeof inputs.stdin === "string" ? inputs.stdin : undefined,
    demanded: Object.keys(inputs.environment ?? {}),
    environment: {
      ...(inputs.environment as Record<string, string> | undefined),
      ...(inputs.addPreviousOutputInEnv !== false && {
        ...(stdout !== "" && { PULUMI_COMMAND_STDOUT: String(stdout) }),
        ...(stderr !== "" && { PULUMI_COMMAND_STDERR: String(stderr) }),
      }),
    },
    shown: shown[String(inputs.logging ?? "stdoutAndStderr")] ?? [],
    log: context.log,
    signal: context.signal,
  });
  return { ...outcome };
}

const command = (run: Run, shape: Shape): Omit<Resource, "check"> => ({
  inputs: { ...inputs, ...shape },
  replaces: (path) => path === "triggers",
  plan: () => ({ stdout: unknown, stderr: unknown }),
  create: async (inputs, context) => ({
    id: context.name + randomBytes(4).toString("hex"),
    outputs: await execute(run, inputs.create, inputs, {}, context),
  }),
  update: ({ properties }, inputs, context) =>
    execute(run, inputs.update ?? inputs.create, inputs, properties, context),
  delete: async ({ properties }, context) => {
    await execute(run, properties.delete, properties, properties, context);
  },
});

const base = {
  host: required(text),
  port: whole(1, 65_535),
  user: text,
  password: text,
  privateKey: text,
  privateKeyPassword: text,
  hostKey: text,
  dialErrorLimit: whole(-1),
  perDialTimeout: whole(0),
};

const connection = object({ ...base, proxy: object(base) });

const defaults = { dialErrorLimit: 10, perDialTimeout: 15, port: 22, user: "root" };

/** A connection with its defaults, and its credentials secret each; the same for what it goes through. */
function fill(to: Value): Value {
  if (!isObject(to)) return to;
  const credentials = ["password", "privateKey", "privateKeyPassword"]
    .filter((key) => to[key] !== undefined)
    .map((key) => [key, secret(reveal(to[key] ?? null))]);
  return {
    ...defaults,
    ...to,
    ...Object.fromEntries(credentials),
    ...(to.proxy !== undefined && { proxy: within(to.proxy, fill) }),
  };
}

/** The plugin command 1.2.1, with ways to run commands on this computer and on machines. */
export const pluginFor = (local: Run, remote: Run): Plugin => ({
  name: "command",
  version: "1.2.1",
  resources: {
    "command:local:Command": command(local, {
      dir: text,
      interpreter: listOf(text),
      environment: mapOf(text),
    }),
    "command:remote:Command": {
      ...command(remote, { connection: required(connection), environment: mapOf(text) }),
      check: ({ inputs }) => ({
        ...inputs,
        connection: secret(within(inputs.connection as Value, fill)),
      }),
    },
  },
});

/** Runs a command on this computer. */
export const runHere: Run = (inputs, call) =>
  shell.run(
    {
      dir: inputs.dir as string | undefined,
      interpreter: (inputs.interpreter ?? []) as string[],
    },
    call,
  );

/** The plugin command 1.2.1. */
export const provider: Plugin = {
  ...pluginFor(runHere, (inputs, call) =>
    ssh.run(inputs.connection as unknown as ssh.Connection, call),
  ),
  close: ssh.close,
};
