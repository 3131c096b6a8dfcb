/** Puts right what `make check` names and nothing else, and says what it did: `run-repair.ts <stack>`. */
import { argv, exit } from "node:process";
import { onMachine } from "../access/shell.ts";
import {
  counted,
  type Differences,
  describeDifferences,
  findDifferences,
  lines,
  readPlaced,
  summary,
} from "../check/differences.ts";
import { repairScript } from "../check/placed.ts";
import { nodeReady, putNode } from "./nodes.ts";
import { silentControllers, turnsOf } from "./turns.ts";
import { waysOut } from "./ways-out.ts";

/** How often what a repair has brought to light is repaired in turn: the images that containerd lacks show once it runs. */
const rounds = 3;

/** How long the repair of one machine may take. */
const timeoutSeconds = 900;

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-repair.ts <stack>");
  exit(2);
}

const placed = await readPlaced(stack).catch((error: Error) => {
  console.error(error.message);
  exit(1);
});
const named = new Set<string>();
let remaining = await findDifferences(placed);
for (let round = 0; round < rounds; round++) {
  const found = describeDifferences(remaining).filter((line) => !named.has(line));
  if (found.length === 0) break;
  for (const line of found) {
    named.add(line);
    console.log(line);
  }
  console.log("repairing…");
  await repair(remaining);
  remaining = await findDifferences(placed);
}

const left = describeDifferences(remaining);
if (left.length === 0) {
  console.log(named.size === 0 ? summary(placed, 0) : `repaired: ${counted(named.size)}`);
  exit(0);
}
console.log("remaining:");
for (const line of left) console.log(line);
for (const line of waysOut(remaining)) console.log(`  ${line}`);
const repaired = [...named].filter((line) => !left.includes(line));
console.log(`repaired: ${counted(repaired.length)}; remaining: ${counted(left.length)}`);
exit(1);

async function repair(differences: Differences): Promise<void> {
  // First, so that no kubelet that is started anew makes a Node without them.
  for (const node of placed.nodes) {
    const ofNode = differences.nodes.filter((one) => one.node === node.name);
    if (ofNode.some(({ kind }) => kind === "missing" || kind === "field" || kind === "taint"))
      await attempt(node.name, () => putNode(node, ofNode));
  }
  await repairMachines(differences);
  const unregistered = differences.nodes.filter(
    ({ kind }) => kind === "missing" || kind === "unregistered",
  );
  for (const { node } of unregistered) await attempt(node, () => register(node));
}

async function repairMachines(differences: Differences): Promise<void> {
  const broken = silentControllers(placed, differences);
  for (const { machine, isController, isDown } of turnsOf(placed, differences)) {
    if (isController && !isDown && broken.length > 0) {
      console.log(`${machine}: left as it is, because ${broken.join(", ")} does not work`);
      continue;
    }
    const succeeded = await attempt(machine, async () => {
      const script = repairScript(placed.texts.get(machine)!);
      const { code, stdout, stderr } = await onMachine(machineOf(machine), script, {
        timeoutSeconds,
      });
      for (const line of lines(stdout + stderr)) console.log(`${machine}: ${line}`);
      if (code !== 0) throw new Error("could not be repaired as a whole");
    });
    if (!succeeded && isController) broken.push(machine);
  }
}

/** A kubelet registers its Node only when it starts. */
async function register(node: string): Promise<void> {
  const { code, stderr } = await onMachine(machineOf(node), "systemctl restart kubelet.service");
  if (code !== 0) throw new Error(stderr.trim());
  console.log(`${node}: kubelet.service: started anew, so that it registers its Node`);
  await nodeReady(node);
}

function machineOf(name: string) {
  return placed.machines.find((machine) => machine.name === name)!;
}

async function attempt(where: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    for (const line of lines((error as Error).message)) console.log(`${where}: ${line}`);
    return false;
  }
}
