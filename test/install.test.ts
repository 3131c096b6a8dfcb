import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

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
