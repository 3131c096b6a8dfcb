import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string) => readFileSync(join(root, file), "utf8");
const documents = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join("docs", file)),
];

/** The anchors of a document's headings, as GitHub and others make them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("the documents", () => {
  for (const document of documents)
    it(`${document} links to what there is`, () => {
      const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
      for (const link of links.filter((one) => !one.includes("://"))) {
        const [path, anchor] = link.split("#") as [string, string?];
        const file = path === "" ? document : join(dirname(document), path);
        assert.ok(existsSync(join(root, file)), link);
        if (anchor !== undefined) assert.ok(anchors(read(file)).includes(anchor), link);
      }
    });

  it("docs/seeds.md names files, folders and tests that there are", () => {
    const text = read("docs/seeds.md");
    const folders = "components|docs|networks|node|operations|services|settings|stacks|test";
    for (const [, path] of text.matchAll(new RegExp(`\`((?:${folders})/[^\`\\s]*)\``, "g"))) {
      const [start] = path!.split("*") as [string];
      const beside = readdirSync(join(root, dirname(`${start}x`)));
      const there = path!.includes("*")
        ? beside.some((file) => file.startsWith(basename(start)))
        : existsSync(join(root, path!));
      assert.ok(there, path);
    }
    for (const [, file] of text.matchAll(/`(\w[\w-]*\.test\.ts)`/g))
      assert.ok(existsSync(join(root, "test", file!)), file);
    for (const [, names] of text.matchAll(/live ((?:`[\w-]+`(?: \([^)]*\)| "[^"]*")*(?:, )?)+)/g))
      for (const [, name] of names!.matchAll(/`([\w-]+)`/g))
        assert.ok(existsSync(join(root, "test/live", `${name}.test.ts`)), name);
  });

  it("docs/testing.md names every test", () => {
    const text = read("docs/testing.md");
    for (const file of readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })) {
      const isTest = file.endsWith(".test.ts");
      const isNamed = text.includes(`test/${file}`) || text.includes(`test/${dirname(file)}/ `);
      assert.ok(!isTest || isNamed, file);
    }
  });
});
