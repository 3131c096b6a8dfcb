import { isGoDuration } from "../go-values.ts";
import type { Known } from "../kubernetes.ts";
import { mistakeAt, nearest, place, quoteIt } from "../mistake.ts";
import { faultOfGate } from "./feature-gates.ts";

/** The place of a setting, step by step. */
export type Path = readonly PropertyKey[];

/** The mistake of the value at a place. */
export function at(path: Path, wrong: string, value: unknown, todo: string): string {
  return mistakeAt(place(path), wrong, value, todo);
}

/** The mistakes in the fields of a struct of Kubernetes: fields that are not there, and values of another kind. */
export function inStruct(struct: string, value: object, path: Path, known: Known): string[] {
  const fields = known.fields.get(struct)!;
  return Object.entries(value).flatMap(([field, inner]) => {
    const where = [...path, field];
    const kind = fields.get(field);
    if (kind !== undefined) {
      const mistakes = inKind(kind, inner, where, known);
      return field === "featureGates" && mistakes.length === 0
        ? inGates(inner as object, where, known)
        : mistakes;
    }
    const names = [...fields.keys()];
    const meant = nearest(field, names);
    const some = names.length > 8 ? `one of ${struct}` : `one of ${names.join(", ")}`;
    const todo = meant ? `did you mean ${meant}?` : `use ${some}`;
    return [at(where, `not a field of ${struct} in Kubernetes ${known.version}`, inner, todo)];
  });
}

function inGates(gates: object, path: Path, known: Known): string[] {
  return Object.entries(gates).flatMap(([gate, value]) => {
    const fault = faultOfGate(gate, `${value}`, known);
    return fault ? [at([...path, gate], fault.wrong, value, fault.todo)] : [];
  });
}

/** Kinds are written as in settings/kubernetes/: that of a plain value, `list` or `map` before another kind, or the name of a struct. */
function inKind(kind: string, value: unknown, path: Path, known: Known): string[] {
  const [container, ...rest] = kind.split(" ");
  if (container === "list") {
    if (!Array.isArray(value)) {
      return [at(path, "not a list", value, "write its items below it, a dash before each")];
    }
    return value.flatMap((item, index) => inKind(rest.join(" "), item, [...path, index], known));
  }
  const isTable = typeof value === "object" && value !== null && !Array.isArray(value);
  if (container === "map") {
    if (!isTable)
      return [at(path, "not names with values", value, "write lines like a: b below it")];
    return Object.entries(value).flatMap(([name, item]) =>
      inKind(rest.join(" "), item, [...path, name], known),
    );
  }
  const fields = known.fields.get(kind);
  if (fields !== undefined) {
    if (isTable) return inStruct(kind, value, path, known);
    const todo = `write below it some of ${[...fields.keys()].join(", ")}`;
    return [at(path, "not a group of fields", value, todo)];
  }
  const [wrong, todo] = plainFault(kind, value) ?? [];
  return wrong === undefined || todo === undefined ? [] : [at(path, wrong, value, todo)];
}

type PlainFault = readonly [wrong: string, todo: string];

function plainFault(kind: string, value: unknown): PlainFault | undefined {
  switch (kind) {
    case "bool":
      if (typeof value === "boolean") return undefined;
      return ["neither true nor false", "write one of them, without quotes"];
    case "int32":
      return wholeFault(value, -(2 ** 31), 2 ** 31 - 1);
    case "int64":
      return wholeFault(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    case "uint32":
      return wholeFault(value, 0, 2 ** 32 - 1);
    case "float64":
      if (typeof value === "number") return undefined;
      return ["not a number", "write it like 0.5, without quotes"];
    case "durationOrNanoseconds":
      if (Number.isInteger(value)) return undefined;
      return durationFault(value);
    case "duration":
      return durationFault(value);
    case "quantity":
      if (typeof value === "number" || (typeof value === "string" && quantity.test(value))) {
        return undefined;
      }
      return ["not a quantity", "write it like 100Mi"];
    case "any":
      return undefined;
    case "string":
    case "time":
      return typeof value === "string" ? undefined : ["not a text", quoteIt];
    default:
      throw new Error(`${kind}: no kind of a field that is known here`);
  }
}

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
const quantity = /^[-+]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?\d+)?$/;

function wholeFault(value: unknown, min: number, max: number): PlainFault | undefined {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return undefined;
  }
  const range = `from ${min} to ${max}`;
  return ["not a whole number", `write one ${range}, without quotes`];
}

function durationFault(value: unknown): PlainFault | undefined {
  if (typeof value === "string" && isGoDuration(value)) return undefined;
  return ["not a duration", "write it like 10s or 2h30m"];
}
