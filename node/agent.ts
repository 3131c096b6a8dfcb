import { readdirSync, readFileSync } from "node:fs";

const folder = new URL("./agent/", import.meta.url);
const [head, main] = ["head.sh", "main.sh"];
const parts = readdirSync(folder)
  .filter((name) => name.endsWith(".sh") && name !== head && name !== main)
  .sort();

/** The script that is placed on machines as `kthw-node`, joined from its parts in agent/ without their lines for shellcheck. */
export const agentScript = [head, ...parts, main]
  .map((name) => readFileSync(new URL(name, folder), "utf8"))
  .map((text) => text.replace("# shellcheck shell=bash\n", ""))
  .join("");
