import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  flag,
  listOf,
  mapOf,
  mistakes,
  object,
  oneOf,
  required,
  type Shape,
  text,
  textThat,
  whole,
} from "../plugins/protocol/shape.ts";
import { type Properties, secret, unknown } from "../plugins/protocol/values.ts";

const shape: Shape = {
  name: required(text),
  port: whole(1, 65_535),
  on: flag,
  kind: oneOf(["a", "b"]),
  list: listOf(text),
  map: mapOf(text),
  inner: object({ host: required(text) }),
  digits: textThat((value) => /^\d+$/.test(value), "digits"),
};

describe("inputs that do not follow their shape", () => {
  const cases: [inputs: Properties, expected: Record<string, string>][] = [
    [{ name: "x" }, {}],
    [{}, { name: "Missing required field 'name'" }],
    [{ name: null }, { name: "Missing required field 'name'" }],
    [{ name: 1 }, { name: "expected a string, got 1" }],
    [{ name: "x", port: 0 }, { port: "expected a whole number from 1 to 65535, got 0" }],
    [{ name: "x", port: 1.5 }, { port: "expected a whole number from 1 to 65535, got 1.5" }],
    [{ name: "x", on: "true" }, { on: 'expected true or false, got "true"' }],
    [{ name: "x", kind: "c" }, { kind: 'expected one of a, b, got "c"' }],
    [{ name: "x", list: ["a", 1] }, { "list[1]": "expected a string, got 1" }],
    [{ name: "x", list: {} }, { list: "expected a list, got an object" }],
    [{ name: "x", map: { k: [] } }, { "map.k": "expected a string, got a list" }],
    [{ name: "x", inner: {} }, { "inner.host": "Missing required field 'host'" }],
    [
      { name: "x", inner: { host: "h", proxy: {} } },
      {
        "inner.proxy": "'proxy' is not implemented by this stand-in for the plugin; it knows host",
      },
    ],
  ];
  for (const [inputs, expected] of cases)
    it(JSON.stringify(inputs), () => assert.deepEqual(mistakes(shape, inputs), expected));

  it("an unknown field is refused by its name", () =>
    assert.match(
      mistakes(shape, { name: "x", nmae: "y" }).nmae ?? "",
      /'nmae' is not implemented/,
    ));
  it("what is not known yet is accepted", () =>
    assert.deepEqual(
      mistakes(shape, { name: unknown, port: secret(unknown), inner: unknown }),
      {},
    ));
  it("a secret is not shown", () =>
    assert.deepEqual(mistakes(shape, { name: "x", digits: secret("hunter2") }), {
      digits: "expected digits, got a secret",
    }));
});
