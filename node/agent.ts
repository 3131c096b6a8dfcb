import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("./agent/", import.meta.url);
const [head, main] = ["head.sh", "main.sh"];
const parts = readdirSync(folder)
  .filter((name) => name.endsWith(".sh") && name !== head && name !== main)
  .sort();

/** The script of machines, joined from its parts in agent/, as it is checked by shellcheck. */
export const agentSource = [head, ...parts, main]
  .map((name) => readFileSync(new URL(name, folder), "utf8"))
  .join("");

/**
 * The script that is placed on machines as `kthw-node`, without comments: the state holds it twice for each machine, and is written
 * after each step.
 */
export const agentScript = agentSource
  .replaceAll(/^ *#(?!!).*\n/gm, "")
  .replaceAll(/(?<=^\w+\(\) \{) #.*$/gm, "");
