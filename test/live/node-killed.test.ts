import assert from "node:assert/strict";
import type { File } from "../../node/description.ts";
import { describeDownloads } from "../../node/downloads.ts";
import {
  applyAndWait,
  describeOnMachine,
  done,
  file,
  invocation,
  killedAt,
  machine,
  node,
  service,
  show,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node killed while it applied", () => {
  const files = (word: string): File[] =>
    ["first", "second", "third"].map((name) => file(`/etc/killed/${name}`, { text: `${word}\n` }));

  it("before the restart is mended by the next, be it one that goes back", async () => {
    const one = (word: string) => service("killed", files(word));
    await applyAndWait(one("old"));
    for (const next of ["new", "old"]) {
      const before = await invocation("killed");
      await killedAt("systemctl", "restart*", one("new"));
      await done(node("check", one("new")));
      assert.equal(await invocation("killed"), before);
      await applyAndWait(one(next));
      assert.notEqual(await invocation("killed"), before);
      await applyAndWait(one("old"));
    }
  });

  it("before systemd knew its unit is mended by the next", async () => {
    const one = service("killed", files("new"), { Service: { Nice: "3" } });
    await killedAt("systemctl", "daemon-reload", one);
    await applyAndWait(one);
    assert.equal(await show("Nice", "killed"), "3");
  });

  it("among its files leaves nothing of them behind, whichever comes next", async () => {
    const before = service("killed", files("new"));
    const more = file("/etc/killed/more/fourth");
    const after = service("killed", [...files("new"), more]);
    for (const [program, pattern] of [
      ["chmod", "*fourth*"],
      ["mv", "*fourth"],
      ["systemctl", "restart*"],
    ] as const)
      for (const next of [before, after]) {
        await applyAndWait(before);
        await killedAt(program, pattern, service("killed", [...files("newest"), more]));
        await applyAndWait(next);
        await done(node("check", next));
        assert.equal(
          await machine.output("cd /etc/killed; find . -type f -printf '%P\\n' | sort"),
          next === before ? "first\nsecond\nthird" : "first\nmore/fourth\nsecond\nthird",
        );
      }
  });

  it("while it downloaded leaves nothing behind after the next", async () => {
    await machine.output("mkdir -p /opt/kthw/.work.4999999 && touch /opt/kthw/.work.4999999/part");
    await done(machine.run("kthw-node fetch", describeDownloads([])));
    assert.equal(await machine.output("find /opt/kthw -name '.work.*'"), "");
  });

  it("at the first time is removed without a trace", async () => {
    const one = service("stillborn", [file("/etc/stillborn/file")]);
    await killedAt("mv", "*/file", one);
    await done(node("remove", one));
    assert.equal(await machine.output("find /etc /var/lib/kthw -name '*stillborn*'"), "");
  });
});
