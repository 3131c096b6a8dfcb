/** Runs etcdctl on a controller: `run-etcdctl.ts <stack> <words>`. */
import { argv, exit, stderr, stdout } from "node:process";
import { etcdctl } from "../access/etcdctl.ts";
import { resourcesOf } from "../access/stack.ts";
import { machinesWith, onFirst } from "./controllers.ts";

const [stack, words] = argv.slice(2);
if (stack === undefined || !words?.trim()) {
  console.error("CMD: missing; write for example make etcdctl CMD='alarm list'");
  exit(2);
}

try {
  const controllers = machinesWith("etcd", await resourcesOf(stack));
  const result = await onFirst(controllers, `${etcdctl} ${words}`, { timeoutSeconds: 3600 });
  stdout.write(result.stdout);
  stderr.write(result.stderr);
  process.exitCode = result.code;
} catch (error) {
  console.error((error as Error).message);
  exit(1);
}
