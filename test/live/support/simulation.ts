import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeKeyPair } from "./key-pair.ts";
import { copyByLinks, type LiveStack, thisBuild } from "./live-stack.ts";
import { output } from "./run.ts";

/** The commands that simulated machines and this computer answer to; any other fails. */
const commands = {
  remote: [
    "^sh -s -- [a-z0-9]+ now=",
    "^(sh -c '[^]*' </dev/null && )?install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node( # machine |$)",
    "^kthw-node (fetch|apply|wait)\\b",
    "^sh -c '",
  ],
  local: ["^components/node-membership\\.sh \\|\\| exit$", "^components/node-taints\\.sh$"],
  run: ["^stacks/hosts/checked\\.sh judge$"],
};

/** Machines that are nowhere: every command on them succeeds at once. */
export class Simulation {
  readonly #log: string;
  readonly #names: ReadonlyMap<string, string>;

  private constructor(log: string, names: ReadonlyMap<string, string>) {
    this.#log = log;
    this.#names = names;
  }

  /** Makes the machines of a stack simulated ones, as existing hosts of the same names and addresses. */
  static async of(stack: LiveStack): Promise<Simulation> {
    const folder = dirname(stack.mirror);
    const file = join(folder, "simulation.json");
    const log = join(folder, "simulation.log");
    await writeFile(file, JSON.stringify({ ...commands, log }));
    stack.environment.SIMULATION = file;
    await takeSimulatedPlugins(stack.environment, join(folder, "pulumi-home"));
    const key = join(folder, "key");
    await writeFile(key, (await makeKeyPair()).privateKey, { mode: 0o600 });
    await stack.configure((settings) => {
      delete settings.local;
      settings.platform = "hosts";
      settings.hosts = { privateKeyFile: key };
    });
    const { loadBalancers = [], controllers = [], workerPools = [] } = stack.settings;
    const workers = workerPools.flatMap(({ machines = [] }) => machines);
    const machines = [...loadBalancers, ...controllers, ...workers];
    return new Simulation(log, new Map(machines.map(({ name, address }) => [address, name])));
  }

  /** Runs `work`; returns its result and the number of commands by the name of the machine. */
  async contacted<T>(work: () => Promise<T>) {
    await writeFile(this.#log, "");
    const result = await work();
    const counts: Record<string, number> = {};
    for (const line of (await readFile(this.#log, "utf8")).split("\n").filter(Boolean)) {
      const name = this.#names.get(line.split("\t")[0]!)!;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return { ...result, contacted: counts };
  }
}

/** Gives the CLI a home of its own, with this build's simulated plugins in the places of those that reach machines and clusters. */
async function takeSimulatedPlugins(environment: NodeJS.ProcessEnv, home: string): Promise<void> {
  const plugins = join(environment.PULUMI_HOME!, "plugins");
  await mkdir(join(home, "plugins"), { recursive: true });
  for (const name of await readdir(plugins))
    if (!/^resource-(command|kubernetes)-/.test(name))
      await copyByLinks(join(plugins, name), join(home, "plugins", name));
  const names = ["simulated-command", "simulated-kubernetes"];
  const install = ["--import", "tsx", "offline/plugins/install.ts", home, home, ...names];
  await output(process.execPath, install, { cwd: thisBuild.root });
  environment.PULUMI_HOME = home;
  environment.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION = "true";
}
