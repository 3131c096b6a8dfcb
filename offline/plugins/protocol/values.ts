/** Property values as plugins exchange them with the engine, and the differences between two of them. */

/** A property's value in the form in which it travels. */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

/** A resource's properties by name. */
export type Properties = { [key: string]: Value };

/** The value that stands for one not known before it exists. */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** Whether a value is an object with properties, and neither a list nor null. */
export const isObject = (value: Value | undefined): value is Properties =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSecret = (value: Value | undefined): value is { value: Value } =>
  isObject(value) && value[signature] === secretSignature;

/** The value, marked as secret. */
export const secret = (value: Value): Value =>
  isSecret(value) ? value : { [signature]: secretSignature, value };

/** What a mark of secrecy holds, or the value itself where there is none. */
export const reveal = (value: Value): Value => (isSecret(value) ? reveal(value.value) : value);

/** Applies a change to what a secret holds, or to the value itself where it is none. */
export const within = (value: Value, change: (bare: Value) => Value): Value =>
  isSecret(value) ? secret(change(value.value)) : change(value);

/** The value without any marks of secrecy. */
export function bare(value: Value): Value {
  if (Array.isArray(value)) return value.map(bare);
  if (isSecret(value)) return bare(value.value);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, bare(inner)]));
}

const hasSecret = (value: Value | undefined): boolean =>
  typeof value === "object" &&
  value !== null &&
  (isSecret(value) || Object.values(value).some(hasSecret));

/** A value with the marks of secrecy that another one has at the same places; a list is secret whole, as items move. */
export function markedLike(value: Value, model: Value | undefined): Value {
  if (isSecret(model) || (Array.isArray(model) && hasSecret(model))) return secret(value);
  if (!isObject(value) || !isObject(model)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, markedLike(inner, model[key])]),
  );
}

/** Whether something in the value is not known yet. */
export function hasUnknown(value: Value | undefined): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(hasUnknown);
  return value === unknown;
}

/** Properties without the absent ones and without what the engine keeps for itself. */
export const clean = (properties: Properties): Properties =>
  Object.fromEntries(
    Object.entries(properties).filter(
      ([key, value]) => value !== null && key !== "version" && !key.startsWith("__"),
    ),
  );

/** How a place in a value differs from what it was. */
export type Change = "add" | "delete" | "update";

const step = (path: string, key: string | number): string => {
  if (typeof key === "number") return `${path}[${key}]`;
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
};

/** Every leaf that differs, by its property path. */
export function changes(
  old: Value | undefined,
  now: Value | undefined,
  path = "",
  found = new Map<string, Change>(),
): Map<string, Change> {
  const gone = now === undefined || now === null;
  if (old === undefined || old === null) {
    if (!gone) found.set(path, "add");
  } else if (gone) {
    found.set(path, "delete");
  } else if (Array.isArray(old) && Array.isArray(now)) {
    for (let i = 0; i < Math.max(old.length, now.length); i++)
      changes(old[i], now[i], step(path, i), found);
  } else if (isObject(old) && isObject(now)) {
    for (const key of new Set([...Object.keys(old), ...Object.keys(now)]))
      changes(old[key], now[key], step(path, key), found);
  } else if (old !== now) {
    found.set(path, "update");
  }
  return found;
}

const steps = (path: string): string[] =>
  [...path.matchAll(/\[(\d+|\*)\]|\["((?:\\.|[^"\\])*)"\]|([^.[\]]+)/g)].map(
    ([, index, quoted, plain]) =>
      index ?? (quoted === undefined ? plain! : JSON.parse(`"${quoted}"`)),
  );

/** Whether a property path lies at or below one of the given ones, in which `*` stands for any step. */
export function below(path: string, above: readonly string[]): boolean {
  const here = steps(path);
  return above.some((one) => steps(one).every((part, i) => part === here[i] || part === "*"));
}

/** The name of the property that a path begins with. */
export const property = (path: string): string => steps(path)[0] ?? path;
