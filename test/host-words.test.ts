import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { mirrorFiles } from "../components/downloads.ts";
import { runProgram } from "./support/program.ts";

describe("what the settings name of existing hosts", () => {
  let folder: string;
  let exports: Record<string, unknown>;
  let key: string;
  let mirror: string;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-words-"));
    const odd = path.join(folder, 'it\'s "mine" $HOME `id` \\ key');
    mkdirSync(odd);
    key = path.join(odd, "id");
    mirror = path.join(odd, "mirror #1");
    for (const file of mirrorFiles("1.36.4", "amd64")) {
      mkdirSync(path.dirname(path.join(mirror, file)), { recursive: true });
      writeFileSync(path.join(mirror, file), "");
    }
    const sums = mirrorFiles("1.36.4", "amd64").map((file) => `${"0".repeat(64)}  ${file}\n`);
    writeFileSync(path.join(mirror, "SHA256SUMS"), sums.join(""));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    ({ exports } = await runProgram({
      settings: (settings) => {
        settings.artifacts = { mirror };
        settings.platform = "hosts";
        settings.hosts = {
          privateKeyFile: key,
          user: "jane.doe",
          jumpBox: { host: "bastion.example.com", user: "Jump_1" },
        };
      },
    }));
    writeFileSync(path.join(folder, "ssh"), `#!/bin/sh\nprintf '%s\\0' "$@"\n`, { mode: 0o755 });
  });
  after(() => rmSync(folder, { recursive: true }));

  /** What the program ssh is given by a shell. */
  const given = (command: string) => {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
    return execFileSync("sh", ["-c", command], { env, encoding: "utf8" }).split("\0").slice(0, -1);
  };

  it("reaches ssh as it is, from the shell and through the jump box", () => {
    const [{ ssh }] = exports.machines as [{ ssh: string }];
    const words = given(ssh);
    // Without a key in the settings, the first key that a host shows is accepted, by the ssh to the jump box too.
    const anyKey = ["-o", "StrictHostKeyChecking=accept-new"];
    const proxy = words[7]!.replace(/^ProxyCommand=/, "");
    assert.deepEqual(words, [
      ...["-p", "22", "-i", key, ...anyKey],
      ...["-o", `ProxyCommand=${proxy}`, "jane.doe@10.240.0.10"],
    ]);
    assert.deepEqual(given(proxy.replaceAll("%%", "%")), [
      ...["-p", "22", "-i", key, ...anyKey, "-W", "%h:%p", "Jump_1@bastion.example.com"],
    ]);
  });

  it("is an address without blanks for downloads", () => {
    assert.match(exports.mirror as string, /^file:\/\/\/\S+$/);
    assert.equal(fileURLToPath(exports.mirror as string), mirror);
  });
});
