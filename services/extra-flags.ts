import type { Flags } from "./systemd.ts";

/** Flags whose value is a list of which ours are always a part. */
const lists = new Set([
  "authorization-mode",
  "controllers",
  "enable-admission-plugins",
  "requestheader-allowed-names",
]);

/** Names of flags or fields that the program decides, with what to do instead of giving them. */
export type Reserved = Readonly<Record<string, string>>;

/** Reserved names for which there is nothing to do instead. */
export function leaveOut(...names: readonly string[]): Reserved {
  return Object.fromEntries(names.map((name) => [name, "leave it out"]));
}

/** Reserved on every server. */
export const serving = leaveOut(
  "bind-address",
  "cert-dir",
  // With one of these two the program would tell something and end.
  "help",
  "secure-port",
  "tls-cert-file",
  "tls-private-key-file",
  "version",
);
/** Reserved on every client of the API server that also serves. */
export const delegating = leaveOut(
  "authentication-kubeconfig",
  "authorization-kubeconfig",
  "client-ca-file",
  "kubeconfig",
  "master",
  "requestheader-client-ca-file",
);
/** Reserved, since while a controller is still asking for the former lease, another one would already act by the new lease. */
export const electing = leaveOut(
  "leader-elect-resource-lock",
  "leader-elect-resource-name",
  "leader-elect-resource-namespace",
);

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
