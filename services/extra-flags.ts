import type { Flags } from "./systemd.ts";

/** Flags whose value is a list of which ours are always a part. */
const lists = new Set([
  "authorization-mode",
  "controllers",
  "enable-admission-plugins",
  "requestheader-allowed-names",
]);

/** The operator's flags laid over ours; a list that lacks some of ours is added to them. */
export function laidOver(ours: Flags, extra: Flags): Flags {
  const merged = Object.entries(extra).map(([flag, value]) => {
    const own = ours[flag];
    return [flag, own === undefined || !lists.has(flag) ? value : joined(`${own}`, `${value}`)];
  });
  return { ...ours, ...Object.fromEntries(merged) };
}

function joined(ours: string, theirs: string): string {
  const added = itemsOf(theirs);
  const own = itemsOf(ours);
  return own.every((item) => added.includes(item))
    ? theirs
    : [...own, ...added.filter((item) => !own.includes(item))].join(",");
}

/** The items of a list as flags have it. */
export function itemsOf(list: string): string[] {
  return list.split(",").filter((item) => item !== "");
}
