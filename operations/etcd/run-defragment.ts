/** Gives etcd room again and ends the alarm NOSPACE: `run-defragment.ts <stack>`. */
import { argv, exit, stderr, stdout } from "node:process";
import { upkeepPath } from "../../services/etcd-upkeep.ts";
import { resourcesOf } from "../access/stack.ts";
import { machinesWith, onFirst } from "./controllers.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-defragment.ts <stack>");
  exit(2);
}

try {
  const controllers = machinesWith("etcd", await resourcesOf(stack));
  const script = `cd / && runuser -u etcd -- ${upkeepPath} make-room`;
  const result = await onFirst(controllers, script, { timeoutSeconds: 3600 });
  stdout.write(result.stdout);
  stderr.write(result.stderr);
  process.exitCode = result.code;
} catch (error) {
  console.error((error as Error).message);
  exit(1);
}
