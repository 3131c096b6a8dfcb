import assert from "node:assert/strict";
import {
  active,
  apply,
  applyAndWait,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  machine,
  node,
  service,
  show,
  text,
  unitPath,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node remove", () => {
  it("leaves nothing of a service but its data, and may be repeated", async () => {
    // The folders that all services have in common.
    await apply(service("earlier"));
    await done(node("remove", service("earlier")));
    const traces =
      "find / -xdev \\( -path /var/log -o -path /usr/share -o -path /usr/lib \\) -prune -o ! -path '/root/*' -print | sort";
    await machine.output(`${traces} >/run/traces`);
    const one = service("passing", [file("/etc/passing/a/b")], {
      directories: [
        { path: "/var/lib/passing", mode: "0700", owner: "root:root" },
        { path: "/etc/passing/empty", mode: "0700", owner: "root:root" },
      ],
    });
    await applyAndWait(one);
    const process = await show("MainPID", "passing");
    await machine.output("echo data >/var/lib/passing/data");
    for (const _ of ["first", "second"]) {
      await done(node("remove", one));
      assert.equal(
        await machine.output(`comm -13 /run/traces <(${traces})`),
        "/var/lib/kthw/folders/%var%lib%passing\n/var/lib/kthw/kept\n/var/lib/passing\n/var/lib/passing/data",
      );
      assert.equal(await exists(`/proc/${process}`), false);
      assert.equal(await show("LoadState", "passing"), "not-found");
    }
  });

  it("takes away what it made itself, but neither what is mounted there nor what was listed as its own", async () => {
    const one = service("maker", [], {
      users: ["maker"],
      directories: [
        { path: "/var/lib/maker", mode: "0700", owner: "maker:maker" },
        { path: "/etc/maker", mode: "0755", owner: "maker:maker" },
      ],
      teardown: ["systemctl is-active --quiet maker && exit 1; echo down >>/run/maker-teardown"],
      undo: ["echo undone >>/run/maker-teardown"],
      data: ["/etc/maker", "/srv/maker", "/srv/mounted", "/srv/never"],
    });
    await apply(one);
    await machine.output(`touch /var/lib/maker/worth /etc/maker/marker
        mkdir -p /srv/maker/a/b /srv/mounted /srv/elsewhere
        touch /srv/maker/a/b/c /srv/elsewhere/kept
        mount --bind /srv/elsewhere /srv/mounted
        mkdir /srv/maker/volume && mount -t tmpfs none /srv/maker/volume`);
    await done(node("remove", one));
    assert.equal(await text("/run/maker-teardown"), "down\nundone\n");
    assert.deepEqual(
      await Promise.all(["/etc/maker", "/srv/maker", "/var/lib/maker/worth"].map(exists)),
      [false, false, true],
    );
    assert.equal(await exists("/srv/mounted"), true);
    await machine.output("umount /srv/mounted");
  });

  it("fails with what a teardown says that does not succeed, and may be repeated", async () => {
    const one = service("stuck", [], {
      teardown: ["test -e /run/unstuck || { echo busy; false; }"],
    });
    await apply(one);
    await fails(node("remove", one), /still failing on m1: test -e .*\nbusy/);
    await machine.output("touch /run/unstuck");
    await done(node("remove", one));
    assert.equal(await exists(unitPath("stuck")), false);
  });

  it("stops what runs although its files are gone", async () => {
    const one = service("gone", [file("/etc/gone/file")]);
    await apply(one);
    await machine.output(`rm -r ${unitPath("gone")} /etc/gone; systemctl daemon-reload`);
    await done(node("remove", one));
    assert.equal(await active("gone"), false);
    assert.equal(await machine.output("find /etc/systemd -name gone.service"), "");
  });

  it("spares what has another name by now", async () => {
    const one = service("renaming", [file("/etc/renaming/file")]);
    await apply(one);
    const other = { ...one, name: "another-name" };
    await apply(other);
    await done(node("remove", one));
    await done(node("check", other));
  });

  it("reads all of a long description", async () => {
    const text = `${"x".repeat(500)}\n`.repeat(1000);
    await done(node("remove", service("long", [file("/etc/long", { text })])));
    await fails(machine.run("kthw-node remove", ""), /standard input is empty/);
  });

  it("drops chains of the packet filter, and nothing else of it", async () => {
    await machine.output(`
      iptables -N KUBE-A && iptables -N KUBE-B && iptables -A KUBE-A -j KUBE-B
      iptables -A INPUT -m comment --comment "to KUBE" -j KUBE-A
      iptables -A INPUT -s 192.0.2.1 -j DROP -m comment --comment "not -j KUBE-A"
      iptables -t nat -N KUBE-C && iptables -t nat -A POSTROUTING -j KUBE-C
      iptables -N OTHER-KUBE-D && iptables -A OTHER-KUBE-D -j KUBE-B`);
    await done(machine.run("kthw-node drop-chains KUBE-"));
    assert.deepEqual(
      (await machine.output("iptables-save | grep -e '^-A' -e '^:.* - '")).split("\n"),
      [
        ":OTHER-KUBE-D - [0:0]",
        '-A INPUT -s 192.0.2.1/32 -m comment --comment "not -j KUBE-A" -j DROP',
      ],
    );
    await machine.output("iptables -F INPUT; iptables -X OTHER-KUBE-D");
  });
});
