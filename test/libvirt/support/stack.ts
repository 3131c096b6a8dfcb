import { existsSync } from "node:fs";
import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { networks } from "../../../networks/networks.ts";
import { makeKeyPair } from "../../live/support/key-pair.ts";
import type { WrittenSettings } from "../../live/support/live-stack.ts";
import { output, type Result, succeeded } from "../../live/support/run.ts";
import { Computer, mirrorAddress } from "./computer.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const name = "libvirt-test";
const settingsFile = join(root, `Pulumi.${name}.yaml`);
const state = join(root, ".state", name);
const gigabyte = 1024;

/** The machines of the tests, by role and address. */
const machines = {
  lb: "10.241.0.10",
  cp1: "10.241.0.11",
  worker1: "10.241.0.21",
} as const;

/** A name of a machine. */
export type MachineName = keyof typeof machines;

/** This program on emulated machines of libvirt, in namespaces of their own. */
export class LibvirtStack {
  readonly computer: Computer;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #log: string;
  #settings: WrittenSettings = {};

  private constructor(computer: Computer, environment: NodeJS.ProcessEnv, log: string) {
    this.computer = computer;
    this.#environment = environment;
    this.#log = log;
  }

  /** Starts a libvirt, and writes the settings of one load balancer, one controller and one worker. */
  static async create(network: keyof typeof networks, log: string): Promise<LibvirtStack> {
    await rm(state, { recursive: true, force: true });
    await mkdir(join(state, "backend"), { recursive: true });
    await mkdir(log, { recursive: true });
    const passphrase = join(state, "passphrase");
    await writeFile(passphrase, "for the tests", { mode: 0o600 });
    const env = await environment(passphrase);
    const mirror = join(state, "mirror");
    await copyMirror(join(env.KTHW_CACHE!, "mirror"), mirror, network);
    const key = join(state, "key");
    const { privateKey, publicKey } = await makeKeyPair();
    await writeFile(key, privateKey, { mode: 0o600 });
    await writeFile(`${key}.pub`, publicKey);
    const computer = await Computer.start(join(state, "libvirt"), mirror);
    const stack = new LibvirtStack(computer, env, join(log, `${network}.log`));
    const range = (number: number) =>
      networks[network].rangePerMachine ? { podCidr: `10.200.${number}.0/24` } : {};
    await writeFile(settingsFile, "");
    await stack.write({
      platform: "libvirt",
      network,
      timeoutFactor: 6,
      machineCidr: "10.241.0.0/24",
      loadBalancers: [{ name: "lb", address: machines.lb }],
      controllers: [{ name: "cp1", address: machines.cp1, ...range(11) }],
      workerPools: [
        {
          name: "workers",
          machines: [{ name: "worker1", address: machines.worker1, ...range(21) }],
        },
      ],
      artifacts: { mirror: `http://${mirrorAddress.host}:${mirrorAddress.port}` },
      libvirt: {
        domainType: "qemu",
        firmware: network === "bridge" ? "uefi" : "bios",
        privateKeyFile: key,
        sizes: {
          loadBalancer: { vcpus: 1, memoryMiB: gigabyte / 2, diskGiB: 4 },
          controller: { vcpus: 2, memoryMiB: 2 * gigabyte, diskGiB: 8 },
          worker: { vcpus: 2, memoryMiB: 1.5 * gigabyte, diskGiB: 8 },
        },
      },
    } as WrittenSettings);
    return stack;
  }

  /** Ends the libvirt with everything that is in it, and removes the stack. */
  async remove(): Promise<void> {
    await this.computer.stop();
    await rm(state, { recursive: true, force: true });
    await rm(settingsFile, { force: true });
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
    const config = Object.entries(settings).map(([name, value]) => [`kthw:${name}`, value]);
    await writeFile(settingsFile, stringify({ config: Object.fromEntries(config) }));
  }

  /** Runs a command of the Pulumi CLI on the stack, successful or not. */
  async pulumi(...args: string[]): Promise<Result> {
    const common = ["--stack", name, "--non-interactive", "--color=never"];
    const result = await this.#run("pulumi", [...args, ...common], 3_600);
    await this.#record(result);
    return result;
  }

  /** Runs a command of the Pulumi CLI on the stack, which must succeed. */
  async succeeding(...args: string[]): Promise<Result> {
    return succeeded(await this.pulumi(...args));
  }

  /** Updates the stack; prints the seconds of each resource that took its time. */
  async up(...args: string[]): Promise<Result> {
    const result = await this.succeeding("up", "--yes", "--skip-preview", ...args);
    for (const line of timeline(result.stdout)) console.log(`      ${line}`);
    return result;
  }

  /** Updates the stack, in which nothing may change; returns the number of SSH connections. */
  async unchanged(): Promise<number> {
    const args = ["--yes", "--skip-preview", "--expect-no-changes"];
    return this.computer.connections(() => this.succeeding("up", ...args));
  }

