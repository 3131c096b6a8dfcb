/** Restores a snapshot of etcd on all controllers: `run-restore.ts <stack> <snapshot> [<controllers that are gone>]`. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stdin, stdout } from "node:process";
import { createInterface } from "node:readline/promises";
import { stretchTimeouts } from "../access/command.ts";
import { onMachine } from "../access/shell.ts";
import { resourcesOf, type ShellMachine, timeoutFactorIn } from "../access/stack.ts";
import { machinesWith } from "./controllers.ts";
import { hindrances, readTold, type Told, tellScript } from "./restorable.ts";
import * as restoring from "./restore.ts";
import { isWhole, textOf } from "./snapshot.ts";
import { bring } from "./take-backup.ts";

const [stack, wanted = "", gone = ""] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-restore.ts <stack> <snapshot> [<controllers that are gone>]");
  exit(2);
}
const begin = performance.now();
/** Names of the folders in which the data before lies, once a restore has begun to change the cluster. */
let changed: string | undefined;

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  if (changed !== undefined)
    console.error(
      `The restore is not complete, and no data is lost: the data before is in ${changed} of each controller. Put right what failed, and run the same command again.`,
    );
  exit(1);
}

async function main(): Promise<void> {
  const resources = await resourcesOf(stack!);
  stretchTimeouts(timeoutFactorIn(resources));
  const controllers = machinesWith("etcd", resources);
  if (controllers.length === 0)
    throw new Error(`stack ${stack} has no controllers yet; run make up`);
  const without = gone.split(/[\s,]+/).filter((name) => name !== "");
  const snapshot = await step("the snapshot is whole", () => findSnapshot(controllers));
  const members = await step("the controllers fit the snapshot", () =>
    checkControllers(snapshot, controllers, without),
  );
  const [nodes, missed] = await split(
    machinesWith("kubelet", resources).filter(({ name }) => !without.includes(name)),
  );
  const time = new Date().toISOString().replace(/\..*/, "").replaceAll(/[-:]/g, "");
  const restore = { snapshot, controllers: members, nodes, time: time.replace("T", "-") };
  await confirm(snapshot);
  await step("the snapshot is unpacked beside the present data", () => restoring.prepare(restore));
  changed = `/var/lib/etcd/member.${restore.time}`;
  await step("API servers and etcd have stopped", () => restoring.stop(restore));
  const kept = await step("the restored data is in place", () => restoring.swap(restore));
  await step("etcd is healthy", () => restoring.startEtcd(restore));
  await step("the members are the controllers'", () => restoring.forgetMembers(restore));
  await step("the API servers are ready", () => restoring.startApi(restore));
  await step("Secrets are encrypted by the first key", () => restoring.encryptAnew(restore));
  const started = await step("controller managers, schedulers and kubelets have started anew", () =>
    restoring.startRest(restore),
  );
  const found = await step("the API tells the Nodes", () =>
    restoring.waitForNodes(started, without),
  );

  const ready = found.nodes - found.notReady.length;
  console.log(`restored in ${seconds(begin)}: ${ready} of ${found.nodes} Nodes are Ready`);
  for (const name of found.notReady) console.log(`not Ready: ${name}`);
  for (const { name } of missed)
    console.log(`not reached: ${name}; restart the kubelet there, or the machine`);
  for (const [name, folder] of kept) console.log(`${name}: the data before is in ${folder}`);
  if (without.length > 0)
    console.log(
      `${without.join(", ")} must not come back with their data: make them anew, then make up lets them join`,
    );
  console.log(
    "What make up has changed within Kubernetes since the snapshot is undone: make repair mends labels and taints of Nodes; make shell CMD='pulumi refresh' finds the rest, make up mends it",
  );
}

