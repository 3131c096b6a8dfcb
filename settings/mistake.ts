/** A mistake in a setting: what is wrong, the value, and what to do about it. */
export function mistake(wrong: string, value: unknown, todo: string): string {
  return `${wrong}, got ${shown(value)}; ${todo}`;
}

/** A mistake in a setting, with the setting's place as the user writes it. */
export function mistakeAt(where: string, wrong: string, value: unknown, todo: string): string {
  return `${where}: ${mistake(wrong, value, todo)}`;
}

/** What to do about a number or a boolean in place of a text. */
export const quoteIt = "put it in quotes, or add --type string to pulumi config set";

/** The place of a setting, as in `controllers[0].labels["example.com/disk"]`. */
export function place(path: readonly PropertyKey[]): string {
  return path.reduce<string>((place, step) => {
    if (typeof step === "number") return `${place}[${step}]`;
    const name = String(step);
    if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(name)) return `${place}[${JSON.stringify(name)}]`;
    return place === "" ? name : `${place}.${name}`;
  }, "");
}

/** The mistake of an unknown setting. */
export function unknownSetting(
  path: readonly PropertyKey[],
  value: unknown,
  known: readonly string[],
): string {
  const meant = nearest(String(path.at(-1)), known);
  const all = known.length > 8 ? "docs/settings.md lists those" : `those are ${known.join(", ")}`;
  const todo = meant ? `did you mean ${meant}?` : `use a known one, ${all}`;
  return mistakeAt(place(path), "unknown setting", value, todo);
}

/** The known name that is nearest to a mistyped one; undefined if none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const changes = (other: string) => distance(name.toLowerCase(), other.toLowerCase());
  const [best] = known.toSorted((a, b) => changes(a) - changes(b));
  return best !== undefined && changes(best) <= Math.max(1, name.length / 3) ? best : undefined;
}

/** A name of a setting whose value is or may be a secret: the kubeconfig of a webhook holds credentials. */
export const namesSecret = /password|passphrase|webhook/i;

/** The value on one line, without private keys, bootstrap tokens and passwords. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (JSON.stringify(value).includes("PRIVATE KEY-----")) return "[secret]";
  const plain = typeof value === "string" && /^\S(.*\S)?$/.test(value);
  const hidden = (name: string, one: unknown) => (namesSecret.test(name) ? "[secret]" : one);
  const text = (plain ? value : JSON.stringify(value, hidden))
    .replaceAll(/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, "[secret]")
    .replaceAll(/:\/\/[^/\s"]*:[^/\s"]*@/g, "://[secret]@");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** The Levenshtein distance: how many letters must be added, removed or changed to turn one word into the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [line, letter] of [...from].entries()) {
    let last = line + 1;
    row = [
      last,
      ...[...to].map((other, column) => {
        last = Math.min(last + 1, row[column + 1]! + 1, row[column]! + (letter === other ? 0 : 1));
        return last;
      }),
    ];
  }
  return row.at(-1)!;
}
