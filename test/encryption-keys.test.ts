import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  type EncryptionKey,
  encryptedPrefix,
  encryptionPath,
  encryptionScript,
  encryptionSecret,
} from "../services/encryption-keys.ts";
import { describedBy, type Graph, machineOf, runProgram, secretMark } from "./support/program.ts";

const key1: EncryptionKey = { name: "key1", provider: "aescbc" };
const key2: EncryptionKey = { name: "key2", provider: "secretbox" };
const controllers = ["cp1", "cp2", "cp3"];

describe("encryption keys in the program", () => {
  const program = async (number: number, keys: EncryptionKey[], former: EncryptionKey[]) => {
    const of = (name: string) => [
      `urn::${name}`,
      { type: "pulumi:index:Stash", outputs: { input: { keys: former, number: number - 1 } } },
    ];
    const { graph } = await runProgram({
      settings: (settings) => {
        settings.encryptionKeys = keys;
      },
      state: Object.fromEntries(["encryption-keys:begun", "encryption-keys:confirmed"].map(of)),
    });
    return graph;
  };
  const textOn = (graph: Graph, machine: string) =>
    describedBy(graph.command(`${machine}:control-plane-pki`))!.files.find(
      ({ path }) => path === encryptionPath,
    )!.text;
  const stash = (graph: Graph, name: string) => {
    const found = graph.ofType("pulumi:index:Stash").find((one) => one.name === name);
    assert.ok(found, name);
    return found;
  };
  const secretOf = (name: string) => encryptionSecret(`${secretMark} encryption-${name}`);
  let added: Graph;
  let promoted: Graph;

  before(async () => {
    added = await program(1, [key1, key2], [key1]);
    promoted = await program(2, [key2, key1], [key1, key2]);
  });

  it("reach every controller in their order, each with 32 bytes of its own", () => {
    for (const machine of controllers) {
      const text = textOn(promoted, machine);
      assert.match(text, /^# Step 2\n/);
      const order = [...text.matchAll(/(secretbox|aescbc|identity|secret): ?(\S*)/g)];
      assert.deepEqual(
        order.map(([, word, value]) => `${word} ${value}`.trim()),
        ["secretbox", `secret ${secretOf("key2")}`, "aescbc", `secret ${secretOf("key1")}`].concat(
          "identity {}",
        ),
      );
    }
    assert.equal(Buffer.from(secretOf("key2"), "base64").length, 32);
  });
  it("restart no API server", () => {
    for (const machine of controllers) {
      const [one, other] = [added, promoted].map(
        (graph) => graph.command(`${machine}:kube-apiserver`).inputs,
      );
      assert.deepEqual(other, one);
    }
  });
  it("are waited for on each API server, and named where that is done", () => {
    for (const machine of controllers)
      assert.match(
        String(promoted.command(`${machine}:control-plane-healthy`).inputs.create),
        /encryption-keys loaded # step 2: key2 \(secretbox\), key1 \(aescbc\)'$/,
      );
  });
  it("are remembered as begun before any file changes", () => {
    const begun = stash(promoted, "encryption-keys:begun");
    assert.deepEqual(begun.inputs.input, { keys: [key2, key1], number: 2 });
    assert.deepEqual(begun.ignoreChanges, []);
    for (const machine of controllers)
      assert.ok(promoted.awaited(promoted.command(`${machine}:control-plane-pki`)).has(begun));
  });
  it("have all Secrets encrypted anew once every API server has them, and are confirmed after that", () => {
    const rewritten = promoted.command("cp1:secrets-rewritten");
    assert.match(
      String(rewritten.inputs.create),
      /^kthw-node wait kube-apiserver --within 300 --until '.*encryption-keys rewrite \/opt\/kthw\/etcd\/\S+\/etcdctl k8s:enc:secretbox:v1:key2: # step 2, etcd generation 1'$/,
    );
    for (const machine of controllers)
      assert.ok(promoted.waits(rewritten.name, `${machine}:control-plane-healthy`), machine);
    const confirmed = stash(promoted, "encryption-keys:confirmed");
    assert.deepEqual(confirmed.inputs.input, { keys: [key2, key1], number: 2 });
    assert.ok(promoted.awaited(confirmed).has(rewritten));
  });
  it("need no rewriting where there is one, and are confirmed all the same", async () => {
    const retired = await program(3, [key2], [key2, key1]);
    assert.ok(!retired.commands().some(({ name }) => name.endsWith(":secrets-rewritten")));
    const awaited = retired.awaited(stash(retired, "encryption-keys:confirmed"));
    for (const machine of controllers)
      assert.ok(awaited.has(retired.command(`${machine}:control-plane-healthy`)), machine);
    for (const { name } of retired.commands()) assert.notEqual(machineOf(name), "");
    assert.doesNotMatch(textOn(retired, "cp1"), /key1/);
  });
});

describe("the script of encryption keys", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "kthw-keys-"));
  const file = (name: string) => path.join(folder, name);
  const program = (name: string, text: string) => {
    writeFileSync(file(name), `#!/bin/bash\n${text}`);
    chmodSync(file(name), 0o755);
  };
  const hex = (text: string) =>
    [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync("bash", [file("encryption-keys"), ...args], {
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
      encoding: "utf8",
    });
    return { status, said: stdout + stderr };
  };
  /** What etcd holds, by the names of Secrets. */
  const store = (values: ReadonlyMap<string, string>) =>
    writeFileSync(
      file("etcd"),
      [...values]
        .map(([name, value]) => `${hex(`/registry/secrets/${name}`)}\n${hex(value)}\n`)
        .sort()
        .join(""),
    );
  const many = (count: number, value: string) =>
    new Map(Array.from({ length: count }, (_, index) => [`default/secret-${index}`, value]));
  const [old, now] = [encryptedPrefix(key1), encryptedPrefix(key2)];

  before(() => {
    const text = encryptionScript.text.replaceAll(encryptionPath, file("encryption.yaml"));
    program("encryption-keys", text);
    writeFileSync(file("encryption.yaml"), "the keys\n");
    program("sleep", "");
    // Prints a page of what is stored, from a key on.
    program(
      "etcdctl",
      `[[ -e ${file("etcd")} ]] || { echo "etcd is down" >&2; exit 1; }
      from=$(printf %s "\${@: -4:1}" | od -An -v -tx1 | tr -d '\\n' | sed 's/ /\\\\x/g')
      FROM=$from awk 'NR % 2 { on = $0 >= ENVIRON["FROM"] } on && count < 200 { print; count++ }' ${file("etcd")}`,
    );
    // Answers for the metrics, or encrypts the Secrets whose addresses stand on standard input by the new key.
    program(
      "curl",
      `if [[ "$*" == */metrics ]]; then cat ${file("metrics")}; exit; fi
      while read -r line; do
        [[ $line =~ namespaces/(.*)/secrets/(.*)\\" ]] || continue
        name=\${BASH_REMATCH[1]}/\${BASH_REMATCH[2]}
        if [[ $name == *stubborn ]]; then echo "403 https://$name "; else
          echo "200 https://$name "; echo "progress" >&2; echo "$name" >>${file("written")}
        fi
      done
      [[ ! -e ${file("written")} ]] || node ${file("encrypt.mjs")}`,
    );
    writeFileSync(
      file("encrypt.mjs"),
      `import { readFileSync, writeFileSync } from "node:fs";
      const hex = (text) => [...Buffer.from(text)].map((byte) => "\\\\x" + byte.toString(16).padStart(2, "0")).join("");
      const written = new Set(readFileSync("${file("written")}", "utf8").trim().split("\\n").map((name) => hex("/registry/secrets/" + name)));
      const lines = readFileSync("${file("etcd")}", "utf8").split("\\n");
      const value = hex("${now}new");
      writeFileSync("${file("etcd")}", lines.map((line, i) => (i % 2 === 1 && written.has(lines[i - 1]) ? value : line)).join("\\n"));`,
    );
  });
  beforeEach(() => rmSync(file("written"), { force: true }));
  after(() => rmSync(folder, { recursive: true }));
  const written = () => readFileSync(file("written"), "utf8").trim().split("\n").sort();

  it("writes what another key has encrypted, or none, on every page of etcd, and nothing else", () => {
    const all = many(250, `${now}fine`);
    const others = ["default/secret-7", "default/secret-249", "kube-system/plain", "a/longer"];
    all.set("default/secret-7", `${old}x`).set("default/secret-249", `${old}\n\0y`);
    all.set("kube-system/plain", "k8s\0\n").set("a/longer", "k8s:enc:secretbox:v1:key22:x");
    store(all);
    assert.deepEqual(run("rewrite", file("etcdctl"), now), { status: 0, said: "" });
    assert.deepEqual(written(), others.sort());
  });
  it("writes nothing where all is encrypted by the first key", () => {
    store(many(3, `${now}fine`));
    assert.deepEqual(run("rewrite", file("etcdctl"), now), { status: 0, said: "" });
    assert.throws(written);
  });
  it("names a Secret that the API server does not write, and what it says", () => {
    store(many(3, `${old}x`).set("default/stubborn", `${old}x`));
    const { status, said } = run("rewrite", file("etcdctl"), now);
    assert.equal(status, 1);
    assert.equal(
      said,
      `1 Secrets do not begin with ${now} in etcd, default/stubborn among them; the API server said: 403 https://default/stubborn \n`,
    );
  });
  it("does not take an etcd that fails for an empty one", () => {
    rmSync(file("etcd"), { force: true });
    assert.deepEqual(run("rewrite", file("etcdctl"), now), { status: 1, said: "etcd is down\n" });
  });
  it("tells whether the API server has loaded the file as it is", () => {
    const info = (hash: string) =>
      writeFileSync(
        file("metrics"),
        `apiserver_encryption_config_controller_last_config_info{apiserver_id_hash="sha256:1",hash="sha256:${hash}"} 1\n`,
      );
    const sum = spawnSync("sha256sum", [file("encryption.yaml")], { encoding: "utf8" }).stdout;
    info(sum.slice(0, 64));
    assert.deepEqual(run("loaded"), { status: 0, said: "" });
    info("0".repeat(64));
    assert.match(
      run("loaded").said,
      /^kube-apiserver has not loaded .*encryption.yaml as it is now; /,
    );
    writeFileSync(file("metrics"), "");
    const { status, said } = run("loaded");
    assert.equal(said, "kube-apiserver does not say which encryption keys it has loaded\n");
    assert.equal(status, 1);
  });
});
