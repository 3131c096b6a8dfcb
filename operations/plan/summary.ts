import type { BundleChange, FileChange, MachinePlan, Plan, ServiceChange } from "./plan.ts";

/** What is said of a machine: a line for the machine, and one for each file, bundle and service that changes. */
export interface MachineSummary {
  readonly title: string;
  readonly files: readonly FileChange[];
  readonly bundles: readonly BundleChange[];
  readonly services: readonly ServiceChange[];
}

/** The lines that tell what an update changes on each machine; one line for a machine without a change. */
export function summary(plan: Plan): string[] {
  return [...plan].flatMap(([name, machine]) => {
    const { title, files, bundles, services } = summaryOf(name, machine);
    const lines = [
      ...files.map(fileLine),
      ...bundles.map(bundleLine),
      ...services.map(serviceLine),
    ];
    return [title, ...lines.map((line) => `  ${line}`)];
  });
}

/** What is said of one machine. */
export function summaryOf(name: string, machine: MachinePlan): MachineSummary {
  const { bundles, fate, files, joins, leaves, services, turns } = machine;
  const drained = leaves ? ["drained"] : [];
  // The files and services of a lost machine are not listed.
  if (fate === "lost") {
    const title = `${name}: ${[...drained, "lost, with all that is on it"].join(", ")}`;
    return { title, files: [], bundles: [], services: [] };
  }
  const changes = machine.changes
    .filter(({ file }) => file.kind !== "record")
    .filter(({ sign }) => sign !== "?");
  const placedFiles = [...files.values()].filter(({ kind }) => kind !== "record").length;
  const says = [
    ...drained,
    ...(turns ? ["drained and put back into service"] : []),
    ...(fate === undefined ? [] : [fate]),
    ...(joins ? ["joined by kubeadm"] : []),
    ...(fate === "rebuilt" ? [`its ${count(placedFiles, "file")} placed anew`] : []),
    ...counts(changes, "file", ({ sign }) => signs[sign]),
    ...counts(bundles, "bundle", () => signs["~"]),
    ...counts(services, "service", ({ action }) => done[action]),
  ];
  const title = `${name}: ${says.length === 0 ? "no change" : says.join(", ")}`;
  return { title, files: changes, bundles, services };
}

/** The words for the signs of changes. */
export const signs = { "+": "added", "~": "changed", "-": "removed", "?": "changed" } as const;

/** The words for what was done to services. */
export const done = {
  start: "started",
  restart: "restarted",
  reload: "reloaded",
  check: "checked",
  stop: "stopped",
} as const;

/** The line of a file. */
export function fileLine({ sign, path }: FileChange): string {
  return `${sign} ${path}`;
}

/** The line of a bundle. */
export function bundleLine({ name, files, renewed }: BundleChange): string {
  const why = renewed.length === 0 ? "" : `; renewed: ${renewed.join(", ")}`;
  return `~ bundle ${name}: some of its ${count(files.length, "file")}${why}`;
}

/** The line of a service. */
export function serviceLine({ action, unit, reasons, undo = [] }: ServiceChange): string {
  return `${action} ${unit}: ${reasons.join(", ")}${undo.map((one) => `; then ${one}`).join("")}`;
}

/** Counts by kind, such as `2 files added`. */
export function counts<T>(all: readonly T[], noun: string, kindOf: (one: T) => string): string[] {
  const kinds = all.map(kindOf);
  return [...new Set(kinds)]
    .sort()
    .map((kind) => `${count(kinds.filter((one) => one === kind).length, noun)} ${kind}`);
}

/** A number of things, such as `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
