import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  bare,
  below,
  changes,
  clean,
  hasUnknown,
  markedLike,
  property,
  secret,
  unknown,
} from "../plugins/protocol/values.ts";

describe("changes", () => {
  const found = (old: never, now: never) => Object.fromEntries(changes(old, now));
  const cases: [name: string, old: unknown, now: unknown, expected: Record<string, string>][] = [
    ["equal values", { a: [1, { b: "x" }] }, { a: [1, { b: "x" }] }, {}],
    ["a changed leaf", { a: { b: 1 } }, { a: { b: 2 } }, { "a.b": "update" }],
    ["an added item", { a: [1] }, { a: [1, 2] }, { "a[1]": "add" }],
    ["a removed field", { a: 1, b: 2 }, { a: 1 }, { b: "delete" }],
    ["null as absent", { a: null }, {}, {}],
    ["another type", { a: "1" }, { a: { b: 1 } }, { a: "update" }],
    ["a key with dots", {}, { "a.b/c": 1 }, { '["a.b/c"]': "add" }],
    ["what is not known yet", { a: "x" }, { a: unknown }, { a: "update" }],
  ];
  for (const [name, old, now, expected] of cases)
    it(name, () => assert.deepEqual(found(old as never, now as never), expected));
});

describe("below", () => {
  const cases: [path: string, above: string[], expected: boolean][] = [
    ["spec.selector.matchLabels.app", ["spec.selector"], true],
    ["spec.selectors", ["spec.selector"], false],
    ["spec", ["spec.selector"], false],
    ["triggers[3].x", ["triggers[*]"], true],
    ["list[1]", ["list[2]"], false],
    ['metadata.labels["a.b/c"]', ['metadata.labels["a.b/c"]'], true],
    ["anything", [], false],
  ];
  for (const [path, above, expected] of cases)
    it(`${path} in ${above.join()}: ${expected}`, () => assert.equal(below(path, above), expected));
  it("a path begins with a property", () => {
    assert.equal(property("spec.list[0].x"), "spec");
    assert.equal(property('["a.b"].c'), "a.b");
  });
});

describe("marks of secrecy", () => {
  it("are taken off everywhere", () =>
    assert.deepEqual(bare({ a: [secret("x")], b: secret({ c: secret(1) }) }), {
      a: ["x"],
      b: { c: 1 },
    }));
  it("are put where the model has them", () =>
    assert.deepEqual(
      markedLike({ a: "1", b: { c: "2", d: "3" } }, { a: secret("x"), b: { d: secret("y") } }),
      {
        a: secret("1"),
        b: { c: "2", d: secret("3") },
      },
    ));
  it("cover a whole list, since its items may move", () =>
    assert.deepEqual(markedLike({ a: ["1", "2"] }, { a: ["x", secret("y")] }), {
      a: secret(["1", "2"]),
    }));
  it("do not hide what is unknown", () => {
    assert.equal(hasUnknown({ a: [secret(unknown)] }), true);
    assert.equal(hasUnknown({ a: [secret("known")] }), false);
  });
});

it("the engine's own fields and absent ones are dropped", () =>
  assert.deepEqual(clean({ a: 1, b: null, version: "1", __defaults: [] }), { a: 1 }));
