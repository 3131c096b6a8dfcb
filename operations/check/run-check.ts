/** Prints what differs on the machines and Nodes of a stack from what the last update has placed, and changes nothing: `run-check.ts <stack>`. */
import { argv, exit } from "node:process";
import { run, stretched, stretchTimeouts } from "../access/command.ts";
import { onMachine } from "../access/shell.ts";
import { resourcesOf, type ShellMachine, shellMachines, timeoutFactorIn } from "../access/stack.ts";
import { alarmScript, alarmsIn, machinesWith, makeFor, onFirst } from "../etcd/controllers.ts";
import { nodeDifferences, placedNodes } from "./nodes.ts";
import { checkScript, placedByMachine } from "./placed.ts";

/** How long one machine may take. */
const timeoutSeconds = 60;

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-check.ts <stack>");
  exit(2);
}

const resources = await resourcesOf(stack, "--show-secrets").catch(giveUp);
stretchTimeouts(timeoutFactorIn(resources));
const machines = shellMachines(resources);
const placed = placedByMachine(resources);
const nodes = placedNodes(resources);
if (machines.length === 0) giveUp(new Error(`stack ${stack} has no machines`));

const found = await Promise.all([...machines.map(onOne), ofNodes(), ofEtcd()]);
const differences = found.flat();
for (const line of differences) console.log(line);
const count =
  differences.length === 1 ? "1 difference" : `${differences.length || "no"} differences`;
const texts = [...placed.values()].flatMap(({ descriptions }) => descriptions);
console.log(
  `${count}: ${machines.length} machines, ${texts.length} services and bundles, ${nodes.length} Nodes`,
);
exit(differences.length === 0 ? 0 : 1);

async function onOne(machine: ShellMachine): Promise<string[]> {
  const here = placed.get(machine.name);
  if (here === undefined) return [`${machine.name}: nothing has been placed there yet`];
  try {
    const { stdout, stderr } = await onMachine(machine, checkScript(here), { timeoutSeconds });
    return lines(stdout + stderr).map((line) => `${machine.name}: ${line}`);
  } catch (error) {
    return lines((error as Error).message);
  }
}

async function ofNodes(): Promise<string[]> {
  if (nodes.length === 0) return [];
  const args = ["get", "nodes", "--output=json", `--request-timeout=${stretched(4)}s`];
  const { code, stdout, stderr } = await run("kubectl", args, { timeoutSeconds: 5 });
  if (code === 0) return nodeDifferences(nodes, JSON.parse(stdout).items);
  return [`the API did not tell its Nodes: ${lines(stderr).at(-1) ?? "it gave no reason"}`];
}

/** The alarms of etcd; a member that does not answer is named with its machine. */
async function ofEtcd(): Promise<string[]> {
  const controllers = machinesWith("etcd", resources);
  const { stdout } = await onFirst(controllers, alarmScript, { timeoutSeconds }).catch(() => ({
    stdout: "",
  }));
  return alarmsIn(stdout, makeFor(stack!));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function giveUp(error: Error): never {
  console.error(error.message);
  exit(1);
}
