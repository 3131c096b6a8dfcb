import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { computed, mirror } from "./program.ts";

/** What an engine was told by a program that Pulumi's own runner has run. */
export interface Told {
  /** The exit status of the program. */
  readonly code: number;
  /** What the program printed, and the messages for the operator. */
  readonly said: string;
  /** How often each method of the engine was called. */
  readonly calls: Readonly<Record<string, number>>;
  /** Each registered resource, as JSON, in the order of their URNs. */
  readonly resources: readonly string[];
  /** The CommonJS modules that the program has loaded, by path below node_modules. */
  readonly modules: readonly string[];
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
const grpc = require("@grpc/grpc-js");
const struct = require("google-protobuf/google/protobuf/struct_pb.js");
const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js");
const { EngineService } = require("./proto/engine_grpc_pb.js");
const { ResourceMonitorService } = require("./proto/resource_grpc_pb.js");
const messages = require("./proto/resource_pb.js");
const { SetRootResourceResponse } = require("./proto/engine_pb.js");
const { InvokeResponse } = require("./proto/provider_pb.js");

/** Writes at the program's end what the program has loaded; placeholders of modules are not of the class. */
const lister = `
import { writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
process.on("exit", () => {
  const { cache } = createRequire("/");
  const modules = Object.keys(cache).filter((file) => cache[file] instanceof Module);
  writeFileSync(process.env.LOADED, JSON.stringify(modules));
});`;

/** Runs an update of a stack as Pulumi's language host runs the program, with an engine that makes everything at once. */
export async function tellEngine(stack: string, env: NodeJS.ProcessEnv = {}): Promise<Told> {
  const calls: Record<string, number> = {};
  const resources: [urn: string, text: string][] = [];
  let said = "";
  // biome-ignore lint/suspicious/noExplicitAny: the messages are loaded without their types
  type Answer = (request: any) => unknown;
  const answers: Record<string, Answer> = {
    setRootResource: () => new SetRootResourceResponse(),
    supportsFeature: () => new messages.SupportsFeatureResponse([true]),
    invoke: () => {
      const response = new InvokeResponse();
      response.setReturn(struct.Struct.fromJavaScript({ outputs: {} }));
      return response;
    },
    log: (request) => {
      said += `${request.getMessage()}\n`;
      return new Empty();
    },
    registerResource: (request) => {
      const [type, name] = [request.getType(), request.getName()];
      const [, , above = ""] = request.getParent().split("::");
      const types = [above, type].filter((one) => one !== "" && one !== "pulumi:pulumi:Stack");
      const urn = `urn:pulumi:test::kthw::${types.join("$")}::${name}`;
      resources.push([urn, JSON.stringify(request.toObject())]);
      const inputs = request.getObject().toJavaScript();
      const id = `${name}-id`;
      const outputs = { ...inputs, ...computed({ type, name, inputs, id }) };
      const response = new messages.RegisterResourceResponse();
      response.setUrn(urn);
      if (request.getCustom()) response.setId(id);
      response.setObject(struct.Struct.fromJavaScript(outputs));
      return response;
    },
  };
  const server = new grpc.Server();
  for (const service of [ResourceMonitorService, EngineService])
    server.addService(
      service,
      Object.fromEntries(
        Object.keys(service).map((method) => [
          method,
          (call: { request: unknown }, done: (error: unknown, response?: unknown) => void) => {
            calls[method] = (calls[method] ?? 0) + 1;
            done(null, answers[method]?.(call.request) ?? new Empty());
          },
        ]),
      ),
    );
  const port: number = await new Promise((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      grpc.ServerCredentials.createInsecure(),
      (error: Error | null, bound: number) => (error ? reject(error) : resolve(bound)),
    ),
  );
  const folder = mkdtempSync(path.join(tmpdir(), "kthw-engine-"));
  const list = path.join(folder, "loaded");
  try {
    const { runtime } = parse(readFileSync(path.join(root, "Pulumi.yaml"), "utf8"));
    const address = `127.0.0.1:${port}`;
    const child = spawn(
      process.execPath,
      [
        "--import",
        `data:text/javascript,${encodeURIComponent(lister)}`,
        ...runtime.options.nodeargs.split(" "),
        require.resolve("./cmd/run"),
        ...["--monitor", address, "--engine", address, "--organization", "organization"],
        ...["--project", "kthw", "--root-directory", root, "--stack", "test", "--pwd", root],
        ...["--parallel", "8", "index.ts"],
      ],
      {
        cwd: root,
        timeout: 60_000,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...env, ...configuration(stack), LOADED: list },
      },
    );
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk;
      });
    const [code] = await once(child, "close");
    const loaded: string[] = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
    return {
      code,
      said,
      calls,
      resources: resources.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text),
      modules: loaded.map((file) => file.replace(/^.*\/node_modules\//, "")),
    };
  } finally {
    server.forceShutdown();
    rmSync(folder, { recursive: true });
  }
}

/** The settings of a stack, as the language host hands them to the program. */
function configuration(stack: string): NodeJS.ProcessEnv {
  const file = readFileSync(path.join(root, `Pulumi.${stack}.yaml`), "utf8");
  const { config } = parse(file) as { config: Record<string, unknown> };
  const all = { ...config, "kthw:architecture": "amd64", "kthw:artifacts": { mirror } };
  const texts = Object.entries(all).map(([key, value]) => [
    key.replace(":", ":config:"),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return {
    PULUMI_CONFIG: JSON.stringify(Object.fromEntries(texts)),
    PULUMI_CONFIG_SECRET_KEYS: "[]",
  };
}
