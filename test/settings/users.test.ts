import assert from "node:assert/strict";
import { changed, mistakes } from "../support/settings.ts";

describe("the user who logs in to hosts", () => {
  for (const user of ["root", "jane.doe", "Jane_Doe", "ci-runner", "_apt", "4ever", ".hidden"])
    it(`may be ${user}`, () => {
      const raw = changed({ "hosts.user": user, "hosts.jumpBox": { host: "b", user } });
      assert.deepEqual(mistakes(raw), []);
    });

  for (const user of [
    "-oProxyCommand=x",
    "a b",
    "a;b",
    "a$b",
    "jane@corp",
    "1000",
    "..",
    "",
    "a".repeat(33),
  ])
    it(`may not be ${JSON.stringify(user)}`, () =>
      assert.match(
        mistakes(changed({ "hosts.user": user }))[0]!,
        /^hosts\.user: not the name of a user, got .*; use up to 32 letters, .* like jane\.doe$/,
      ));
});
