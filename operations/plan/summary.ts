import type { BundleChange, MachinePlan, Plan, ServiceChange } from "./plan.ts";

/** The lines that tell what an update changes on each machine; one line for a machine without a change. */
export function summary(plan: Plan): string[] {
  return [...plan].flatMap(([name, machine]) => machineLines(name, machine));
}

function machineLines(name: string, machine: MachinePlan): string[] {
  const { fate, files, joins, leaves } = machine;
  const drained = leaves ? ["drained"] : [];
  // The files and services of a lost machine are not listed.
  if (fate === "lost")
    return [`${name}: ${[...drained, "lost, with all that is on it"].join(", ")}`];
  const changes = machine.changes
    .filter(({ file }) => file.kind !== "record")
    .filter(({ sign }) => sign !== "?");
  const placedFiles = [...files.values()].filter(({ kind }) => kind !== "record").length;
  const says = [
    ...drained,
    ...(fate === undefined ? [] : [fate]),
    ...(joins ? ["joined by kubeadm"] : []),
    ...(fate === "rebuilt" ? [`its ${count(placedFiles, "file")} placed anew`] : []),
    ...counts(changes, "file", ({ sign }) => signs[sign]),
    ...counts(machine.bundles, "bundle", () => signs["~"]),
    ...counts(machine.services, "service", ({ action }) => done[action]),
  ];
  return [
    `${name}: ${says.length === 0 ? "no change" : says.join(", ")}`,
    ...changes.map(({ sign, path }) => `  ${sign} ${path}`),
    ...machine.bundles.map(bundleLine),
    ...machine.services.map(serviceLine),
  ];
}

const signs = { "+": "added", "~": "changed", "-": "removed", "?": "changed" } as const;

const done = {
  start: "started",
  restart: "restarted",
  reload: "reloaded",
  check: "checked",
  stop: "stopped",
} as const;

function bundleLine({ name, files, renewed }: BundleChange): string {
  const why = renewed.length === 0 ? "" : `; renewed: ${renewed.join(", ")}`;
  return `  ~ bundle ${name}: some of its ${count(files, "file")}${why}`;
}

function serviceLine({ action, unit, reasons }: ServiceChange): string {
  return `  ${action} ${unit}: ${reasons.join(", ")}`;
}

/** Counts by kind, such as `2 files added`. */
function counts<T>(all: readonly T[], noun: string, kindOf: (one: T) => string): string[] {
  const kinds = all.map(kindOf);
  return [...new Set(kinds)]
    .sort()
    .map((kind) => `${count(kinds.filter((one) => one === kind).length, noun)} ${kind}`);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
