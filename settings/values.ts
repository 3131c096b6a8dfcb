import { z } from "zod";
import { enclosingCidr, formatCidr, parseAddress, parseCidr } from "./ipv4.ts";
import { isDnsLabel, isDnsName } from "./label.ts";
import { mistake, quoteIt } from "./mistake.ts";

/** The message of a wrong value. */
export const saying = (wrong: string, todo: string) => (issue: { input?: unknown }) =>
  mistake(wrong, issue.input, todo);

/** The message of a wrong value that may hold a secret. */
export const hiding: typeof saying = (wrong, todo) => (issue) =>
  mistake(wrong, issue.input === undefined || issue.input === null ? undefined : "[secret]", todo);

/** A text that passes a test. A number or a boolean, which the command line may have made of such a text, gets a message of its own. */
export function text(passes: (text: string) => boolean, wrong: string, todo: string) {
  const error = saying(wrong, todo);
  const isMeant = (input: unknown) =>
    (typeof input === "number" || typeof input === "boolean") && passes(String(input));
  const notText = saying("not a text", quoteIt);
  return z
    .string({ error: (issue) => (isMeant(issue.input) ? notText(issue) : error(issue)) })
    .refine(passes, { error });
}

/** A whole number; the command line may have made it a text. */
export function whole(min: number, max: number, wrong: string, todo: string) {
  const error = saying(wrong, todo);
  const number = (value: unknown) =>
    typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  const passes = (value: number) => Number.isSafeInteger(value) && min <= value && value <= max;
  return z.preprocess(number, z.number({ error }).refine(passes, { error }));
}

/** One of a few given words. */
export function oneOf<const T extends readonly string[]>(values: T, wrong: string) {
  const use = values.length === 1 ? "use" : "use one of";
  return z.enum(values, { error: saying(wrong, `${use} ${values.join(", ")}`) });
}

/** A list of settings of one kind. */
export function list<T extends z.ZodType>(item: T, message = saying) {
  return z.array(item, {
    error: message("not a list", "write its items below it, a dash before each"),
  });
}

/** A group of settings. The message of an unknown setting is the list of the group's known names. */
export function group<T extends z.ZodRawShape>(shape: T, message = saying) {
  const names = Object.keys(shape);
  const error = message("not a group of settings", `write below it some of ${names.join(", ")}`);
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? names.join(" ") : error(issue)),
  });
}

/** Names of the user's choice with a value each. */
export function table(
  example: string,
  wrong: (name: string, value: unknown) => string | undefined = () => undefined,
) {
  const error = saying("not names with values", `write lines like ${example} below it`);
  return z.record(z.string(), z.unknown(), { error }).check(({ value, issues }) => {
    for (const [name, item] of Object.entries(value)) {
      const message = wrong(name, item);
      if (message) issues.push({ code: "custom", message, path: [name], input: item });
    }
  });
}

/** Each value as a text. */
export function texts(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

/** Each value of a flag as a text, or as several texts. */
export function flagTexts(
  values: Readonly<Record<string, unknown>>,
): Record<string, string | string[]> {
  const text = (value: unknown) => (Array.isArray(value) ? value.map(String) : String(value));
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)]));
}

/** A DNS label. */
export const name = (example: string) =>
  text(
    isDnsLabel,
    "not a DNS label",
    `use up to 63 small letters, digits and inner dashes, like ${example}`,
  );

/** An IPv4 address. */
export const address = text(
  (text) => parseAddress(text) !== undefined,
  "not an IPv4 address",
  "write four numbers like 10.240.0.10",
);

/** An IPv4 address or a DNS name. */
export const host = (example: string) =>
  text(
    (text) => (/^[\d.]+$/.test(text) ? parseAddress(text) !== undefined : isDnsName(text)),
    "neither an IPv4 address nor a DNS name",
    `write it like ${example}`,
  );

/** A network, written by its first address. */
export function cidr(example: string) {
  const error = saying("not an IPv4 network", `write it like ${example}`);
  return z.string({ error }).refine(parseCidr, {
    error: (issue) => {
      const network = enclosingCidr(String(issue.input));
      return network
        ? mistake(
            "not the first address of its network",
            issue.input,
            `write ${formatCidr(network)}`,
          )
        : error(issue);
    },
  });
}

/** A number of things. */
export const count = whole(
  1,
  Number.MAX_SAFE_INTEGER,
  "not a positive whole number",
  "use 1 or more",
);
/** A number of hours. */
export const hours = whole(
  1,
  876_000,
  "not a number of hours",
  "use a whole number from 1 to 876000",
);
/** A TCP port. */
export const port = whole(1, 65_535, "not a port", "use a whole number from 1 to 65535");

/** A boolean; the command line may have made it a text. */
export const flag = z.preprocess(
  (value) => (value === "true" ? true : value === "false" ? false : value),
  z.boolean({ error: saying("neither true nor false", "write one of them") }),
);
