import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Bundle, File } from "../../node/description.ts";
import { describeDownloads } from "../../node/downloads.ts";
import {
  active,
  applyAndWait,
  describeAny,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  invocation,
  machine,
  node,
  service,
  text,
} from "./support/node-tests.ts";

/** A text for kthw-node as version 1 wrote it: without its first and last line. */
const version1 = (whole: string) => `${whole.split("\n").slice(1, -2).join("\n")}\n`;

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");

/** All that lies where descriptions place files, or where they are recorded. */
const everything = () =>
  machine.output(
    "find /etc /opt /usr/local /var/lib/kthw -printf '%p %i %C@ %T@ %m %u:%g\\n' 2>/dev/null | sort",
  );

describeOnMachine("kthw-node reads a description that", () => {
  const key = "/etc/reader/pki/server.key";
  const bundle = (word: string): Bundle => ({
    name: "reader",
    files: [file(key, { text: `${word}\n`, mode: "0600" })],
  });
  const reader = (more: Parameters<typeof service>[2] = {}) =>
    service("reader", [file("/etc/reader/file")], {
      directories: [{ path: "/var/lib/reader", mode: "0700", owner: "root:root" }],
      reads: [key, "/etc/reader/pki"],
      ...more,
    });

  it("is cut off, wherever that is, and changes nothing", async () => {
    await applyAndWait(bundle("one"));
    await applyAndWait(reader());
    const before = [await everything(), await invocation("reader")];
    for (const [verb, whole] of [
      ["apply", describeAny(bundle("two"))],
      ["apply --wait", describeAny(reader({ requires: ["true"], health: "test -e /run" }))],
      ["check", describeAny(reader())],
      ["remove", describeAny(bundle("two"))],
      ["fetch", describeDownloads([{ kind: "link", path: "/usr/local/bin/a", target: "/b" }])],
    ] as const) {
      // What lacks nothing but its last newline is whole.
      const { stdout, stderr } = await machine.run(
        `cat >/run/whole; size=$(stat -c %s /run/whole)
        for ((count = 0; count < size - 1; count++)); do
          ! head -c $count /run/whole | kthw-node ${verb} || echo "$count of $size bytes were taken"
        done`,
        whole,
      );
      assert.equal(stdout, "", verb);
      const said = stderr.trimEnd().split("\n");
      assert.equal(said.length, whole.length - 1, verb);
      for (const one of said) assert.match(one, /^kthw-node: .*; nothing was changed$/);
      assert.deepEqual([await everything(), await invocation("reader")], before);
    }
  });

  it("is of a later version and changes nothing", async () => {
    const before = await everything();
    const later = describeAny(bundle("three")).replace("kthw 2", "kthw 3");
    await fails(
      machine.run("kthw-node apply", later),
      /^kthw-node: the version on standard input must be one of 1 to 2, got kthw 3; nothing was changed$/m,
    );
    assert.equal(await everything(), before);
  });

  it("is of version 1: is applied, checked and removed", async () => {
    for (const one of [bundle("former"), service("former", [file("/etc/former/file")])]) {
      const former = version1(describeAny(one));
      for (const verb of ["apply", "check"]) await done(machine.run(`kthw-node ${verb}`, former));
      await done(node("check", one));
      await done(machine.run("kthw-node remove", former));
    }
    assert.equal(await active("former"), false);
    assert.equal(await exists("/etc/former"), false);
  });

  it("is recorded by hashes: of a bundle as version 1 made it, of what a service was started with", async () => {
    const one = service("hashed", [file("/etc/hashed/live", { live: true })], {
      reads: ["/etc/reader/pki"],
    });
    await applyAndWait(bundle("hashed"));
    await applyAndWait(one);
    assert.equal(
      await machine.output("readlink /var/lib/kthw/bundles/reader/current"),
      sha256(version1(describeAny(bundle("hashed")))),
    );
    const [{ path, text: unit }] = one.files as [File];
    const depends = [`${one.unit}\n`, `${path}\n${unit}`, `${sha256("hashed\n")}  ${key}\n`];
    const started = `texts ${sha256(depends.join(""))}`;
    assert.equal(await text("/var/lib/kthw/services/hashed/started"), started);
  });

  it("has the content of one of version 1: restarts nothing, and leaves the bundle's folder", async () => {
    await done(machine.run("kthw-node apply", version1(describeAny(bundle("same")))));
    await done(machine.run("kthw-node apply --wait", version1(describeAny(reader()))));
    const applied = "/var/lib/kthw/services/reader/applied";
    await machine.output(`cat >${applied}`, version1(describeAny(reader())));
    const look = async () => [
      await machine.output("find /etc /var/lib/kthw/bundles -printf '%p %i %C@ %T@\\n' | sort"),
      await text("/var/lib/kthw/services/reader/started"),
      await invocation("reader"),
    ];
    const before = await look();
    await applyAndWait(bundle("same"));
    await applyAndWait(reader());
    assert.deepEqual(await look(), before);
    assert.equal(await text(applied), describeAny(reader()));
  });

  it("breaks a service whose record is of version 1: the record is applied again", async () => {
    const before = reader();
    await applyAndWait(before);
    const record = version1(describeAny(before));
    await machine.output("cat >/var/lib/kthw/services/reader/applied", record);
    await fails(
      node("apply --wait", reader({ health: "false", timeoutSeconds: 1 })),
      /^The previous files are back, and the service is healthy with them\.$/m,
    );
    await done(node("check", before));
  });

  it("does not get healthy, with a record of the same in version 1: has nothing to put back", async () => {
    const one = service("unwell", [], { health: "test -e /run/well", timeoutSeconds: 2 });
    await machine.output("touch /run/well");
    await applyAndWait(one);
    await machine.output(
      "cat >/var/lib/kthw/services/unwell/applied; rm /run/well /var/lib/kthw/services/unwell/started",
      version1(describeAny(one)),
    );
    const { stderr } = await fails(node("apply --wait", one), /is not healthy: test -e/);
    assert.doesNotMatch(stderr, /previous/);
  });

  it("is a list of downloads of version 1: is fetched", async () => {
    const link = { kind: "link", path: "/usr/local/bin/linked", target: "/bin/true" } as const;
    await done(machine.run("kthw-node fetch", version1(describeDownloads([link]))));
    assert.equal(await machine.output("readlink /usr/local/bin/linked"), "/bin/true");
  });
});
