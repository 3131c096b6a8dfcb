import assert from "node:assert/strict";
import { parse } from "yaml";
import { z } from "zod";
import { rawSettings } from "../../settings/load.ts";
import { schema } from "../../settings/settings.ts";
import { read, settings, written } from "../support/settings.ts";

/** Every setting's place, such as `controllers[].name`. */
function places(setting: unknown, place = ""): string[] {
  if (
    setting instanceof z.ZodDefault ||
    setting instanceof z.ZodPrefault ||
    setting instanceof z.ZodOptional
  ) {
    return places(setting.def.innerType, place);
  }
  if (setting instanceof z.ZodArray) return places(setting.element, `${place}[]`);
  if (!(setting instanceof z.ZodObject)) return [];
  return Object.entries(setting.shape).flatMap(([name, inner]) => {
    const inside = place ? `${place}.${name}` : name;
    return [inside, ...places(inner, inside)];
  });
}

describe("every setting", () => {
  it("are described one by one in Pulumi.yaml and docs/settings.md", () => {
    const { config } = parse(read("Pulumi.yaml")) as {
      config: Record<string, { description?: string }>;
    };
    assert.deepEqual(Object.keys(config), Object.keys(schema.shape));
    assert.ok(Object.values(config).every(({ description }) => description));
    const headings = read("docs/settings.md").matchAll(/^##+ (\S+)$/gm);
    assert.deepEqual(
      [...headings].map(([, heading]) => heading),
      places(schema),
    );
  });

  it("are the same with the defaults of Pulumi.yaml laid under", () => {
    const { config } = parse(read("Pulumi.yaml")) as {
      config: Record<string, { description: string; default: unknown }>;
    };
    const texts = Object.entries(config).map(([name, { default: value }]) => [
      `kthw:${name}`,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]);
    const raw = { ...rawSettings(Object.fromEntries(texts)), ...written() };
    assert.deepEqual(settings(raw), settings(written()));
  });
});
