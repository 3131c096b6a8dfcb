import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import type { z } from "zod";
import type { PreviewStep, ResourceState } from "../../../operations/plan/steps.ts";
import type { schema } from "../../../settings/settings.ts";
import { Machines } from "./machines.ts";
import { liveStack, ownPorts } from "./own.ts";
import { output, type Result, run, sleep, succeeded } from "./run.ts";

/** Settings in the form of the settings file, without their namespace. */
export type WrittenSettings = z.input<typeof schema>;

/** The output of `pulumi stack export`, with secrets in plain text. */
export interface Exported {
  readonly deployment: { readonly resources: readonly ResourceState[] };
}

const stack = liveStack;

/** This project, or another version of it, in a folder of its own. */
export interface Build {
  /** The folder. */
  readonly root: string;
  /** The folder of what is installed for the build. @default the one of the environment */
  readonly cache?: string;
}

/** The build that the tests belong to. */
export const thisBuild: Build = { root: fileURLToPath(new URL("../../..", import.meta.url)) };

/** The files of the stack in the folder of a build. */
function filesIn(root: string) {
  const state = join(root, ".state", stack);
  return {
    root,
    settingsFile: join(root, `Pulumi.${stack}.yaml`),
    state,
    backend: join(state, "backend"),
  };
}

type Files = ReturnType<typeof filesIn>;

/** A stack of the tests, beside the user's: this program, run by the real Pulumi CLI with machines on this computer. */
export class LiveStack {
  readonly name = stack;
  readonly machines = new Machines(stack);
  /** The network namespace in which the addresses of the machines can be reached. */
  readonly namespace = `kthw-${stack}`;
  /** A copy of the mirror, in which a test may change files. */
  readonly mirror: string;
  /** The folder with the output of every command. */
  readonly logs: string;
  /** The output of the Pulumi CLI and kubectl by command, without commands that show secrets. */
  readonly said: { readonly command: string; readonly text: string }[] = [];
  /** The passphrase by which Pulumi encrypts the secrets of the state. */
  readonly passphrase: string;
  readonly #files: Files;
  readonly #environment: NodeJS.ProcessEnv;
  #settings: WrittenSettings = {};

  private constructor(files: Files, environment: NodeJS.ProcessEnv, passphrase: string) {
    this.#files = files;
    this.#environment = environment;
    this.passphrase = passphrase;
    this.mirror = join(files.state, "mirror");
    this.logs = join(files.root, ".state", `${stack}-logs`);
  }

