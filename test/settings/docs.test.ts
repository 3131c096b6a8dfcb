import assert from "node:assert/strict";
import { parse } from "yaml";
import { z } from "zod";
import { schema } from "../../settings/settings.ts";
import { read } from "../support/settings.ts";

/** A setting's place, such as `controllers[].name`, what it is, and what it is where it is left out. */
interface Described {
  readonly place: string;
  readonly kind: string;
  /** Undefined where it must be given, or follows from something else. */
  readonly default: unknown;
}

/** Every setting of a group, and of the groups and lists in it. */
function described(group: z.ZodObject, above = ""): Described[] {
  return Object.entries(group.shape).flatMap(([name, setting]) => {
    const place = above + name;
    const value = setting instanceof z.ZodDefault || setting instanceof z.ZodPrefault;
    const inner = withoutDefault(setting);
    const item = inner instanceof z.ZodArray ? inner.element : inner;
    const inside = inner instanceof z.ZodArray ? `${place}[].` : `${place}.`;
    return [
      { place, kind: kindOf(inner), default: value ? setting.def.defaultValue : undefined },
      ...(item instanceof z.ZodObject ? described(item, inside) : []),
    ];
  });
}

function withoutDefault(setting: unknown): unknown {
  return setting instanceof z.ZodDefault ||
    setting instanceof z.ZodPrefault ||
    setting instanceof z.ZodOptional
    ? withoutDefault(setting.def.innerType)
    : setting;
}

/** The word for it in the document. */
function kindOf(setting: unknown): string {
  if (setting instanceof z.ZodPipe) {
    const { in: from, out: to } = setting.def;
    return kindOf(from instanceof z.ZodTransform ? to : from);
  }
  if (setting instanceof z.ZodString || setting instanceof z.ZodEnum) return "Text";
  if (setting instanceof z.ZodNumber) return "Whole number";
  if (setting instanceof z.ZodBoolean) return "`true` or `false`";
  if (setting instanceof z.ZodArray) return "List";
  if (setting instanceof z.ZodRecord) return "Names";
  if (setting instanceof z.ZodObject) return "Group";
  throw new Error(`there is no word for ${setting}`);
}

/** A default as it stands in the document; undefined for nothing at all. */
function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return shown(value[0]);
  if (typeof value !== "object" || value === null) return `${value}`;
  const [line] = Object.entries(value).map(([name, one]) => `${name}: ${JSON.stringify(one)}`);
  return line;
}

const all = described(schema);

describe("docs/settings.md", () => {
  const sections = [...read("docs/settings.md").matchAll(/^##+ (\S+)\n\n((?:.+\n)+)/gm)].map(
    ([, place = "", text = ""]) => ({ place, text: text.replaceAll("\n", " ") }),
  );
  const textOf = (place: string) => sections.find((section) => section.place === place)!.text;

  it("has a heading for each setting", () =>
    assert.deepEqual(
      sections.map(({ place }) => place),
      all.map(({ place }) => place),
    ));

  /** Sections that leave that to another one, or tell what a group as a whole is about. */
  const leavesItOut = ({ place, kind }: Described) =>
    /^(As|The same for) /.test(textOf(place)) ||
    (kind === "Group" && !/^Group/.test(textOf(place)));

  it("tells what each is", () => {
    for (const setting of all)
      if (!leavesItOut(setting))
        assert.ok(
          textOf(setting.place).startsWith(setting.kind),
          `${setting.place} ${setting.kind}`,
        );
  });
  it("tells the default of each", () => {
    for (const setting of all) {
      if (leavesItOut(setting)) continue;
      const [, told] = /^[^.]*?\bdefault `([^`]*)`/.exec(textOf(setting.place)) ?? [];
      assert.equal(told, shown(setting.default), setting.place);
    }
  });
});

describe("Pulumi.yaml", () => {
  const { config } = parse(read("Pulumi.yaml")) as {
    config: Record<string, { description?: string; default: unknown }>;
  };

  it("describes each setting at the top", () => {
    assert.deepEqual(Object.keys(config), Object.keys(schema.shape));
    assert.ok(Object.values(config).every(({ description }) => description));
  });
  it("names every setting of a group", () => {
    for (const { place } of all) {
      const [top = "", ...steps] = place.split(/\[?\]?\./);
      const name = steps.at(-1);
      const { description, default: value } = config[top]!;
      const text = `${description} ${JSON.stringify(value)}`;
      if (name) assert.match(text, new RegExp(`\\b${name}\\b`), place);
    }
  });
  it("has the default of each", () => {
    for (const [name, field] of Object.entries(schema.shape)) {
      const written = config[name]?.default;
      if (written !== "") assert.deepEqual(field.parse(written), field.parse(undefined), name);
      else assert.equal(field.parse(undefined), undefined, name);
    }
  });
});
