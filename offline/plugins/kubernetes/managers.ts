/** Who owns which fields of an object. */
import { isObject, type Properties, type Value } from "../protocol/values.ts";
import { at } from "./ready.ts";

const previous: Record<string, readonly string[]> = {
  Apply: ["kubectl"],
  Update: [
    "kubectl",
    "before-first-apply",
    "pulumi-kubernetes",
    "pulumi-kubernetes.exe",
    "pulumi-resource-kubernetes",
  ],
};

/** A set of fields is an object whose keys are fields, and whose values are the sets below them. */
const union = (one: Value | undefined, other: Value | undefined): Value => {
  if (!isObject(one)) return other ?? {};
  if (!isObject(other)) return one;
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Object.fromEntries(keys.map((key) => [key, union(one[key], other[key])]));
};

/**
 * The owners of an object's fields after everything that was written by creating the object, or by hand, has gone over
 * to one manager that applies; nothing if that changes nothing.
 */
export function transfer(live: Properties, manager: string): Properties[] | undefined {
  const given = at(live, "metadata", "managedFields");
  const entries = (Array.isArray(given) ? given : []).filter(isObject);
  const taken = entries.filter(
    (entry) =>
      entry.subresource === undefined &&
      previous[String(entry.operation)]?.includes(String(entry.manager)),
  );
  const [last] = taken;
  if (last === undefined) return undefined;
  const own = entries.filter(
    (entry) =>
      entry.manager === manager && entry.operation === "Apply" && entry.subresource === undefined,
  );
  const fields = [...own, ...taken].reduce<Value>((all, { fieldsV1 }) => union(all, fieldsV1), {});
  return [
    ...entries.filter((entry) => !taken.includes(entry) && !own.includes(entry)),
    { ...last, manager, operation: "Apply", fieldsV1: fields },
  ];
}
