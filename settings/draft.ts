import { z } from "zod";

/** Settings as far as they parse: a part that does not parse is undefined. */
export type Sound<T> = T extends readonly (infer Item)[]
  ? readonly (Sound<Item> | undefined)[]
  : T extends object
    ? { readonly [Name in keyof T]?: Sound<T[Name]> | undefined }
    : T;

/** The parts of faulty settings that parse, so that those parts can be checked too. */
export function draftOf<T extends z.ZodType>(schema: T, raw: unknown): Sound<z.output<T>> {
  return (lenient(schema).parse(raw) ?? {}) as Sound<z.output<T>>;
}

function lenient(schema: z.core.$ZodType): z.ZodType {
  return inside(schema).catch(undefined);
}

function inside(schema: z.core.$ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.entries<z.core.$ZodType>(schema.shape);
    return z.object(Object.fromEntries(shape.map(([name, inner]) => [name, lenient(inner)])));
  }
  if (schema instanceof z.ZodOptional) return inside(schema.def.innerType).optional();
  if (schema instanceof z.ZodArray) return z.array(lenient(schema.element));
  if (schema instanceof z.ZodDefault) {
    return inside(schema.def.innerType).default(schema.def.defaultValue);
  }
  if (schema instanceof z.ZodPrefault) {
    return inside(schema.def.innerType).prefault(schema.def.defaultValue);
  }
  return schema as z.ZodType;
}
