import assert from "node:assert/strict";
import type { File } from "../../node/description.ts";
import {
  apply,
  applyAndWait,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  invocation,
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

  it("is what a repair puts right, which touches nothing that is as described", async () => {
    const right = checked("content", "mode", "same");
    await applyAndWait(right);
    const first = await invocation("checked");
    await done(node("repair", right));
    assert.equal(await invocation("checked"), first);
    await machine.output("cd /etc/checked; echo y >content; chmod 0600 mode; rmdir lost");
    const repaired = await node("repair", right);
    assert.deepEqual(
      [repaired.code, repaired.stdout, repaired.stderr],
      [0, "checked.service: started anew\n", ""],
    );
    await done(node("check", right));
    const second = await invocation("checked");
    assert.notEqual(second, first);
    await machine.output("chmod 0755 /etc/checked/folder");
    await done(node("repair", right));
    await done(node("check", right));
    assert.equal(await invocation("checked"), second);
  });

  it("names units that are disabled, masked or not healthy, and a repair puts them right", async () => {
    const right = service("told", [], { health: "test ! -e /run/told-sick" });
    await applyAndWait(right);
    const saysAndRepairs = async (script: string, ...names: string[]) => {
      await machine.output(script);
      const { stdout } = await node("check", right);
      assert.deepEqual(stdout.trimEnd().split("\n"), names);
      await node("repair", right);
      await done(node("check", right));
    };
    await saysAndRepairs("systemctl disable --quiet told", "told.service: disabled");
    await saysAndRepairs(
      "ln -sf /dev/null /etc/systemd/system/told.service; systemctl daemon-reload; systemctl stop told",
      "/etc/systemd/system/told.service: missing",
      "told.service: not running",
    );
    await saysAndRepairs(
      "systemctl stop told && rm /etc/systemd/system/told.service && systemctl daemon-reload",
      "/etc/systemd/system/told.service: missing",
      "told.service: not running",
    );
    const before = await invocation("told");
    await machine.output("touch /run/told-sick; (sleep 2; rm /run/told-sick) >/dev/null 2>&1 &");
    await done(node("repair", right));
    assert.equal(await invocation("told"), before, "what mends itself is left alone");
  });

  it("names a program that was replaced since it was started, and a repair starts it anew", async () => {
    const binary = "/opt/kthw/slept/1/sleep";
    const right = service("slept", [], { Service: { ExecStart: `${binary} infinity` } });
    await machine.output(`install -D /bin/sleep ${binary}`);
    await applyAndWait(right);
    await machine.output(`cp ${binary} ${binary}.new; mv ${binary}.new ${binary}`);
    await done(node("check", right));
    await machine.output(
      `(cat ${binary}; echo) >${binary}.new; chmod 755 ${binary}.new; mv ${binary}.new ${binary}`,
    );
    assert.equal((await node("check", right)).stdout, `slept.service: runs another ${binary}\n`);
    assert.equal((await node("repair", right)).stdout, "slept.service: started anew\n");
    await done(node("check", right));
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
