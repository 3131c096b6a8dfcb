import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { output } from "../../operations/access/command.ts";
import { read } from "../support/settings.ts";

/** The fields of a class or interface, by name, each with its type; a question mark is for one that may be left out. */
type Fields = Readonly<Record<string, string>>;

/** Types by name. */
type Types = ReadonlyMap<string, Fields>;

/** What sdks/libvirt declares for callers. */
function declared(): Types {
  const file = ts.createSourceFile(
    "index.d.ts",
    read("sdks/libvirt/index.d.ts"),
    ts.ScriptTarget.ESNext,
  );
  const entries = file.statements.filter(ts.isInterfaceDeclaration).map((type) => {
    const fields = type.members.filter(ts.isPropertySignature).map((field) => {
      const text = field.type!.getText(file).replaceAll(/\s|pulumi\./g, "");
      return [field.name.getText(file), `${text}${field.questionToken ? "?" : ""}`];
    });
    return [type.name.text.replace(/Args$/, ""), Object.fromEntries(fields)] as const;
  });
  return new Map(entries);
}

const words: Readonly<Record<string, string>> = { str: "string", int: "number", bool: "boolean" };

/** What the Python package has, in the same form. */
function published(folder: string): Types {
  const modules = ["provider", "network", "pool", "volume", "cloud_init_disk", "domain", "_inputs"];
  const text = modules.map((name) => readFileSync(join(folder, `${name}.py`), "utf8")).join("\n");
  const types = text.matchAll(/^class (\w+)Args:\n +def __init__\(__self__, \*,\n(.*?)\):\n/gms);
  return new Map(
    [...types].map(([, name, list]) => {
      const fields = [...list!.matchAll(/(\w+): (.*?)( = None)?(,\n|$)/g)].map(
        ([, field, type, left]) => [
          field!.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
          typescript(type!, left !== undefined),
        ],
      );
      return [name!, Object.fromEntries(fields)];
    }),
  );
}

function typescript(python: string, isLeftOut: boolean): string {
  const inner = isLeftOut ? /^Optional\[(.*)\]$/.exec(python)![1]! : python;
  const translated = (type: string): string => {
    const [, kind, item] = /^(?:pulumi\.)?(Input|Sequence)\[(.*)\]$/.exec(type) ?? [];
    if (kind === "Input") return `Input<${translated(item!)}>`;
    if (kind === "Sequence") return `${translated(item!)}[]`;
    return words[type] ?? type.replace(/^'(.*?)(Args)?'$/, "$1");
  };
  return `${translated(inner)}${isLeftOut ? "?" : ""}`;
}

describe("the package @pulumi/libvirt of this project", function () {
  this.timeout(300_000);
  let folder: string;

  // PyPI has a package of the same version for Python, which is made from the schema of the provider.
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "kthw-pypi-"));
    await output("/usr/bin/python3", ["-m", "venv", join(folder, "venv")]);
    const python = join(folder, "venv/bin/python");
    const { version } = JSON.parse(read("sdks/libvirt/package.json")) as { version: string };
    const wanted = ["--no-deps", "--only-binary", ":all:", `pulumi-libvirt==${version}`];
    await output(python, ["-m", "pip", "download", "--quiet", "--dest", folder, ...wanted]);
    const wheel = join(folder, `pulumi_libvirt-${version}-py3-none-any.whl`);
    await output(python, ["-m", "zipfile", "--extract", wheel, folder]);
  });
  after(() => rmSync(folder, { recursive: true }));

  it("declares what the published one has, with the same types", () => {
    const ours = declared();
    const theirs = published(join(folder, "pulumi_libvirt"));
    assert.ok(ours.size >= 14, `${ours.size} types`);
    for (const [name, fields] of ours) {
      const known = theirs.get(name);
      assert.ok(known, name);
      for (const [field, type] of Object.entries(fields))
        assert.equal(type, known[field], `${name}.${field}`);
    }
  });

  it("leaves out nothing that must be given", () => {
    const ours = declared();
    for (const [name, fields] of published(join(folder, "pulumi_libvirt")))
      for (const [field, type] of Object.entries(fields))
        if (ours.has(name) && !type.endsWith("?"))
          assert.ok(field in ours.get(name)!, `${name}.${field}`);
  });

  it("has the same kinds of resources, and names the same plugin", () => {
    const tokens = [...read("sdks/libvirt/index.js").matchAll(/"(libvirt:index\/.*?)"/g)];
    assert.equal(tokens.length, 5);
    const modules = ["network", "pool", "volume", "cloud_init_disk", "domain"].map((name) =>
      readFileSync(join(folder, "pulumi_libvirt", `${name}.py`), "utf8"),
    );
    for (const [, token] of tokens)
      assert.ok(
        modules.some((text) => text.includes(`'${token}'`)),
        token,
      );
    const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
    const { pulumi, version } = json(read("sdks/libvirt/package.json"));
    const theirs = json(readFileSync(join(folder, "pulumi_libvirt/pulumi-plugin.json"), "utf8"));
    assert.deepEqual(pulumi, theirs);
    assert.match(read("sdks/libvirt/index.js"), new RegExp(`^const version = "${version}";$`, "m"));
  });
});
