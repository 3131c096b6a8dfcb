/** Looks at the controls of the CIS Kubernetes Benchmark 1.12 on the nodes of a stack, and changes nothing: `run-cis.ts <stack>`. */
import { argv, exit } from "node:process";
import { run, stretchTimeouts, succeeded } from "../access/command.ts";
import { onMachine } from "../access/shell.ts";
import { outputsOf, type StackMachine } from "../access/stack.ts";
import { controls } from "./controls.ts";
import { readFound, script } from "./found.ts";
import { type AskedNode, figuresOf, linesOf, resultsOf } from "./results.ts";

/** How long one machine may take. */
const timeoutSeconds = 60;

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-cis.ts <stack>");
  exit(2);
}

try {
  const { machines, timeoutFactor } = await outputsOf(stack);
  stretchTimeouts(timeoutFactor);
  const nodes = await Promise.all(machines.filter(({ role }) => role !== "load balancer").map(ask));
  const results = resultsOf(controls, nodes);
  for (const line of linesOf(results)) console.log(line);
  console.log(`${figuresOf(results)}: CIS Kubernetes Benchmark 1.12, ${nodes.length} nodes`);
  exit(results.some(({ verdict }) => verdict === "FAIL") ? 1 : 0);
} catch (error) {
  console.error((error as Error).message);
  exit(1);
}

async function ask(machine: StackMachine): Promise<AskedNode> {
  const { name, role } = machine;
  const configz = ["get", "--raw", `/api/v1/nodes/${name}/proxy/configz`];
  const [said, { stdout }] = await Promise.all([
    onMachine(machine, script, { timeoutSeconds }).then(succeeded),
    run("kubectl", configz, { timeoutSeconds }).then(succeeded),
  ]);
  const { kubeletconfig: kubelet } = JSON.parse(stdout);
  return {
    name,
    isController: role === "controller",
    found: { ...readFound(said.stdout), kubelet },
  };
}
