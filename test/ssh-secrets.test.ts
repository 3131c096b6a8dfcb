import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { answersOf, askingOurs } from "../node/askpass.ts";
import { asRoot, withoutSudo } from "../node/become-root.ts";
import { download, onMachine, upload } from "../operations/access/shell.ts";
import { shellMachines } from "../operations/access/stack.ts";
import { keysOfAgent, opensKey } from "../stacks/ssh-programs.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const odd = `it's "50 %" of $HOME \\ `;

describe("secrets of SSH", () => {
  let folder: string;
  let key: string;
  const { PATH, SSH_AUTH_SOCK } = process.env;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-ssh-"));
    key = path.join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", odd, "-f", key]);
    // An ssh that runs the command here, and notes its words and the passphrase that it is told.
    program("ssh", [
      `printf '%s\\n' "$*" >'${folder}/words'`,
      `[ -z "$SSH_ASKPASS" ] || "$SSH_ASKPASS" "Enter passphrase for key '$2': " >'${folder}/told'`,
      'for command; do :; done; exec sh -c "$command"',
    ]);
    // A sudo that wants a password, which a program tells, and hands on nothing but what it is told to.
    program("sudo", [
      '[ "$1 $2" = "-A -p" ] || { echo "sudo: a password is required" >&2; exit 1; }',
      `[ "$("$SUDO_ASKPASS" "$3")" = "$(cat '${folder}/password')" ] || exit 1`,
      'shift 3; exec "$@"',
    ]);
    writeFileSync(path.join(folder, "password"), odd);
    process.env["PATH"] = `${folder}:${PATH}`;
  });
  beforeEach(() => rmSync(path.join(folder, "told"), { force: true }));
  after(() => {
    process.env["PATH"] = PATH;
    if (SSH_AUTH_SOCK === undefined) delete process.env["SSH_AUTH_SOCK"];
    else process.env["SSH_AUTH_SOCK"] = SSH_AUTH_SOCK;
    rmSync(folder, { recursive: true });
  });

  const program = (name: string, lines: readonly string[]) =>
    writeFileSync(path.join(folder, name), `#!/bin/sh\n${lines.join("\n")}\n`, { mode: 0o755 });
  const noted = (file: string) => readFileSync(path.join(folder, file), "utf8");

  describe("a passphrase", () => {
    it("opens its own key", () => {
      assert.equal(opensKey(key, odd), true);
      assert.equal(opensKey(key, "another"), false);
    });
    it("is told for the key that is asked for, and for no other", () => {
      const env = { ...process.env, ...askingOurs(answersOf({ "/k/id": "one", "/k/id2": odd })) };
      const told = (question: string) =>
        spawnSync(env["SSH_ASKPASS"]!, [question], { env, encoding: "utf8" }).stdout;
      assert.equal(told("Enter passphrase for key '/k/id': "), "one\n");
      assert.equal(told("Enter passphrase for key '/k/id2': "), `${odd}\n`);
      assert.equal(told("Enter passphrase for key '/k/other': "), "");
      assert.equal(told("jane@bastion's password: "), "");
    });
    it("reaches ssh where it waits for a machine to boot", () => {
      const env = {
        ...process.env,
        KTHW_SSH: `ssh -i ${key}`,
        KTHW_PASSPHRASES: answersOf({ [key]: odd }),
      };
      const { status } = spawnSync("stacks/answers.sh", ["cp1", "1"], { cwd: root, env });
      assert.equal(status, 0);
      assert.equal(noted("told"), `${odd}\n`);
      assert.doesNotMatch(noted("words"), /BatchMode=yes/);
    });
  });

  describe("an agent", () => {
    it("is asked how many keys it has, if there is one", () => {
      delete process.env["SSH_AUTH_SOCK"];
      assert.equal(keysOfAgent(), undefined);
      const socket = path.join(folder, "agent");
      const said = execFileSync("ssh-agent", ["-s", "-a", socket], { encoding: "utf8" });
      const [, pid] = /SSH_AGENT_PID=(\d+)/.exec(said)!;
      try {
        process.env["SSH_AUTH_SOCK"] = socket;
        assert.equal(keysOfAgent(), 0);
        const env = { ...process.env, ...askingOurs(answersOf({ [key]: odd })) };
        // ssh-add asks without quotes.
        env["KTHW_PASSPHRASES"] = `${key}\n${odd}`;
        execFileSync("ssh-add", ["-q", key], { env, stdio: "ignore" });
        assert.equal(keysOfAgent(), 1);
      } finally {
        process.kill(Number(pid));
      }
    });
  });

  describe("a password of sudo", () => {
    const withPassword = { sudo: true, secrets: { sudoPassword: odd } };

    it("is in no command line, and leaves standard input to the command", () => {
      const line = `${asRoot(withPassword)}sh -c 'cat; env'`;
      assert.doesNotMatch(line, /50/);
      const env = { PATH: process.env["PATH"], LC_KTHW_SUDO: odd };
      const { status, stdout } = spawnSync("sh", ["-c", line], {
        env,
        input: "text\n",
        encoding: "utf8",
      });
      assert.equal(status, 0);
      assert.match(stdout, /^text\n/);
      assert.ok(!stdout.includes(odd), "the command inherits the password");
    });
    it("is not asked of root, nor where sudo asks for none", () => {
      assert.equal(asRoot({ sudo: false }), "");
      assert.equal(asRoot({ sudo: true }), "sudo -n ");
    });
    it("does not hide what a command is", () => {
      for (const machine of [{ sudo: false }, { sudo: true }, withPassword])
        assert.equal(withoutSudo(`${asRoot(machine)}kthw-node fetch`), "kthw-node fetch");
    });
  });

  describe("a machine with both", () => {
    const machine = () => ({
      name: "cp1",
      ssh: `ssh -i ${key} ada@cp1`,
      secrets: { sudoPassword: odd, passphrases: { [key]: odd } },
    });

    it("runs scripts as root, which do not see them", async () => {
      const { code, stdout } = await onMachine(machine(), "cat; env; echo done");
      assert.equal(code, 0);
      assert.equal(noted("told"), `${odd}\n`);
      assert.match(stdout, /^done$/m);
      assert.doesNotMatch(stdout, /^LC_KTHW_SUDO=/m);
      assert.ok(!noted("words").includes(odd));
    });
    it("takes and gives files", async () => {
      const [here, there, back] = ["here", "there", "back"].map((name) => path.join(folder, name));
      writeFileSync(here!, "content\n");
      const { username } = userInfo();
      await upload(machine(), here!, { path: there!, owner: username });
      assert.equal(noted("there"), "content\n");
      await download(machine(), there!, back!);
      assert.equal(noted("back"), "content\n");
    });
    it("gets nothing of a file that is not there", async () => {
      const to = path.join(folder, "none");
      await assert.rejects(
        upload(machine(), "/nowhere", { path: to, owner: "root" }),
        /cp1 did not take \/nowhere/,
      );
      assert.equal(existsSync(to), false);
    });
    it("tells a wrong password", async () => {
      const { secrets, ...rest } = machine();
      const wrong = { ...rest, secrets: { ...secrets, sudoPassword: "wrong" } };
      assert.equal((await onMachine(wrong, "true")).code, 1);
    });
    it("is found in the state that shows them", () => {
      const { secrets, ...rest } = machine();
      const host = (shown: object) => ({
        urn: "urn",
        type: "kthw:index:Host",
        outputs: { ...rest, secrets: shown },
      });
      const plaintext = JSON.stringify(secrets);
      assert.deepEqual(shellMachines([host({ plaintext })]), [machine()]);
      assert.deepEqual(shellMachines([host({ ciphertext: "v1:x" })]), [rest]);
    });
  });
});
