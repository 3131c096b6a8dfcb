import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { platforms } from "../../stacks/platforms.ts";
import { read, root } from "../support/settings.ts";

describe("a platform", () => {
  const names = Object.keys(platforms);
  const folders = ["components", "networks", "node", "services", "settings"];
  const files = folders.flatMap((folder) =>
    readdirSync(join(fileURLToPath(root), folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => `${folder}/${file}`),
  );

  it("is a folder", () => {
    const entries = readdirSync(new URL("stacks", root), { withFileTypes: true });
    const found = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), found.sort());
  });
  it("is named by nothing outside of its folder, which asks it instead", () => {
    const named = new RegExp(`"(${names.join("|")})"|stacks/(${names.join("|")})/`);
    assert.ok(files.includes("settings/load.ts"));
    for (const file of [...files, "index.ts"]) assert.doesNotMatch(read(file), named, file);
  });
});
