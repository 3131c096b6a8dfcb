/** Names the alarms of etcd and fails if there are any; says nothing of a cluster that does not answer: `name-alarms.ts <stack>`. */
import { argv, exit } from "node:process";
import { stretchTimeouts } from "../access/command.ts";
import { resourcesOf, timeoutFactorIn } from "../access/stack.ts";
import { alarmsOf, machinesWith } from "./controllers.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: name-alarms.ts <stack>");
  exit(2);
}

const resources = await resourcesOf(stack).catch(() => []);
stretchTimeouts(timeoutFactorIn(resources));
const alarms = await alarmsOf(stack, machinesWith("etcd", resources), 15);
for (const line of alarms) console.error(line);
exit(alarms.length === 0 ? 0 : 1);
