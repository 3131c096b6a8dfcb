/** Brings a snapshot of etcd to this computer: `run-backup.ts <stack>`. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { argv, exit } from "node:process";
import { resourcesOf } from "../access/stack.ts";
import { machinesWith } from "./controllers.ts";
import { parseText } from "./snapshot.ts";
import { takeBackup } from "./take-backup.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: run-backup.ts <stack>");
  exit(2);
}

try {
  const controllers = machinesWith("etcd", await resourcesOf(stack));
  const path = await takeBackup(controllers, join("backups", stack));
  const text = await readFile(path.replace(/\.db$/, ".txt"), "utf8");
  console.log(`${text}written to ${path}`);
  const keys = parseText(text).encryption.join(", ");
  if (keys !== "")
    console.log(`
The snapshot has no key in it. Its Secrets are encrypted by ${keys}, and only the stack's state has that key: without the state
and the state's passphrase nobody can read them. Keep copies of both, elsewhere than this file.`);
} catch (error) {
  console.error((error as Error).message);
  exit(1);
}