/** The path on this computer of the snapshot that is wanted; fails unless the snapshot is whole. */
async function findSnapshot(controllers: readonly ShellMachine[]): Promise<string> {
  if (wanted === "")
    throw new Error(
      "SNAPSHOT: missing; write the path of a snapshot, or where a controller has it, like cp1:/var/backups/etcd/20261127T150000Z.db",
    );
  const [, name, path] = /^([a-z0-9-]+):(\/.+)$/.exec(wanted) ?? [];
  if (name !== undefined && path !== undefined) {
    const controller = controllers.find((one) => one.name === name);
    if (controller === undefined)
      throw new Error(`SNAPSHOT: no controller, got ${name}; use one of ${namesOf(controllers)}`);
    return bring(controller, path, join("backups", stack!));
  }
  if (!existsSync(wanted))
    throw new Error(`SNAPSHOT: no such file, got ${wanted}; make backup prints the path of one`);
  if (!(await isWhole(wanted)))
    throw new Error(
      `SNAPSHOT: not a whole snapshot of etcdctl, got ${wanted}; copy the file again, or use another one`,
    );
  return wanted;
}

/** The controllers on which the snapshot is restored, with what each tells; fails with all that hinders it. */
async function checkControllers(
  snapshot: string,
  controllers: readonly ShellMachine[],
  without: readonly string[],
): Promise<restoring.Restore["controllers"]> {
  const wrong = without
    .filter((name) => !controllers.some((one) => one.name === name))
    .map((name) => `WITHOUT: no controller, got ${name}; use some of ${namesOf(controllers)}`);
  const members: { machine: ShellMachine; told: Told }[] = [];
  await Promise.all(
    controllers.map(async (machine) => {
      const { name } = machine;
      const isGone = without.includes(name);
      try {
        const { code, stdout, stderr } = await onMachine(machine, tellScript, {
          timeoutSeconds: 30,
        });
        if (isGone) wrong.push(`WITHOUT: a controller that answers, got ${name}; leave it out`);
        else if (code !== 0) wrong.push(`${name}: ${stderr.trim()}`);
        else members.push({ machine, told: readTold(stdout) });
      } catch (error) {
        const { message } = error as Error;
        if (!isGone)
          wrong.push(
            `${message}; start the machine, or add WITHOUT=${name} if it is gone for good`,
          );
      }
    }),
  );
  if (wrong.length === 0 && members.length === 0)
    wrong.push(`WITHOUT: all controllers, got ${without.join(", ")}; make one of them anew first`);
  // What a machine that does not answer would change is said once it answers.
  if (wrong.length === 0) {
    const told = new Map(members.map((one) => [one.machine.name, one.told]));
    const { size } = statSync(snapshot);
    const candidate = { ...(await textOf(snapshot)), path: snapshot, bytes: size };
    wrong.push(...hindrances(candidate, told, without));
  }
  if (wrong.length > 0) throw new Error(wrong.sort().join("\n"));
  return members.sort((one, other) => (one.machine.name < other.machine.name ? -1 : 1));
}

/** Machines that can be reached, and those that cannot. */
async function split(
  machines: readonly ShellMachine[],
): Promise<[readonly ShellMachine[], readonly ShellMachine[]]> {
  const answers = await Promise.all(
    machines.map((machine) =>
      onMachine(machine, "true", { timeoutSeconds: 15 }).then(
        ({ code }) => code === 0,
        () => false,
      ),
    ),
  );
  return [machines.filter((_, at) => answers[at]), machines.filter((_, at) => !answers[at])];
}

async function confirm(snapshot: string): Promise<void> {
  if (!stdin.isTTY || !stdout.isTTY || process.env.CI) return;
  const { taken } = await textOf(snapshot);
  const reader = createInterface({ input: stdin, output: stdout });
  const answer = await reader.question(
    `Take the cluster of stack ${stack} back to ${taken ?? "this snapshot"}? The API stops meanwhile. yes or no: `,
  );
  reader.close();
  if (answer.trim() !== "yes") throw new Error("nothing was changed");
}

/** Does one step, and prints how long it took. */
async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let mark = "FAIL";
  try {
    const result = await work();
    mark = "ok  ";
    return result;
  } finally {
    console.log(`${mark} ${seconds(start).padStart(7)}  ${name}`);
  }
}

function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

function namesOf(machines: readonly ShellMachine[]): string {
  return machines.map(({ name }) => name).join(", ");
}