  /** Makes a new stack of a build, after removing what an interrupted run left. */
  static async create(build: Build = thisBuild): Promise<LiveStack> {
    const files = filesIn(build.root);
    const { root, state, backend } = files;
    await removeAll(files);
    await mkdir(backend, { recursive: true });
    const passphraseFile = join(state, "passphrase");
    const passphrase = randomBytes(24).toString("hex");
    await writeFile(passphraseFile, passphrase, { mode: 0o600 });
    const live = new LiveStack(files, await environment(files, passphraseFile, build), passphrase);
    await rm(live.logs, { recursive: true, force: true });
    await mkdir(live.logs);
    const cache = join(live.#environment.KTHW_CACHE!, "mirror");
    await copyByLinks(cache, live.mirror);
    const original = parse(await readFile(join(root, "Pulumi.local.yaml"), "utf8"));
    const written = Object.entries(original.config).map(([name, value]) => [
      name.replace(/^kthw:/, ""),
      value,
    ]);
    await live.configure((settings) => {
      Object.assign(settings, Object.fromEntries(written));
      settings.local = { apiPort: ownPorts + 643, sshPortBase: ownPorts };
      settings.artifacts = { mirror: live.mirror };
    });
    await live.succeeding("stack", "init");
    return live;
  }

  /** Removes the stack with its machines and state, without Pulumi. */
  async remove(): Promise<void> {
    await removeAll(this.#files);
  }

  /** The settings written last. */
  get settings(): WrittenSettings {
    return this.#settings;
  }

  /** Changes the settings. */
  async configure(change: (settings: WrittenSettings) => void): Promise<void> {
    const settings = structuredClone(this.#settings);
    change(settings);
    await this.write(settings);
  }

  /** Writes settings. */
  async write(settings: WrittenSettings): Promise<void> {
    this.#settings = settings;
    const kept = existsSync(this.#files.settingsFile)
      ? parse(await readFile(this.#files.settingsFile, "utf8"))
      : {};
    const config = Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [`kthw:${name}`, value]),
    );
    await writeFile(this.#files.settingsFile, stringify({ ...kept, config }));
  }

  /** Adds a secret to the settings file, at a path such as `certificates.authority`. */
  async setSecret(place: string, value: string): Promise<void> {
    const args = ["config", "set", "--secret", "--path", `kthw:${place}`, "--stack", stack];
    const options = { cwd: this.#files.root, env: this.#environment, input: value };
    const result = await run("pulumi", args, options);
    await this.#record(`pulumi ${args.join(" ")}`, succeeded(result));
    const { config } = parse(await readFile(this.#files.settingsFile, "utf8"));
    this.#settings = Object.fromEntries(
      Object.entries(config).map(([name, value]) => [name.replace(/^kthw:/, ""), value]),
    );
  }

  /** Runs a command of the Pulumi CLI on the stack, successful or not. */
  async pulumi(...args: string[]): Promise<Result> {
    const result = await this.#pulumi(args);
    await this.#record(`pulumi ${args.join(" ")}`, result);
    return result;
  }

  /** Runs a command of the Pulumi CLI on the stack, which must succeed. */
  async succeeding(...args: string[]): Promise<Result> {
    return succeeded(await this.pulumi(...args));
  }

  /** Updates the stack, which must succeed. */
  async up(...args: string[]): Promise<Result> {
    return this.succeeding("up", "--yes", "--skip-preview", ...args);
  }

  /**
   * Updates the stack, and cuts the update off once its output is `enough`: by signals to the CLI a moment after one another, or by what is
   * done to machines. Returns whether the update came that far.
   */
  async cutOff(
    enough: RegExp,
    ...ends: readonly (NodeJS.Signals | (() => Promise<unknown>))[]
  ): Promise<boolean> {
    const args = ["up", "--yes", "--skip-preview", "--stack", stack];
    const options = ["--non-interactive", "--color=never"];
    const { isCut } = await this.#cutOff(["pulumi", ...args, ...options], enough, async (id) => {
      for (const end of ends) {
        if (typeof end === "string") signal(id, end);
        else await end();
        await sleep(0.3);
      }
    });
    return isCut;
  }

  /** Runs a target of make as a user does at a terminal, successful or not; variables are words such as `WITHOUT=cp2`. */
  async make(target: string, ...variables: readonly string[]): Promise<Result> {
    const options = { cwd: this.#files.root, env: this.#environment, timeoutSeconds: 900 };
    const result = await run("make", [target, ...variables], options);
    await this.#record(`make ${[target, ...variables].join(" ")}`, result);
    return result;
  }

  /** Runs `make up`, and cuts it off once its output is `enough`; `cut` gets the id of the process group, which is that of a terminal. */
  async cutOffMakeUp(
    enough: RegExp,
    cut: (group: number) => Promise<unknown>,
  ): Promise<Result & { readonly isCut: boolean; readonly group: number }> {
    return this.#cutOff(["make", "up"], enough, cut, { detached: true });
  }

  /** Lets `make` find a pulumi that updates without a preview, which takes half of the time and changes nothing. */
  async leaveOutPreviews(): Promise<void> {
    const folder = join(this.#files.state, "bin");
    const options = { env: this.#environment };
    const real = await output("bash", ["-c", "command -v pulumi"], options);
    const skip = '[[ $1 != up ]] || set -- "$@" --skip-preview';
    const script = `#!/bin/bash\n${skip}\nexec ${real.trim()} "$@"\n`;
    await mkdir(folder);
    await writeFile(join(folder, "pulumi"), script, { mode: 0o755 });
    this.#environment.PATH = `${folder}:${this.#environment.PATH}`;
  }

  /** Updates the stack as `make up` does after an update that was cut off; returns what is said of that one. */
  async upAgain(): Promise<string> {
    const { stderr } = succeeded(await this.script("operations/interrupted/clear-interrupted.ts"));
    await this.up();
    return stderr;
  }

  /** Updates the stack with a program that makes the machines and nothing else. */
  async upMachinesOnly(): Promise<Result> {
    return succeeded(await this.with("machines-only.ts", "up", "--yes", "--skip-preview"));
  }

  /** Runs a command of the Pulumi CLI with another program than this project's, of the tests, successful or not. */
  async with(program: string, ...args: string[]): Promise<Result> {
    const folder = join(this.#files.state, program);
    if (!existsSync(folder)) {
      await mkdir(folder);
      // The program runs scripts of stacks/ by paths relative to its folder.
      for (const name of ["Pulumi.yaml", "lean-sdk.ts", "package.json", "node_modules", "stacks"])
        await symlink(join(this.#files.root, name), join(folder, name));
      await symlink(join(this.#files.root, "test/live/support", program), join(folder, "index.ts"));
    }
    return this.pulumi(...args, "--cwd", folder, "--config-file", this.#files.settingsFile);
  }

  /** The steps of a preview, including those of unchanged resources. */
  async preview(): Promise<PreviewStep[]> {
    const { stdout } = await this.succeeding("preview", "--json", "--show-sames");
    return JSON.parse(stdout).steps;
  }

  /** The state of the stack, with secrets in plain text. */
  async export(): Promise<Exported> {
    const result = succeeded(await this.#pulumi(["stack", "export", "--show-secrets"]));
    return JSON.parse(result.stdout);
  }

  /** An output of the program, a secret in plain text. */
  async output<T>(name: string): Promise<T> {
    const args = ["stack", "output", name, "--json", "--show-secrets"];
    return JSON.parse(succeeded(await this.#pulumi(args)).stdout);
  }

  /** Writes the kubeconfig to the file that `kubectl` reads; returns the text. */
  async takeKubeconfig(): Promise<string> {
    const text = await this.output<string>("kubeconfig");
    await writeFile(this.#environment.KUBECONFIG!, text, { mode: 0o600 });
    return text;
  }

  /** Runs kubectl, which must succeed; returns the standard output. */
  async kubectl(args: readonly string[], input?: string): Promise<string> {
    const options = { env: this.#environment, ...(input !== undefined && { input }) };
    const result = await run("kubectl", args, options);
    this.said.push({ command: `kubectl ${args.join(" ")}`, text: result.stdout + result.stderr });
    return succeeded(result).stdout;
  }

  /** Runs a script of this project on the stack, successful or not; the script is interrupted once its output is `enough`. */
  async script(file: string, enough: (said: string) => boolean = () => false): Promise<Result> {
    const args = ["--import", "tsx", file, stack];
    const result = await run(process.execPath, args, {
      cwd: this.#files.root,
      env: this.#environment,
      timeoutSeconds: 300,
      interruptOnce: enough,
    });
    await this.#record(`node ${file}`, result);
    return result;
  }

  /** The environment of the stack's commands. */
  get environment(): NodeJS.ProcessEnv {
    return this.#environment;
  }

  /** Runs `work` while a file of the mirror holds another text, or is missing. */
  async whileMirrored(
    file: string,
    text: string | undefined,
    work: () => Promise<void>,
  ): Promise<void> {
    const path = join(this.mirror, file);
    await rename(path, `${path}.kept`);
    try {
      if (text !== undefined) await writeFile(path, text);
      await work();
    } finally {
      await rename(`${path}.kept`, path);
    }
  }

  /** Has machines that are made from now on begin without binaries, as other computers do: another list of sums is another mirror. */
  async beginWithoutBinaries(): Promise<void> {
    const list = join(this.mirror, "SHA256SUMS");
    const sums = await readFile(list, "utf8");
    // The list is a link to that of the whole computer.
    await rm(list);
    await writeFile(list, `\n${sums}`);
  }

  /** The files of the state, by path. */
  async stateFiles(): Promise<Map<string, string>> {
    const entries = await readdir(this.#files.backend, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const paths = [
      this.#files.settingsFile,
      ...files.map((entry) => join(entry.parentPath, entry.name)),
    ];
    return new Map(
      await Promise.all(paths.map(async (path) => [path, await readFile(path, "utf8")] as const)),
    );
  }

  /** Writes journals, consoles and Pods to the folder of logs, to explain a failure. */
  async keepLogs(title: string): Promise<void> {
    const folder = join(this.logs, title.replaceAll(/[^a-zA-Z0-9]+/g, "-").slice(0, 60));
    await mkdir(folder, { recursive: true });
    for (const name of await this.machines.names()) {
      const journal = await this.machines.journal(name).catch((error) => String(error));
      await writeFile(join(folder, `${name}.journal`), journal);
      const console = join(this.machines.folder, name, "console.log");
      if (existsSync(console))
        await writeFile(join(folder, `${name}.console`), await readFile(console));
    }
    const nodes = await this.kubectl(["get", "nodes,pods", "-A", "-o", "wide"]).catch(String);
    await writeFile(join(folder, "kubectl"), nodes);
  }

  async #cutOff(
    [program = "", ...args]: readonly string[],
    enough: RegExp,
    cut: (id: number) => Promise<unknown>,
    options: { readonly detached?: boolean } = {},
  ): Promise<Result & { readonly isCut: boolean; readonly group: number }> {
    const child = spawn(program, args, {
      cwd: this.#files.root,
      env: this.#environment,
      ...options,
    });
    const start = performance.now();
    let said = "";
    let cutting: Promise<unknown> | undefined;
    const hear = (chunk: Buffer) => {
      said += chunk;
      if (enough.test(said)) cutting ??= cut(child.pid!);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const [code, signal] = await once(child, "exit");
    await cutting;
    const seconds = (performance.now() - start) / 1000;
    const stderr = `ended by ${signal ?? "itself"}`;
    const command = [program, ...args].join(" ");
    const result = { command, code: code ?? 1, stdout: said, stderr, seconds };
    await this.#record(command, result);
    return { ...result, isCut: cutting !== undefined, group: child.pid! };
  }

  async #pulumi(args: readonly string[]): Promise<Result> {
    const common = ["--stack", stack, "--non-interactive", "--color=never"];
    const options = { cwd: this.#files.root, env: this.#environment, timeoutSeconds: 600 };
    return run("pulumi", [...args, ...common], options);
  }

  async #record(command: string, { code, seconds, stdout, stderr }: Result): Promise<void> {
    const text = stdout + stderr;
    this.said.push({ command, text });
    const number = `${this.said.length}`.padStart(3, "0");
    const words = command.split(" ").slice(1, 3).join("-");
    const name = `${number}-${words.replaceAll("--", "").replaceAll("/", "-")}.log`;
    const end = `status ${code} after ${seconds.toFixed(1)} s`;
    await writeFile(join(this.logs, name), `$ ${command}\n${text}\n${end}\n`);
  }
}

/** Copies a folder, whose files stay the same files where that is possible. */
export async function copyByLinks(from: string, to: string): Promise<void> {
  // What is copied may be a link to a folder.
  const copy = `mkdir "$1"
    cp --archive --link "$0/." "$1" 2>/dev/null || cp --archive --reflink=auto "$0/." "$1"`;
  await output("bash", ["-c", copy, from, to]);
}

/** The environment of a user of this stack, from install/env.sh. */
async function environment(
  { root, backend }: Files,
  passphraseFile: string,
  { cache }: Build,
): Promise<NodeJS.ProcessEnv> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    ...(cache !== undefined && { KTHW_CACHE: cache }),
    STACK: stack,
    PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile,
  };
  for (const name of ["PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_STACK"])
    delete env[name];
  const text = await output("bash", ["-c", ". install/env.sh && env --null"], { cwd: root, env });
  const variables = text.split("\0").filter((variable) => variable !== "");
  const all: Record<string, string> = Object.fromEntries(
    variables.map((variable) => {
      const at = variable.indexOf("=");
      return [variable.slice(0, at), variable.slice(at + 1)];
    }),
  );
  const { search } = new URL(all.PULUMI_BACKEND_URL!);
  return { ...all, PULUMI_BACKEND_URL: `file://${backend}${search}` };
}

async function removeAll({ root, settingsFile, state, backend }: Files): Promise<void> {
  await killCommands(backend);
  await output(join(root, "stacks/local/clean.sh"), [stack]);
  await rm(state, { recursive: true, force: true });
  await rm(settingsFile, { force: true });
}

/** Kills commands of an earlier run that still use this state. */
async function killCommands(backend: string): Promise<void> {
  for (const id of await readdir("/proc")) {
    if (!/^\d+$/.test(id) || Number(id) === process.pid) continue;
    const environment = await readFile(`/proc/${id}/environ`, "utf8").catch(() => "");
    if (!`\0${environment}`.includes(`\0PULUMI_BACKEND_URL=file://${backend}?`)) continue;
    try {
      process.kill(Number(id), "SIGKILL");
    } catch {
      // The process has ended meanwhile.
    }
  }
}

/** Sends a signal to a process, unless that has ended. */
function signal(id: number, name: NodeJS.Signals): void {
  try {
    process.kill(id, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
