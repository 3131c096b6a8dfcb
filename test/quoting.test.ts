import assert from "node:assert/strict";
import fc from "fast-check";
import { commandLine } from "../services/systemd.ts";

/** The arguments that systemd makes of a command: systemd.service(5), "Command lines", and systemd.syntax(7), "Quoting". */
function argumentsOf(command: string): string[] {
  const joined = command.replaceAll("\\\n", " ");
  const words = joined.matchAll(/"((?:[^"\\]|\\.)*)"(?=\s|$)|(\S+)/gu);
  return [...words].flatMap(([, quoted, bare]) => {
    if (bare === ";") return [];
    assert.ok(bare === undefined || !/["'\\]/.test(bare), `${bare} is not as it is written`);
    const bytes = (quoted ?? bare!).replaceAll(
      /(?:\\x[0-9a-f]{2})+|\\(["\\])/g,
      (escaped, letter) =>
        letter ?? Buffer.from(escaped.replaceAll("\\x", ""), "hex").toString("utf8"),
    );
    const unspecified = bytes.replaceAll(/%(.)/g, (_, letter) =>
      letter === "%" ? "%" : "SPECIFIER",
    );
    return [unspecified.replaceAll(/\$(\$|\w+|\{\w+\})/g, (_, name) => (name === "$" ? "$" : ""))];
  });
}

describe("a flag in a unit", () => {
  for (const [value, written] of [
    ["2h", "--x=2h"],
    ["", "--x="],
    ["node*=2,pod*=3", "--x=node*=2,pod*=3"],
    ["2h 30m", '"--x=2h 30m"'],
    ["a b='c' \"d\" $HOME ; z", '"--x=a b=\'c\' \\"d\\" $$HOME ; z"'],
    [";", "--x=;"],
    ["2 --profiling=true", '"--x=2 --profiling=true"'],
    ["it's", '"--x=it\'s"'],
    ["C:\\", '"--x=C:\\\\"'],
    ["$HOME", "--x=$$HOME"],
    ["%n of 100%", '"--x=%%n of 100%%"'],
    ["a\tb", '"--x=a\\x09b"'],
    ["größe", "--x=größe"],
  ] as const)
    it(`whose value is ${JSON.stringify(value)} is written ${written}`, () => {
      assert.equal(commandLine("/bin/x", { x: value }), `/bin/x \\\n  ${written}`);
    });

  it("that is given several times is there several times, in that order", () => {
    assert.equal(
      commandLine("/bin/x", { x: ["b", "a c"], y: true }),
      '/bin/x \\\n  --x=b \\\n  "--x=a c" \\\n  --y=true',
    );
  });

  it("is one argument, whatever its value", () => {
    const letters = fc.constantFrom(..." \t\"'\\$%;{}#=-aé\u0001");
    const values = fc.string({
      unit: fc.oneof(letters, fc.string({ minLength: 1, maxLength: 1 })),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(values, fc.array(values))), (all) => {
        const flags = Object.fromEntries(all.map((value, index) => [`f${index}`, value]));
        const expected = Object.entries(flags).flatMap(([flag, value]) =>
          [value].flat().map((one) => `--${flag}=${one}`),
        );
        assert.deepEqual(argumentsOf(commandLine("/bin/x", flags)), ["/bin/x", ...expected]);
      }),
    );
  });
});
