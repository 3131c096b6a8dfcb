/** The language host for Node.js programs: tells the engine what a program needs, and runs it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import sdk from "@pulumi/pulumi/package.json" with { type: "json" };
import service from "@pulumi/pulumi/proto/language_grpc_pb.js";
import type * as Language from "@pulumi/pulumi/proto/language_pb.js";
import pb from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { engineAddress, serve, unary } from "./protocol/plugin.ts";

/** The exit status by which the SDK's runner says that it has already shown what went wrong. */
const shown = 32;

interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  pulumi?: { resource?: boolean; name?: string; version?: string; server?: string };
}

const manifest = (directory: string): Manifest | undefined => {
  const path = join(directory, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Manifest) : undefined;
};

/** The manifests of all packages installed below a directory. */
function* installed(directory: string): Generator<Manifest> {
  const modules = join(directory, "node_modules");
  if (!existsSync(modules)) return;
  for (const name of readdirSync(modules)) {
    if (name.startsWith(".")) continue;
    const names = name.startsWith("@")
      ? readdirSync(join(modules, name)).map((inner) => join(name, inner))
      : [name];
    for (const one of names) {
      const found = manifest(join(modules, one));
      if (found !== undefined) yield found;
      yield* installed(join(modules, one));
    }
  }
}

/** A command line's words, as a shell would part them. */
const words = (line: string): string[] =>
  [...line.matchAll(/(?:[^\s"']+|"(?:\\.|[^"\\])*"|'[^']*')+/g)].map(([word]) =>
    word.replace(
      /"((?:\\.|[^"\\])*)"|'([^']*)'/g,
      (_, double?: string, single?: string) => double ?? single ?? "",
    ),
  );

const running = new Set<ChildProcess>();
function interrupt(child: ChildProcess): void {
  child.kill("SIGINT");
  setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
}

function run(
  call: ServerUnaryCall<Language.RunRequest, Language.RunResponse>,
  callback: sendUnaryData<Language.RunResponse>,
) {
  const request = call.request;
  const info = request.getInfo();
  const finish = (error: string, bail = false) => {
    const reply = new pb.RunResponse();
    reply.setError(error);
    reply.setBail(bail);
    callback(null, reply);
  };
  if (info === undefined) return finish("no program to run");
  const directory = info.getProgramDirectory();
  let runner: string;
  try {
    runner = createRequire(join(directory, "index.js")).resolve("@pulumi/pulumi/cmd/run");
  } catch {
    return finish(
      "It looks like the Pulumi SDK has not been installed. Have you run pulumi install?",
    );
  }
  const options = (info.getOptions()?.toJavaScript() ?? {}) as Record<string, unknown>;
  const option = (name: string, value: string): string[] =>
    value === "" ? [] : [`--${name}`, value];
  const config: [string, string][] = request
    .getConfigMap()
    .getEntryList()
    .map(([key, value]: [string, string]) => [
      key.replace(/^([^:]+):(?:config:)?/, "$1:config:"),
      value,
    ]);
  const child = spawn(
    process.execPath,
    [
      ...words(typeof options.nodeargs === "string" ? options.nodeargs : ""),
      runner,
      ...option("monitor", request.getMonitorAddress()),
      ...option("engine", engineAddress ?? ""),
      ...option("organization", request.getOrganization()),
      ...option("project", request.getProject()),
      ...option("root-directory", info.getRootDirectory()),
      ...option("stack", request.getStack()),
      ...option("pwd", directory),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      ...option("parallel", String(request.getParallel())),
      info.getEntryPoint(),
      ...request.getArgsList(),
    ],
    {
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(config)),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
        ...(options.typescript !== false && { PULUMI_NODEJS_TYPESCRIPT: "true" }),
        ...(typeof options.tsconfig === "string" && {
          PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig,
        }),
      },
    },
  );
  running.add(child);
  call.on("cancelled", () => interrupt(child));
  child.on("error", (error) =>
    finish(`Problem executing program (could not run language executor): ${error.message}`),
  );
  child.on("exit", (code) => {
    running.delete(child);
    if (code === 0) finish("");
    else if (code === shown) finish("", true);
    else finish(`Program exited with non-zero exit code: ${code ?? -1}`);
  });
}

