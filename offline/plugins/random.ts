/** Made-up values, as the plugin random makes them. */
import { randomBytes, randomInt } from "node:crypto";
import type { Made, Plugin, Resource } from "./protocol/provider.ts";
import { anything, flag, mapOf, required, type Shape, text, whole } from "./protocol/shape.ts";
import { type Properties, secret, unknown } from "./protocol/values.ts";

const made = (
  inputs: Shape,
  outputs: readonly string[],
  create: (inputs: Properties) => Made,
  refuse?: Resource["refuse"],
): Resource => ({
  inputs: { keepers: mapOf(anything), ...inputs },
  ...(refuse && { refuse }),
  replaces: () => true,
  plan: () => Object.fromEntries(outputs.map((key) => [key, unknown])),
  create: async (inputs) => create(inputs),
});

const lower = "abcdefghijklmnopqrstuvwxyz";

/** The sets of characters that a string is made of, each with how many it must have at least. */
const sets = (inputs: Properties): [set: string, least: number][] => {
  const { minLower = 0, minUpper = 0, minNumeric = 0, minSpecial = 0 } = inputs;
  const all: [boolean, string, number][] = [
    [inputs.lower !== false, lower, Number(minLower)],
    [inputs.upper !== false, lower.toUpperCase(), Number(minUpper)],
    [inputs.numeric !== false, "0123456789", Number(minNumeric)],
    [
      inputs.special !== false,
      String(inputs.overrideSpecial ?? "!@#$%&*()-_=+[]{}<>:?"),
      Number(minSpecial),
    ],
  ];
  return all.filter(([used]) => used).map(([, set, least]) => [set, least]);
};

const pick = (from: string): string => from.charAt(randomInt(from.length));

function shuffle(list: string[]): string[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

/** The plugin random 4.21.2. */
export const provider: Plugin = {
  name: "random",
  version: "4.21.2",
  resources: {
    "random:index/randomBytes:RandomBytes": made(
      { length: required(whole(1)) },
      ["base64", "hex"],
      (inputs) => {
        const bytes = randomBytes(Number(inputs.length));
        const base64 = bytes.toString("base64");
        return {
          id: base64,
          outputs: { base64: secret(base64), hex: secret(bytes.toString("hex")) },
        };
      },
    ),
    "random:index/randomId:RandomId": made(
      { byteLength: required(whole(1)), prefix: text },
      ["b64Std", "b64Url", "dec", "hex"],
      (inputs) => {
        const bytes = randomBytes(Number(inputs.byteLength));
        const before = String(inputs.prefix ?? "");
        const hex = bytes.toString("hex");
        const id = bytes.toString("base64url");
        return {
          id,
          outputs: {
            b64Std: before + bytes.toString("base64"),
            b64Url: before + id,
            dec: before + BigInt(`0x${hex}`).toString(),
            hex: before + hex,
          },
        };
      },
    ),
    "random:index/randomString:RandomString": made(
      {
        length: required(whole(1)),
        lower: flag,
        upper: flag,
        numeric: flag,
        special: flag,
        overrideSpecial: text,
        minLower: whole(0),
        minUpper: whole(0),
        minNumeric: whole(0),
        minSpecial: whole(0),
      },
      ["result"],
      (inputs) => {
        const used = sets(inputs);
        const all = used.map(([set]) => set).join("");
        const chosen = used.flatMap(([set, least]) =>
          Array.from({ length: least }, () => pick(set)),
        );
        while (chosen.length < Number(inputs.length)) chosen.push(pick(all));
        const result = shuffle(chosen).join("");
        return { id: result, outputs: { result } };
      },
      (inputs): Record<string, string> => {
        const used = sets(inputs);
        if (used.every(([set]) => set === ""))
          return { length: "at least one kind of character must be allowed" };
        return used.reduce((sum, [, least]) => sum + least, 0) > Number(inputs.length)
          ? { length: "is smaller than the sum of the least numbers of each kind" }
          : {};
      },
    ),
  },
};
