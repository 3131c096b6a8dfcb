/** A connection to libvirt: one virsh that is told one command after another. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What libvirt says against a command. */
export class Refusal extends Error {}

// Of a domain, virsh often says no more than the first line, without a reason.
const missing =
  /^(Domain|Network|Storage pool|Storage volume) not found|^failed to get domain '[^'\n]*'$(?!\n)/m;

/** Whether libvirt says that there is no such thing. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Refusal && missing.test(error.message);

/** The answer of a command, or nothing where libvirt has no such thing. */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Calls work with the path of a folder of its own, which goes away afterwards. */
export async function withFolder<T>(work: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "kthw-libvirt-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A connection, which is opened by the first command. Commands wait for those before them. */
export class Virsh {
  readonly uri: string;
  #process: ChildProcessWithoutNullStreams | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(uri: string) {
    this.uri = uri;
  }

  /** Runs one command and returns what it prints. */
  call(...words: readonly string[]): Promise<string> {
    const strange = words.find((word) => /[\0\r\n]/.test(word));
    if (strange !== undefined)
      return Promise.reject(new Error(`a line break in ${JSON.stringify(strange)}`));
    const answer = this.#turn.then(() => this.#ask(words));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  /** Runs a command that takes a description, whose file is the last of the words. */
  describe(words: readonly string[], description: string, ...further: string[]): Promise<string> {
    return withFolder((folder) => {
      const file = join(folder, "description.xml");
      writeFileSync(file, description);
      return this.call(...words, file, ...further);
    });
  }

  /** The lines `Name: value` of a command's answer. */
  async table(...words: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const answer = await this.call(...words);
    return Object.fromEntries(
      [...answer.matchAll(/^([^:\n]+): +(.*)$/gm)].map(([, name, value]) => [name!, value!.trim()]),
    );
  }

  /** Ends the connection. */
  close(): void {
    this.#process?.kill();
    this.#process = undefined;
  }

  #ask(words: readonly string[]): Promise<string> {
    this.#process ??= this.#start();
    const virsh = this.#process;
    const number = ++this.#count;
    // virsh repeats what it is told, possibly shortened; what it answers stands between two marks.
    const [begin, end] = [`begin-${number}:`, `:end-${number}`];
    const answers = { stdout: "", stderr: "" };
    const line = [
      `echo ${begin}`,
      `echo --err ${begin}`,
      words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" "),
      `echo ${end}`,
      `echo --err ${end}`,
    ].join("; ");
    return new Promise((resolve, reject) => {
      const read = (stream: "stdout" | "stderr") => (chunk: string) => {
        answers[stream] += chunk;
        const said = between(answers.stdout, `\n${begin}`, end);
        const errors = between(answers.stderr, `error: ${begin}\n`, `error: ${end}\n`);
        if (said === undefined || errors === undefined) return;
        stop();
        if (!/^error: /m.test(errors)) resolve(said.trim());
        else reject(new Refusal(errors.replace(/^error: /gm, "").trim()));
      };
      const readers = { stdout: read("stdout"), stderr: read("stderr") };
      const failed = (error: Error) => {
        stop();
        this.#process = undefined;
        reject(error);
      };
      const ended = () =>
        failed(new Error(`virsh has ended: ${answers.stderr.trim() || "it said nothing"}`));
      const stop = () => {
        virsh.stdout.off("data", readers.stdout);
        virsh.stderr.off("data", readers.stderr);
        virsh.off("error", failed).off("close", ended);
      };
      virsh.stdout.on("data", readers.stdout);
      virsh.stderr.on("data", readers.stderr);
      virsh.on("error", failed).on("close", ended);
      virsh.stdin.write(`${line}\n`);
    });
  }

  #start(): ChildProcessWithoutNullStreams {
    const virsh = spawn("virsh", ["--quiet", "--connect", this.uri], {
      env: { ...process.env, LC_ALL: "C" },
    });
    virsh.stdout.setEncoding("utf8");
    virsh.stderr.setEncoding("utf8");
    // A process that ended is reported by its end.
    virsh.stdin.on("error", () => {});
    return virsh;
  }
}

function between(text: string, start: string, end: string): string | undefined {
  const from = text.indexOf(start);
  const to = text.indexOf(end, from + start.length);
  return from < 0 || to < 0 ? undefined : text.slice(from + start.length, to);
}

let connection: Virsh | undefined;

/** Sets to which libvirt all resources belong. */
export function connectTo(uri: string): void {
  connection?.close();
  connection = new Virsh(uri);
}

/** The connection of the provider. */
export function virsh(): Virsh {
  if (connection === undefined) throw new Error("the provider has not been configured");
  return connection;
}

/** Ends the connection of the provider. */
export function disconnect(): void {
  connection?.close();
  connection = undefined;
}
