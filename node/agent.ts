import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("./agent/", import.meta.url);
const [head, main] = ["head.sh", "main.sh"];
const parts = readdirSync(folder)
  .filter((name) => name.endsWith(".sh") && name !== head && name !== main)
  .sort();

/**
 * The script that is placed on machines as `kthw-node`, joined from its parts in agent/ without their comments: the state holds it
 * twice for each machine, and is written after each step.
 */
export const agentScript = [head, ...parts, main]
  .map((name) => readFileSync(new URL(name, folder), "utf8"))
  .join("")
  .replaceAll(/^ *#(?!!).*\n/gm, "");
