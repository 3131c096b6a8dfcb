/** Names the alarms of etcd and fails if there are any; says nothing of a cluster that does not answer: `name-alarms.ts <stack>`. */
import { argv, exit } from "node:process";
import { stretchTimeouts } from "../access/command.ts";
import { resourcesOf, timeoutFactorIn } from "../access/stack.ts";
import { alarmScript, alarmsIn, machinesWith, makeFor, onFirst } from "./controllers.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: name-alarms.ts <stack>");
  exit(2);
}

const resources = await resourcesOf(stack).catch(() => []);
stretchTimeouts(timeoutFactorIn(resources));
const controllers = machinesWith("etcd", resources);
const output = await onFirst(controllers, alarmScript, { timeoutSeconds: 15 }).then(
  ({ stdout }) => stdout,
  () => "",
);
const alarms = alarmsIn(output, makeFor(stack));
for (const line of alarms) console.error(line);
exit(alarms.length === 0 ? 0 : 1);
