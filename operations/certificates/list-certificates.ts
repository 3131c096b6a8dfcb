/** Lists the certificates that the last update has left, those that end first before the others: `list-certificates.ts <stack>`. */
import { argv, exit } from "node:process";
import { resourcesOf } from "../access/stack.ts";
import { certificatesIn, tableOf } from "./certificates.ts";

const [stack] = argv.slice(2);
if (stack === undefined) {
  console.error("usage: list-certificates.ts <stack>");
  exit(2);
}

const resources = await resourcesOf(stack).catch((error: Error) => {
  console.error(error.message);
  exit(1);
});
const now = new Date();
const certificates = certificatesIn(resources, now);
if (certificates.length === 0) {
  console.error(`stack ${stack} has no certificates`);
  exit(1);
}
for (const line of tableOf(certificates, now)) console.log(line);
