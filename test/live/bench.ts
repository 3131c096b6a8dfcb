/** Measures a cluster on this computer against its bars; prints tables, and writes them to docs/benchmarks.md. */
import { publish, table, computer as thisComputer } from "./support/benchmarks-page.ts";
import { differences, lookAtComputer } from "./support/computer.ts";
import { LiveStack } from "./support/live-stack.ts";
import {
  bars,
  bootMachines,
  changeKubelet,
  commandsPerMachine,
  createCluster,
  destroy,
  type Join,
  joinWorker,
  leaveWorkers,
  type Move,
  updateWithoutChange,
} from "./support/measures.ts";
import { rolls } from "./support/rolls.ts";
import { step } from "./support/run.ts";
import { type Disturbance, failures, whileProbed } from "./support/undisturbed.ts";

const stack = await LiveStack.create();
const rows: [measure: string, bar: string, measured: string][] = [];
const changes: string[][] = [];
try {
  const computer = await lookAtComputer(stack.name);
  const booting = await bootMachines(stack);
  const creation = await createCluster(stack);
  rows.push([
    "booted, empty machines to all nodes Ready and DNS from a pod",
    `<= ${bars.creationSeconds} s`,
    `${creation.toFixed(1)} s (booting them: ${booting.toFixed(1)} s)`,
  ]);
  const same = await updateWithoutChange(stack);
  rows.push([
    "`pulumi up --skip-preview` without a change",
    `0 SSH connections, <= ${bars.noChangeSeconds} s`,
    `${same.logins} SSH connections, ${same.seconds.toFixed(1)} s`,
  ]);
  const commands = await commandsPerMachine(stack);
  rows.push([
    "commands per controller / per worker at the first `up`",
    `<= ${bars.commandsPerController} / <= ${bars.commandsPerWorker}`,
    `${commands.cp1} / ${commands.worker1}`,
  ]);
  const change = await changeKubelet(stack, 64);
  rows.push([
    "one changed kubelet setting of one worker",
    "its line; only that worker; only kubelet",
    [
      change.lines.map(({ sign, line }) => `\`${sign} ${line}\``).join(", "),
      Object.keys(change.logins).join(", "),
      change.restarted.join(", "),
      `${change.seconds.toFixed(1)} s`,
    ].join("; "),
  ]);
  for (const [index, join] of (Object.keys(bars.joinSeconds) as Join[]).entries()) {
    if (index === 1) {
      await stack.configure((settings) => {
        settings.joinTokens = [{ name: "bench" }];
      });
      await step("let others join", () => stack.up());
    }
    const joining = await joinWorker(stack, join, index + 3);
    rows.push([
      `a worker joins by \`${join}\``,
      `<= ${bars.joinSeconds[join]} s, no restart elsewhere`,
      moved(joining),
    ]);
  }
  rows.push([
    "a worker leaves",
    `<= ${bars.leaveSeconds} s, no restart elsewhere`,
    moved(await leaveWorkers(stack)),
  ]);
  // As it comes, here and after each change, since a run takes an hour.
  await publishBars();
  for (const { title, before, updates } of rolls) {
    await before?.(stack);
    const disturbances: Disturbance[] = [];
    for (const [index, update] of updates.entries())
      disturbances.push(
        await step(`${title}, ${index + 1} of ${updates.length}`, () =>
          whileProbed(stack, () => update(stack)),
        ),
      );
    changes.push([title, ...noticed(disturbances)]);
    await publishChanges();
  }
  const destruction = await destroy(stack);
  const left = differences(computer, await lookAtComputer(stack.name));
  rows.push([
    "`pulumi destroy`",
    `<= ${bars.destructionSeconds} s, nothing left`,
    `${destruction.toFixed(1)} s, ${left.length === 0 ? "nothing" : left.join(", ")} left`,
  ]);
  await publishBars();
} finally {
  await stack.remove();
}

/** Writes down what has been measured of the cluster. */
async function publishBars(): Promise<void> {
  await publish(
    "A cluster and its bars",
    `\`make bench\` on ${thisComputer}, with the machines and the cluster of \`Pulumi.local.yaml\`.

${table(["measure", "bar", "measured"], ...rows)}`,
  );
}

/** Writes down the changes that have been measured. */
async function publishChanges(): Promise<void> {
  await publish(
    "Changes under the eyes of clients",
    `During each change the API is asked twenty times a second through the load balancer, each time over a new connection, reads and writes in turn,
and one watch is held, which goes on from its last version where it ends. The 99th percentile and the longest answer are those of the worst
update; requests, failures, restarts on all machines and seconds are those of all updates together. On ${thisComputer}.

${table(["change", "requests", "p99", "longest", "failed", "watch opened again", "restarted", "seconds"], ...changes)}`,
  );
}

function moved({ seconds, restarted }: Move): string {
  return `${seconds.toFixed(1)} s, ${restarted.length === 0 ? "no" : restarted.join(", ")} restart elsewhere`;
}

/** The columns of a change: requests, 99th percentile, longest, failures, watches, restarts, seconds. */
function noticed(disturbances: readonly Disturbance[]): string[] {
  const most = (number: (one: Disturbance) => number) => Math.max(...disturbances.map(number));
  const sum = (number: (one: Disturbance) => number) =>
    disturbances.reduce((before, one) => before + number(one), 0);
  const units = disturbances.flatMap(({ restarted }) => restarted.map(unitOf));
  const counts = [...new Set(units)].map(
    (unit) => `${unit} ${units.filter((one) => one === unit).length}`,
  );
  return [
    sum(({ requests }) => requests.requests).toLocaleString("en"),
    `${most(({ requests }) => requests.p99Ms)} ms`,
    `${most(({ requests }) => requests.maxMs)} ms`,
    `${sum((one) => failures(one).length)}`,
    `${sum(({ watch }) => watch.reopened)}`,
    counts.join(", ") || "none",
    `${sum(({ seconds }) => seconds).toFixed(0)} s`,
  ];
}

/** The service of `machine unit`. */
function unitOf(restarted: string): string {
  return restarted.replace(/^\S+ /, "").replace(/\.service$/, "");
}
