/** Measures a cluster on this computer against its bars, and prints a table of both. */
import { availableParallelism, totalmem } from "node:os";
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
import { step } from "./support/run.ts";

const stack = await LiveStack.create();
const rows: [measure: string, bar: string, measured: string][] = [];
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
  const destruction = await destroy(stack);
  const left = differences(computer, await lookAtComputer(stack.name));
  rows.push([
    "`pulumi destroy`",
    `<= ${bars.destructionSeconds} s, nothing left`,
    `${destruction.toFixed(1)} s, ${left.length === 0 ? "nothing" : left.join(", ")} left`,
  ]);
} finally {
  await stack.remove();
}

function moved({ seconds, restarted }: Move): string {
  return `${seconds.toFixed(1)} s, ${restarted.length === 0 ? "no" : restarted.join(", ")} restart elsewhere`;
}

const memory = Math.round(totalmem() / 2 ** 30);
console.log(`\n${availableParallelism()} cores, ${memory} GiB of memory\n`);
console.log("| measure | bar | measured |\n|---|---|---|");
for (const row of rows) console.log(`| ${row.join(" | ")} |`);
