import assert from "node:assert/strict";
import type { File } from "../../node/description.ts";
import {
  apply,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  machine,
  node,
  service,
  unitPath,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node check", () => {
  const checked = (...names: string[]) => {
    const files = names.map((name) => file(`/etc/checked/${name}`));
    const directories = ["folder", "lost"].map((name) => ({
      path: `/etc/checked/${name}`,
      mode: "0700",
      owner: "root:root",
    }));
    return service("checked", files, { directories });
  };

  it("names all that differs, and changes nothing", async () => {
    const names = ["content", "longer", "mode", "owner", "missing", "link", "same"];
    const right = checked(...names);
    await apply(checked(...names, "superfluous"));
    await machine.output(`cd /etc/checked
        echo y >content; echo xx >longer; chmod 0600 mode; chown www-data owner; rm missing
        mv link elsewhere; ln -s elsewhere link; chmod 0755 folder; rmdir lost
        systemctl stop checked`);
    for (const _ of ["first", "second"]) {
      const { code, stdout, stderr } = await node("check", right);
      assert.deepEqual(stdout.trimEnd().split("\n").sort(), [
        "/etc/checked/content: content",
        "/etc/checked/folder: mode or owner",
        "/etc/checked/link: missing",
        "/etc/checked/longer: content",
        "/etc/checked/lost: missing",
        "/etc/checked/missing: missing",
        "/etc/checked/mode: mode or owner",
        "/etc/checked/owner: mode or owner",
        "/etc/checked/superfluous: superfluous",
        "checked.service: not running",
      ]);
      assert.deepEqual({ code, stderr }, { code: 1, stderr: "" });
    }
    await apply(right);
    await done(node("check", right));
  });

  it("names timers that do not run, and what they started last if it failed", async () => {
    const ticking = (...more: File[]) =>
      service("ticking", [
        file(unitPath("tick").replace(/service$/, "timer"), {
          text: "[Timer]\nOnActiveSec=1h\n\n[Install]\nWantedBy=timers.target\n",
          live: true,
        }),
        file(unitPath("tick"), {
          text: "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo no room; exit 1'\n",
          live: true,
        }),
        ...more,
      ]);
    await apply(ticking());
    assert.equal(await machine.output("systemctl is-active tick.timer"), "active");
    await done(node("check", ticking()));
    await machine.output("systemctl start tick.service || true; systemctl stop tick.timer");
    const { stdout } = await fails(node("check", ticking()));
    assert.equal(stdout, "tick.timer: not running\ntick.service: failed: no room\n");
    // An apply starts it again, and without the timer's file there is none.
    await apply(ticking());
    assert.equal(await machine.output("systemctl is-active tick.timer"), "active");
    await apply(service("ticking"));
    assert.equal(await machine.output("systemctl is-active tick.timer || true"), "inactive");
  });

  it("names everything where nothing was placed", async () => {
    const { stdout } = await fails(node("check", service("never", [file("/etc/never")])));
    assert.equal(
      stdout,
      `${unitPath("never")}: missing\n/etc/never: missing\nnever.service: not running\n`,
    );
    assert.equal(await exists("/var/lib/kthw/services/never"), false);
  });
});