function install(
  call: ServerWritableStream<
    Language.InstallDependenciesRequest,
    Language.InstallDependenciesResponse
  >,
) {
  const options = call.request.getInfo()?.getOptions()?.toJavaScript() ?? {};
  const manager = String(options.packagemanager ?? "npm");
  if (!["auto", "npm"].includes(manager)) {
    const message = `packagemanager '${manager}' is not implemented by this stand-in for the language host; it implements npm`;
    call.destroy(Object.assign(new Error(message), { code: 12 }));
    return;
  }
  const child = spawn("npm", ["install", "--loglevel=error"], {
    cwd: call.request.getInfo()?.getProgramDirectory(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pass = (set: "setStdout" | "setStderr") => (chunk: Buffer) => {
    const reply = new pb.InstallDependenciesResponse();
    reply[set](chunk);
    call.write(reply);
  };
  child.stdout.on("data", pass("setStdout"));
  child.stderr.on("data", pass("setStderr"));
  child.on("close", (code) => {
    if (code === 0) call.end();
    else
      call.destroy(
        Object.assign(new Error(`npm install failed: exit status ${code}`), { code: 2 }),
      );
  });
}

void serve(
  service.LanguageRuntimeService as never,
  {
    handshake: unary(() => new pb.LanguageHandshakeResponse()),
    getPluginInfo: unary(() => {
      const reply = new plugin.PluginInfo();
      reply.setVersion(sdk.version);
      return reply;
    }),
    getRequiredPackages: unary((request: Language.GetRequiredPackagesRequest) => {
      const reply = new pb.GetRequiredPackagesResponse();
      const found = new Map<string, Manifest>();
      for (const one of installed(request.getInfo()?.getProgramDirectory() ?? "."))
        if (one.pulumi?.resource) found.set(`${one.name}@${one.version}`, one);
      for (const { name = "", version = "", pulumi = {} } of found.values()) {
        const needed = new plugin.PackageDependency();
        needed.setName(pulumi.name ?? name.replace(/^@pulumi\//, ""));
        needed.setKind("resource");
        needed.setVersion(`v${(pulumi.version ?? version).replace(/^v/, "")}`);
        needed.setServer(pulumi.server ?? "");
        reply.addPackages(needed);
      }
      return reply;
    }),
    about: unary(() => {
      const reply = new pb.AboutResponse();
      reply.setExecutable(process.execPath);
      reply.setVersion(process.version);
      reply.getMetadataMap().set("packagemanager", "npm");
      reply
        .getMetadataMap()
        .set("packagemanagerVersion", execFileSync("npm", ["--version"]).toString().trim());
      return reply;
    }),
    getProgramDependencies: unary((request: Language.GetProgramDependenciesRequest) => {
      const reply = new pb.GetProgramDependenciesResponse();
      const directory = request.getInfo()?.getProgramDirectory() ?? ".";
      const own = manifest(directory);
      const add = (name: string, version: string) => {
        const one = new pb.DependencyInfo();
        one.setName(name);
        one.setVersion(version);
        reply.addDependencies(one);
      };
      if (request.getTransitivedependencies()) {
        for (const { name = "", version = "" } of installed(directory)) add(name, version);
      } else {
        for (const name of Object.keys({ ...own?.dependencies, ...own?.devDependencies }))
          add(name, manifest(join(directory, "node_modules", name))?.version ?? "");
      }
      return reply;
    }),
    runtimeOptionsPrompts: unary(() => new pb.RuntimeOptionsResponse()),
    template: unary(() => new pb.TemplateResponse()),
    installDependencies: install,
    run,
    cancel: unary(() => {
      for (const child of running) interrupt(child);
      return new empty.Empty();
    }),
  },
  () => {
    for (const child of running) child.kill("SIGINT");
  },
);
