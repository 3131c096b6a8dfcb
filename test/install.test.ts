import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Architecture,
  type KubernetesVersion,
  kubernetesVersions,
} from "../components/versions.ts";
import { mirrored } from "../install/mirrored.ts";
import { products } from "../offline/mirror/products.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("a stack's settings", () => {
  const original = readFileSync(join(root, "Pulumi.local.yaml"), "utf8");
  const salt =
    "encryptionsalt: v1:U56l0pfpCGI=:v1:Rw55rRdvF8wIqNba:NFTx7+fb7VAmpszmSeHjOu9oxcQnag==\n";
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kthw-install-"));
    cpSync(join(root, "install"), join(folder, "install"), { recursive: true });
    cpSync(join(root, "package.json"), join(folder, "package.json"));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const file = () => join(folder, "Pulumi.local.yaml");
  const settings = (stack: string) =>
    spawnSync("install/settings", {
      cwd: folder,
      env: { ...process.env, STACK: stack, KTHW_CACHE: join(folder, "cache") },
      encoding: "utf8",
    });

  it("are as they were once the salt that Pulumi adds is out of them", () => {
    writeFileSync(file(), original + salt);
    assert.equal(settings("local").status, 0);
    assert.equal(readFileSync(file(), "utf8"), original);
  });

  it("keep the salt beside a secret", () => {
    const text = `${original}  kthw:hosts:\n    privateKeyFile:\n      secure: v1:cBq4wcHsSb1fTB6W:Kp=\n${salt}`;
    writeFileSync(file(), text);
    assert.equal(settings("local").status, 0);
    assert.equal(readFileSync(file(), "utf8"), text);
  });

  it("are asked for where a stack has none", () => {
    const { status, stderr } = settings("mine");
    assert.equal(status, 1);
    assert.match(stderr, /^settings: there is no Pulumi\.mine\.yaml; .*copy Pulumi\.local\.yaml/);
  });
});

describe("what is made where nothing can be downloaded", () => {
  /** The version that a file of a Go module pins: that of its first requirement. */
  const pinned = (name: string, file = "go.mod") =>
    /^(?:require |\t)\S+ v(\S+)$/m.exec(
      readFileSync(join(root, "offline/go", name, file), "utf8"),
    )?.[1];
  const dependencies = (folder: string): Record<string, string> =>
    JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")).dependencies;

  for (const version of Object.keys(kubernetesVersions) as KubernetesVersion[]) {
    for (const architecture of ["amd64", "arm64"] satisfies Architecture[]) {
      it(`is a mirror with everything that machines ask it for: ${version} ${architecture}`, () => {
        const table = mirrored(version, architecture);
        const pieces = products(table).flatMap((product) => product.pieces);
        assert.deepEqual(
          pieces.map(({ file }) => file).sort(),
          [...table.artifacts, ...table.images].map(({ file }) => file).sort(),
        );
      });
    }
  }

  it("has the versions that the program's table has, and no others", () => {
    const inTable = new Map<string, Set<string>>();
    const add = (name: string, version: string) =>
      inTable.set(name, (inTable.get(name) ?? new Set()).add(version));
    for (const version of Object.keys(kubernetesVersions) as KubernetesVersion[]) {
      add("coredns", kubernetesVersions[version].coredns);
      for (const { name, version: its } of mirrored(version, "amd64").artifacts) add(name, its);
    }
    for (const [name, versions] of inTable) {
      const files = readdirSync(join(root, "offline/go", name)).filter((file) =>
        file.endsWith(".mod"),
      );
      const pins = files.map((file) => [file, pinned(name, file)] as const);
      assert.deepEqual(pins.map(([, version]) => version).sort(), [...versions].sort(), name);
      for (const [file, version] of pins)
        assert.ok(file === "go.mod" || file === `${version}.mod`, `${name}/${file}`);
    }
  });

  it("is mirrored for the version of the stack, or for the default where that is not supported", () => {
    const table = (version: string) => {
      const args = ["--import", "tsx", "install/mirrored.ts", version];
      return JSON.parse(spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" }).stdout);
    };
    assert.equal(table("1.37.2").kubernetesVersion, "1.37.2");
    assert.equal(table("1.18.0").kubernetesVersion, "1.36.4");
  });

  /** A dependency's version: that of its own package.json if the package is a folder of this project. */
  const versionOf = (dependency: string): string => {
    const [, folder] = /^file:(.*)$/.exec(dependency) ?? [];
    if (folder === undefined) return dependency;
    const { version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
    return version;
  };

  it("has the versions of Pulumi and its plugins that package.json pins", () => {
    const { "@pulumi/pulumi": pulumi, ...others } = dependencies(".");
    assert.equal(pinned("pulumi"), pulumi);
    assert.equal(dependencies("offline")["@pulumi/pulumi"], pulumi);
    const standIns = readFileSync(join(root, "offline/plugins/install.ts"), "utf8");
    const made = [...standIns.matchAll(/^ {2}(\w+): .*version: "(.+)"/gm)];
    assert.deepEqual(
      Object.fromEntries(made.map(([, name, version]) => [`@pulumi/${name}`, version])),
      Object.fromEntries(
        Object.entries(others)
          .filter(([name]) => name.startsWith("@pulumi/"))
          .map(([name, version]) => [name, versionOf(version)]),
      ),
    );
  });
});
