import assert from "node:assert/strict";
import { withSection } from "./live/support/benchmarks-page.ts";

const page = "# Benchmarks\n\nWords.\n\n## One\n\nold\n\n## Tried\n\nby hand\n";

describe("the page of measurements", () => {
  it("gets a new section at its end", () => {
    assert.equal(withSection(page, "Two", "## Two\n\nnew\n"), `${page}\n## Two\n\nnew\n`);
  });
  it("gets a section anew in its place, and keeps all others", () => {
    const after = page.replace("old", "new");
    assert.equal(withSection(page, "One", "## One\n\nnew\n"), after);
  });
});
