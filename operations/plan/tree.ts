import { join } from "node:path";
import type { MachinePlan, Plan } from "./plan.ts";

/** The files of a plan's folder by path: the files of each machine below its name, and `<machine>.listing` with packages, users, folders, modes and owners. */
export function treeOf(plan: Plan): Map<string, string> {
  const tree = new Map<string, string>();
  for (const [name, machine] of plan) {
    if (machine.fate === "lost") continue;
    for (const [path, { text }] of machine.files) tree.set(join(name, path), text);
    tree.set(`${name}.listing`, listing(machine));
  }
  return tree;
}

/** Packages, users, folders and files of a machine, as lines of a description. */
function listing({ prerequisites, files }: MachinePlan): string {
  const lines = [
    ...prerequisites,
    ...[...files]
      .filter(([, { kind }]) => kind !== "link")
      .map(([path, { mode, owner, live }]) =>
        ["file", path, mode, owner, ...(live ? ["live"] : [])].join(" "),
      ),
  ];
  return lines.map((line) => `${line}\n`).join("");
}