  /** Writes the kubeconfig to the file that `kubectl` reads. */
  async takeKubeconfig(): Promise<void> {
    const { stdout } = await this.#run("pulumi", [
      ...["stack", "output", "kubeconfig", "--show-secrets", "--stack", name],
    ]);
    await writeFile(this.#environment.KUBECONFIG!, stdout, { mode: 0o600 });
  }

  /** Runs kubectl, which must succeed; returns the standard output. */
  async kubectl(args: readonly string[], input?: string): Promise<string> {
    const result = await this.#run("kubectl", args, 900, input);
    await this.#record(result);
    return succeeded(result).stdout;
  }

  /** Runs a script of this project on the stack, which must succeed. */
  async script(file: string): Promise<string> {
    const result = await this.#run(process.execPath, ["--import", "tsx", file, name], 3_600);
    await this.#record(result);
    return succeeded(result).stdout;
  }

  /** Runs a command on a machine by SSH, which must succeed; returns what it prints. */
  async inside(machine: MachineName, command: string): Promise<string> {
    const options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
    const args = options.flatMap((option) => ["-o", option]);
    const result = await this.#run("ssh", [
      ...["-i", join(state, "key"), ...args, `root@${machines[machine]}`, command],
    ]);
    await this.#record(result);
    return succeeded(result).stdout;
  }

  /** Adds what a failure may be explained by to the log: consoles, journals, Nodes and Pods. */
  async explain(): Promise<void> {
    const consoles = join(state, "libvirt/log/qemu");
    const files = existsSync(consoles) ? await readdir(consoles) : [];
    for (const file of files.filter((file) => file.endsWith("-console.log"))) {
      await chmod(join(consoles, file), 0o600);
      const text = await readFile(join(consoles, file), "utf8");
      await appendFile(this.#log, `== ${file}\n${text.slice(-20_000)}\n`);
    }
    const looks = [
      ...Object.keys(machines).map((machine) =>
        this.inside(machine as MachineName, "journalctl --no-pager --lines=300 --output=short"),
      ),
      this.kubectl(["get", "nodes,pods", "-A", "-o", "wide"]),
      this.kubectl(["describe", "pods", "-A"]),
    ];
    await Promise.allSettled(looks);
  }

  #run(
    program: string,
    args: readonly string[],
    timeoutSeconds = 300,
    input?: string,
  ): Promise<Result> {
    return this.computer.run(program, args, {
      env: this.#environment,
      timeoutSeconds,
      ...(input !== undefined && { input }),
    });
  }

  async #record({ command, code, seconds, stdout, stderr }: Result): Promise<void> {
    const end = `status ${code} after ${seconds.toFixed(1)} s`;
    await appendFile(this.#log, `$ ${command}\n${stdout}${stderr}\n${end}\n\n`);
  }
}

/** The resources in the order in which they were done, with the seconds of each that took two at least. */
function timeline(text: string): string[] {
  const done =
    /^ [+~-]+ +\S*:(\w+) (\S+) (created|updated|deleted|replaced) \((\d+)(?:\.\d+)?s\)/gm;
  return [...text.matchAll(done)]
    .filter(([, , , , seconds]) => Number(seconds) >= 2)
    .map(([, type, name, what, seconds]) => `${seconds!.padStart(4)} s  ${type} ${name} ${what}`);
}

/** Links the files of a mirror in another folder, with the images of a network that come from elsewhere. */
async function copyMirror(from: string, to: string, network: keyof typeof networks): Promise<void> {
  await output("cp", ["--archive", from, to]);
  const images = networks[network].images?.("amd64") ?? [];
  const folder = process.env.WEAVE_IMAGES;
  for (const { file } of images) {
    const image = file.replace(/^.*\//, "").replace(/-amd64(?=\.tar$)/, "");
    await output("cp", [join(folder!, image), join(to, file)]);
    const [sum] = (await output("sha256sum", [join(to, file)])).split(" ");
    await appendFile(join(to, "SHA256SUMS"), `${sum}  ${file}\n`);
  }
}

/** The environment of a user of this stack, from install/env.sh. */
async function environment(passphraseFile: string): Promise<NodeJS.ProcessEnv> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    STACK: name,
    PULUMI_BACKEND_URL: `file://${join(state, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile,
  };
  delete env.PULUMI_CONFIG_PASSPHRASE;
  delete env.PULUMI_STACK;
  const text = await output("bash", ["-c", ". install/env.sh && env --null"], { cwd: root, env });
  const variables = text.split("\0").filter((variable) => variable !== "");
  return Object.fromEntries(
    variables.map((variable) => {
      const at = variable.indexOf("=");
      return [variable.slice(0, at), variable.slice(at + 1)];
    }),
  );
}
