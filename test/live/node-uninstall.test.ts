import assert from "node:assert/strict";
import {
  active,
  apply,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  instead,
  killedAt,
  machine,
  node,
  service,
  text,
  unitPath,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node uninstall", () => {
  it("leaves nothing but what is worth something, and says so", async () => {
    const script = await text("/usr/local/bin/kthw-node");
    await machine.output(
      "rm -rf /var/lib/kthw/{services,bundles}/* /var/lib/kthw/{masked,users,kept,packages}",
    );
    await machine.output(
      "mkdir -p /opt/kthw/x/1 && ln -s /opt/kthw/x/1/x /usr/local/bin/x && ln -s /bin/true /usr/local/bin/y",
    );
    const one = service("going", [], {
      users: ["going", "gone"],
      packages: ["nowhere"],
      masks: ["nothing.service"],
      directories: [{ path: "/var/lib/going", mode: "0700", owner: "going:going" }],
    });
    await instead("apt-get", "exit 0", () => apply(one));
    await machine.output(
      "printf '%s\\n' /nowhere /opt/kthw/empty >/var/lib/kthw/kept; mkdir /opt/kthw/empty",
    );
    await machine.output("install -o going /dev/null /var/lib/going/worth");
    await done(node("remove", one));
    // Pulumi knows nothing of these where the connection was lost before they had ended.
    await apply(service("last", [file("/etc/last/file")]));
    await apply({ name: "last", files: [file("/etc/last/key")] });
    await killedAt("systemctl", "enable*", service("half", [file("/etc/half/file")]));
    await fails(node("apply", service("unable", [], { requires: ["false"] })), /unable on m1/);
    await machine.output("mkdir /var/lib/kthw/other");
    const { code, stdout } = await instead("apt-mark", "echo $* >/run/apt-mark", () =>
      machine.run("kthw-node uninstall", script),
    );
    assert.equal(code, 0);
    assert.equal(
      stdout,
      [
        "kept on m1: /var/lib/going",
        "kept on m1: the user going, to whom /var/lib/going belongs",
        "kept on m1: the packages nowhere, which apt-get autoremove removes unless something else needs them",
        "",
      ].join("\n"),
    );
    assert.equal(await text("/run/apt-mark"), "auto nowhere\n");
    assert.equal(await machine.output("ls /var/lib/kthw"), "other");
    assert.equal(await active("last"), false);
    for (const path of [
      unitPath("last"),
      unitPath("half"),
      "/etc/last",
      "/etc/half",
      "/opt/kthw",
      "/usr/local/bin/x",
      "/usr/local/bin/kthw-node",
    ])
      assert.equal(await exists(path), false, path);
    assert.equal(await exists("/usr/local/bin/y"), true);
    assert.notEqual((await machine.run("id gone")).code, 0);
    assert.equal((await machine.run("id going")).code, 0);
    assert.notEqual(await machine.output("systemctl is-enabled nothing.service || true"), "masked");
  });
});
