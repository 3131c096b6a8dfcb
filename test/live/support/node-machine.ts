import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { agentScript } from "../../../node/agent.ts";
import { Machines } from "./machines.ts";
import { nodeStack, ownPorts } from "./own.ts";
import { output, type Result, run } from "./run.ts";

const scripts = fileURLToPath(new URL("../../../stacks/local", import.meta.url));
const stack = nodeStack;
const network = {
  KTHW_STACK: stack,
  KTHW_GATEWAY: "10.240.0.1/24",
  KTHW_API_PORT: `${ownPorts + 660}`,
  KTHW_API_TARGET: "10.240.0.11:6443",
  KTHW_BOOT: randomUUID(),
};
const machine = {
  KTHW_NAME: "m1",
  KTHW_ADDRESS: "10.240.0.11/24",
  KTHW_SSH_PORT: `${ownPorts + 661}`,
  KTHW_MIRROR: "",
  KTHW_DISK: randomUUID().replaceAll("-", ""),
};
const timeoutSeconds = 30;
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A machine on this computer with kthw-node on it, in a stack of its own. */
export class NodeMachine {
  readonly #within: readonly string[];

  readonly #root: string;

  private constructor(init: string) {
    this.#root = `/proc/${init}/root`;
    const machine = ["--all", "--root", "--wd", `--target=${init}`, "env", "-i", `PATH=${path}`];
    // Standard input is a pipe, as from SSH: Node.js gives a socket, which bash treats in ways of its own. What takes too long is
    // ended on the machine: killed from here, it would go on there.
    const limited = `cat | timeout --kill-after=1 ${timeoutSeconds} bash "$@"`;
    this.#within = [...machine, "sh", "-c", limited, "sh"];
  }

  /** A machine just booted, whatever an interrupted run left of an earlier one. */
  static async create(): Promise<NodeMachine> {
    await local("rootfs.sh", []);
    const keys = await mkdtemp(join(tmpdir(), "kthw-node-test-"));
    try {
      for (const name of ["operator", "host"])
        await output("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(keys, name)]);
      const key = (name: string) => readFile(join(keys, name), "utf8");
      await local("clean.sh", [stack]);
      await local("network.sh", ["create"], await key("operator"));
      await local("machine.sh", ["create"], (await key("operator.pub")) + (await key("host")));
    } finally {
      await rm(keys, { recursive: true });
    }
    const container = await new Machines(stack).container(machine.KTHW_NAME);
    const init = (await output("pgrep", ["--parent", `${container}`])).trim();
    const created = new NodeMachine(init);
    await created.output("install -m 0755 /dev/stdin /usr/local/bin/kthw-node", agentScript);
    // systemd runs these each time it reads its units, which is often here; nothing of what they find is on the machine.
    await created.output(`mkdir /etc/systemd/system-generators; cd /lib/systemd/system-generators
      for name in *; do ln -s /dev/null /etc/systemd/system-generators/$name; done`);
    return created;
  }

  /** Leaves nothing of it. */
  static async remove(): Promise<void> {
    await local("clean.sh", [stack]);
  }

  /** Copies a file of this computer to a path on the machine. */
  async take(file: string, path: string): Promise<void> {
    await output("install", ["-D", "-m", "0755", file, this.#root + path]);
  }

  /** Runs a shell script on the machine to its end. */
  run(script: string, input = ""): Promise<Result> {
    return run("nsenter", [...this.#within, "-c", script], { input });
  }

  /** Runs a shell script that must succeed; its standard output, without the newlines at its end. */
  async output(script: string, input = ""): Promise<string> {
    const strict = ["-euo", "pipefail", "-c", script];
    const all = await output("nsenter", [...this.#within, ...strict], { input });
    return all.replace(/\n+$/, "");
  }
}

async function local(script: string, args: string[], input = ""): Promise<void> {
  await output(join(scripts, script), args, {
    input,
    env: { ...process.env, ...network, ...machine },
    timeoutSeconds: 300,
  });
}
