/** What inputs must look like: everything that a stand-in does not understand is refused by its path. */
import { isObject, reveal, unknown, type Value } from "./values.ts";

/** What is wrong, by property path. */
export type Failures = Record<string, string>;

/** Notes what is wrong with the value at a path. */
export type Rule = (value: Value, path: string, failures: Failures) => void;

/** The fields of an object, each with its rule; those marked with `required` must be there. */
export type Shape = Record<string, Rule | Required>;

interface Required {
  readonly required: Rule;
}

/** A field that must be given. */
export const required = (rule: Rule): Required => ({ required: rule });

const rule =
  (accepts: (value: Value) => boolean, expected: string): Rule =>
  (value, path, failures) => {
    if (!accepts(value)) failures[path] = `expected ${expected}, got ${describe(value)}`;
  };

const describe = (value: Value): string => {
  if (Array.isArray(value)) return "a list";
  return isObject(value) ? "an object" : JSON.stringify(value);
};

export const text = rule((value) => typeof value === "string", "a string");
export const flag = rule((value) => typeof value === "boolean", "true or false");
export const anything = rule(() => true, "anything");

/** A whole number in a range. */
export const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Rule =>
  rule(
    (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
    most === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${least}`
      : `a whole number from ${least} to ${most}`,
  );

/** One of the given words. */
export const oneOf = (words: readonly string[]): Rule =>
  rule((value) => words.includes(String(value)), `one of ${words.join(", ")}`);

/** A string that the function accepts. */
export const textThat = (accepts: (text: string) => boolean, expected: string): Rule =>
  rule((value) => typeof value === "string" && accepts(value), expected);

/** A list whose items all follow a rule. */
export const listOf =
  (item: Rule): Rule =>
  (value, path, failures) => {
    if (!Array.isArray(value)) failures[path] = `expected a list, got ${describe(value)}`;
    else for (const [i, one] of value.entries()) apply(item, one, `${path}[${i}]`, failures);
  };

/** An object with any keys, whose values all follow a rule. */
export const mapOf =
  (item: Rule): Rule =>
  (value, path, failures) => {
    if (!isObject(value)) failures[path] = `expected an object, got ${describe(value)}`;
    else
      for (const [key, one] of Object.entries(value)) apply(item, one, `${path}.${key}`, failures);
  };

/** An object with these fields and no others. */
export const object =
  (shape: Shape): Rule =>
  (value, path, failures) => {
    if (!isObject(value)) failures[path] = `expected an object, got ${describe(value)}`;
    else Object.assign(failures, mistakes(shape, value, `${path}.`));
  };

function apply(rule: Rule, value: Value, path: string, failures: Failures): void {
  const known = reveal(value);
  if (known === unknown) return;
  const found: Failures = {};
  rule(known, path, found);
  for (const [where, what] of Object.entries(found))
    failures[where] = known === value ? what : what.replace(/, got .*/s, ", got a secret");
}

/** Everything that is wrong with the inputs. */
export function mistakes(shape: Shape, inputs: Record<string, Value>, prefix = ""): Failures {
  const failures: Failures = {};
  for (const [key, field] of Object.entries(shape)) {
    const value = inputs[key];
    if (value !== undefined && value !== null)
      apply(typeof field === "function" ? field : field.required, value, prefix + key, failures);
    else if (typeof field !== "function")
      failures[prefix + key] = `Missing required field '${key}'`;
  }
  for (const [key, value] of Object.entries(inputs))
    if (!(key in shape) && value !== null)
      failures[prefix + key] =
        `'${key}' is not implemented by this stand-in for the plugin; it knows ${Object.keys(shape).join(", ")}`;
  return failures;
}
