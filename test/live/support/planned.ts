import { createHash } from "node:crypto";
import type { PlacedFile } from "../../../operations/plan/placed.ts";
import type { Plan } from "../../../operations/plan/plan.ts";
import type { Machines } from "./machines.ts";

/** Files that differ from a plan, as `machine path: the file found`; the content of secrets and binaries is not compared. */
export async function differencesFromPlan(machines: Machines, plan: Plan): Promise<string[]> {
  const differing = [...plan]
    .filter(([, { fate }]) => fate !== "lost")
    .map(async ([name, { files }]) => {
      const there = await look(machines, name, [...files.keys()]);
      return [...files]
        .filter(([path, file]) => !isAsPlanned(file, there.get(path)))
        .map(([path]) => `${name} ${path}: ${JSON.stringify(there.get(path) ?? "missing")}`);
    });
  return (await Promise.all(differing)).flat();
}

/** A file on a machine, after following links. */
interface Found {
  readonly mode: string;
  readonly owner: string;
  readonly sum: string;
  /** The target of the path, if the path is a link. */
  readonly target: string;
}

function isAsPlanned({ kind, mode, owner, text }: PlacedFile, found: Found | undefined): boolean {
  if (found === undefined) return false;
  if (kind === "link") return text === `(link: ${found.target})\n`;
  if (found.mode !== mode || found.owner !== owner) return false;
  if (kind === "secret" || kind === "binary") return true;
  return found.sum === createHash("sha256").update(text).digest("hex");
}

async function look(
  machines: Machines,
  name: string,
  paths: readonly string[],
): Promise<Map<string, Found>> {
  const said = await machines.inside(name, script, paths.map((path) => `${path}\n`).join(""));
  const found = new Map<string, Found>();
  for (const line of said.split("\n").filter((one) => one !== "")) {
    const [path, mode, owner, sum, target] = line.split("\t") as [string, ...string[]];
    found.set(path, { mode: mode!, owner: owner!, sum: sum!, target: target! });
  }
  return found;
}

// Large files are binaries, whose sum is not needed.
const script = `
while read -r path; do
  [ -e "$path" ] || continue
  sum=
  [ "$(stat -L -c %s "$path")" -gt 1048576 ] || read -r sum _ < <(sha256sum "$path")
  printf '%s\\t%s\\t%s\\t%s\\n' "$path" "$(stat -L -c '0%a\t%U:%G' "$path")" "$sum" "$(readlink "$path")"
done`;
