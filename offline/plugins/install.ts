/**
 * Puts the stand-ins where the Pulumi CLI looks for plugins, whole, so that this package may go away afterwards:
 * `install.ts <directory of pulumi> <PULUMI_HOME> [name…]`. Those that are there already and up to date are left alone.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;

/** What is installed: each provider by its module and version, and the language host. */
const providers: Record<string, { module: string; version: string }> = {
  aws: { module: "./aws/index.ts", version: "7.48.0" },
  command: { module: "./command/index.ts", version: "1.2.1" },
  kubernetes: { module: "./kubernetes/index.ts", version: "4.34.2" },
  libvirt: { module: "./libvirt/index.ts", version: "0.5.4" },
  random: { module: "./random.ts", version: "4.21.2" },
  tls: { module: "./tls/index.ts", version: "5.6.1" },
};
const languageHost = "nodejs";

/** What is installed only when it is named: providers that neither run nor reach anything. */
const simulations: typeof providers = {
  command: { ...providers.command!, module: "./command/simulated.ts" },
  kubernetes: { ...providers.kubernetes!, module: "./kubernetes/simulated.ts" },
};

interface Target {
  readonly directory: string;
  readonly file: string;
  readonly program: string;
}

function target(bin: string, home: string, name: string): Target {
  if (name === languageHost)
    return {
      directory: bin,
      file: "pulumi-language-nodejs",
      program: 'import "./language-nodejs.ts";',
    };
  const [, simulated, plugin = name] = /^(simulated-)?(.*)$/.exec(name)!;
  const found = (simulated ? simulations : providers)[plugin];
  if (found === undefined) {
    const others = Object.keys(simulations).map((one) => `simulated-${one}`);
    const known = [languageHost, ...Object.keys(providers), ...others];
    throw new Error(`${name}: no such plugin; choose from ${known.join(", ")}`);
  }
  return {
    directory: join(home, "plugins", `resource-${plugin}-v${found.version}`),
    file: `pulumi-resource-${plugin}`,
    program: `import { provide } from "./protocol/provider.ts";
import { provider } from "${found.module}";
void provide(provider);`,
  };
}

/** A digest of everything that the stand-ins are made from. */
function fingerprint(): string {
  const hash = createHash("sha256").update(process.version);
  const modules = readdirSync(here, { recursive: true, encoding: "utf8" });
  for (const entry of [
    "../package-lock.json",
    ...modules.filter((name) => /\.ts$/.test(name)),
  ].sort())
    hash.update(entry).update(readFileSync(join(here, entry)));
  return hash.digest("hex");
}

/** Replaces a file whole, for others may be starting it. */
function place(path: string, content: string | Uint8Array, mode: number): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content);
  chmodSync(draft, mode);
  renameSync(draft, path);
}

async function install({ directory, file, program }: Target, mark: string): Promise<void> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: here, loader: "ts" },
    bundle: true,
    minify: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    external: ["*.node", "cpu-features"],
    logLevel: "error",
  });
  mkdirSync(directory, { recursive: true });
  const path = join(directory, file);
  place(`${path}.cjs`, outputFiles[0]!.contents, 0o644);
  place(path, '#!/bin/sh\nexec node "$0.cjs" "$@"\n', 0o755);
  place(`${path}.stand-in`, `${mark}\n`, 0o644);
}

const [bin, home, ...names] = process.argv.slice(2);
if (bin === undefined || home === undefined)
  throw new Error("usage: install.ts <directory of pulumi> <PULUMI_HOME> [name…]");
const mark = fingerprint();
const stale = (names.length > 0 ? names : [languageHost, ...Object.keys(providers)])
  .map((name) => target(bin, home, name))
  .filter(({ directory, file }) => {
    const path = join(directory, file);
    return (
      !existsSync(path) ||
      !existsSync(`${path}.stand-in`) ||
      readFileSync(`${path}.stand-in`, "utf8").trim() !== mark
    );
  });
for (const one of stale) await install(one, mark);
