/** Prints what differs on the machines and Nodes of a stack from what the last update has placed, and changes nothing: `run-check.ts <stack>`. */
import { argv, exit } from "node:process";
import { describeDifferences, findDifferences, readPlaced, summary } from "./differences.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-check.ts <stack>");
  exit(2);
}

const placed = await readPlaced(stack).catch((error: Error) => {
  console.error(error.message);
  exit(1);
});
const differences = describeDifferences(await findDifferences(placed));
for (const line of differences) console.log(line);
console.log(summary(placed, differences.length));
exit(differences.length === 0 ? 0 : 1);
