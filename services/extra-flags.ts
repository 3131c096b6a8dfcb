import type { Flags } from "./systemd.ts";

/** Flags whose value is a list that always contains the program's items. */
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
  // With `help` or `version` the program prints a text and exits.
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
/** Reserved: during an update, controllers with the former lease and with the new one would act at the same time. */
export const electing = leaveOut(
  "leader-elect-resource-lock",
  "leader-elect-resource-name",
  "leader-elect-resource-namespace",
);

/** The program's flags, overridden by the operator's; lists always keep the program's items. */
export function laidOver(ours: Flags, extra: Flags): Flags {
  const merged = Object.entries(extra).map(([flag, value]) => {
    const own = ours[flag];
    return [flag, own === undefined || !lists.has(flag) ? value : joined(`${own}`, value)];
  });
  return { ...ours, ...Object.fromEntries(merged) };
}

function joined(ours: string, theirs: Flags[string]): string {
  const added = itemsOf(theirs);
  const own = itemsOf(ours);
  return own.every((item) => added.includes(item))
    ? `${theirs}`
    : [...own, ...added.filter((item) => !own.includes(item))].join(",");
}

/** The items of a list in the form of flags: in one text, or in several. */
export function itemsOf(list: Flags[string]): string[] {
  return `${list}`.split(",").filter((item) => item !== "");
}
