/** Made-up values, as the plugin random makes them. */
import { randomInt } from "node:crypto";
import { hash } from "bcryptjs";
import type { Plugin } from "./protocol/provider.ts";
import { anything, flag, mapOf, required, type Shape, whole } from "./protocol/shape.ts";
import { type Properties, secret, unknown } from "./protocol/values.ts";

const sets = {
  lower: "abcdefghijklmnopqrstuvwxyz",
  upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  numeric: "0123456789",
  special: "!@#$%&*()-_=+[]{}<>:?",
} as const;

/** All characters that a password may have. */
const allowed = (inputs: Properties): string =>
  Object.entries(sets)
    .map(([name, set]) => (inputs[name] === false ? "" : set))
    .join("");

const kinds: Shape = Object.fromEntries(Object.keys(sets).map((name) => [name, flag]));
const defaults: Properties = {
  ...Object.fromEntries(Object.keys(sets).map((name) => [name, true])),
  ...{ minLower: 0, minUpper: 0, minNumeric: 0, minSpecial: 0 },
};

/** The plugin random 4.21.2. */
export const provider: Plugin = {
  name: "random",
  version: "4.21.2",
  resources: {
    "random:index/randomPassword:RandomPassword": {
      inputs: { keepers: mapOf(anything), length: required(whole(1)), ...kinds },
      refuse: (inputs): Record<string, string> =>
        allowed(inputs) === "" ? { length: "at least one kind of character must be allowed" } : {},
      replaces: () => true,
      plan: () => ({ result: unknown, bcryptHash: unknown }),
      create: async (inputs) => {
        const from = allowed(inputs);
        const characters = Array.from({ length: Number(inputs.length) }, () =>
          from.charAt(randomInt(from.length)),
        );
        const result = characters.join("");
        const bcryptHash = await hash(result.slice(0, 72), 10);
        const outputs = {
          ...defaults,
          ...inputs,
          number: inputs.numeric ?? true,
          result: secret(result),
          bcryptHash: secret(bcryptHash),
        };
        return { id: "none", outputs };
      },
    },
  },
};
