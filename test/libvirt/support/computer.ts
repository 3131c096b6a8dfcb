import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  eventually,
  output,
  type Result,
  type RunOptions,
  run,
  succeeded,
} from "../../live/support/run.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The address at which machines reach the mirror, and its port. */
export const mirrorAddress = { host: "192.0.2.10", port: 8080 } as const;

/** Namespaces on this computer with a libvirt of their own. When they end, so does every process and network in them. */
export class Computer {
  readonly folder: string;
  readonly #first: ChildProcess;
  #process = 0;

  private constructor(folder: string, first: ChildProcess) {
    this.folder = folder;
    this.#first = first;
  }

  /** Starts a libvirt that writes to a folder, and a server of the mirror's files. */
  static async start(folder: string, mirror: string): Promise<Computer> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const log = await open(join(folder, "libvirt.log"), "w");
    const namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const script = [join(here, "first-process.sh"), folder, mirrorAddress.host];
    const first = spawn("unshare", [...namespaces, ...script], {
      // The end of this process is the end of that pipe.
      stdio: ["pipe", log.fd, log.fd],
    });
    await log.close();
    const computer = new Computer(folder, first);
    await eventually(async () => {
      if (first.exitCode !== null || !existsSync(join(folder, "ready")))
        throw new Error(await readFile(join(folder, "libvirt.log"), "utf8"));
    });
    const children = await readFile(`/proc/${first.pid}/task/${first.pid}/children`, "utf8");
    computer.#process = Number(children.trim());
    const server = [join(here, "file-server.ts"), mirror, mirrorAddress.host];
    spawn(...computer.#inside(process.execPath, ["--import", "tsx", ...server, "8080"]), {
      stdio: "ignore",
    }).unref();
    return computer;
  }

  /** Runs a command in the namespaces and in the project's folder to its end, successful or not. */
  run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run(...this.#inside(program, args), options);
  }

  /** Runs a command of virsh, which must succeed; returns what it prints. */
  async virsh(...args: string[]): Promise<string> {
    const words = ["--quiet", "--connect", "qemu:///system", ...args];
    return succeeded(await this.run("virsh", words)).stdout.trim();
  }

  /** Counts the connections to port 22 of any machine that are opened from here while work goes on. */
  async connections(work: () => Promise<unknown>): Promise<number> {
    const rule = ["OUTPUT", "-p", "tcp", "--dport", "22", "--syn"];
    succeeded(await this.run("iptables", ["-w", "-I", ...rule]));
    await work();
    const { stdout } = succeeded(await this.run("iptables", ["-w", "-nvxL", "OUTPUT", "1"]));
    succeeded(await this.run("iptables", ["-w", "-D", ...rule]));
    return Number(stdout.trim().split(/\s+/)[0]);
  }

  /** Ends everything in the namespaces. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#first.once("close", resolve));
    if (this.#first.exitCode !== null) return;
    this.#first.kill("SIGKILL");
    await ended;
    await output("sh", [
      "-c",
      `for _ in $(seq 100); do [ -e /proc/${this.#process} ] || exit 0; sleep 0.1; done; exit 1`,
    ]);
  }

  #inside(program: string, args: readonly string[]): [string, string[]] {
    const namespaces = ["--target", `${this.#process}`, "--mount", "--net", "--pid"];
    // Without it, the command begins in the root folder.
    return ["nsenter", [...namespaces, `--wd=${root}`, "--", program, ...args]];
  }
}
