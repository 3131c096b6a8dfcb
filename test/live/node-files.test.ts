import assert from "node:assert/strict";
import fc from "fast-check";
import { describeService } from "../../node/description.ts";
import {
  active,
  apply,
  applyAndWait,
  applyWhile,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  instead,
  invocation,
  machine,
  node,
  service,
  show,
  text,
  unitPath,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node places", () => {
  describe("files", () => {
    it("appear with mode and owner, and the folders above them", async () => {
      const one = service("placed", [
        file("/etc/placed/deep/file", { mode: "0640", owner: "www-data:adm" }),
        file("/usr/local/libexec/placed/run", { mode: "0755" }),
        file("/at-the-root/file"),
      ]);
      await apply(one);
      assert.equal(
        await machine.output(`stat --format='%a %U:%G' /etc/placed{/deep/file,/deep,} \\
          /usr/local/libexec{/placed/run,/placed,} /at-the-root`),
        ["640 www-data:adm", ...Array(6).fill("755 root:root")].join("\n"),
      );
      await done(node("remove", one));
      assert.equal(await machine.output("ls -d /etc/placed /at-the-root || true"), "");
    });

    it("arrive byte for byte", async () => {
      const fragment = fc.constantFrom(
        ..."service x|file /etc/x 0644 root:root|unit x|\n|  |\t|'|\"|\\|\\n|\\\\|$HOME|$(id)|`id`|%s%n|%|\r|é☸\u{1f600}|*|~|!|#|;|&|<<E|x"
          .split("|")
          .concat("\n", "\n", "|", "\u0001", "\u007f", "\u2028"),
      );
      const texts = fc.sample(
        fc.array(fragment, { maxLength: 40 }).map((all) => all.map((one) => `${one}`).join("")),
        { numRuns: 60, seed: 1 },
      );
      const files = ["", "\n", "\n\n\n", "\n  x\n\n", " \n", "\r\n", "-n\n", ...texts]
        .map((one) => (one === "" || one.endsWith("\n") ? one : `${one}\n`))
        .map((one, index) => ({ path: `/etc/bytes/${index}`, text: one }));
      const one = service("bytes", files);
      await apply(one);
      await done(node("check", one));
      await done(machine.run("kthw-node check", describeService(one).trimEnd()));
      const found = await machine.output(
        `cd /etc/bytes; for ((i = 0; i < ${files.length}; i++)); do base64 --wrap=0 $i; echo; done`,
      );
      assert.deepEqual(
        found.split("\n").map((one) => Buffer.from(one, "base64").toString()),
        files.map((one) => one.text),
      );
    });

    it("change at once: a reader never sees a part of one", async () => {
      const path = "/etc/at-once/file";
      const rest = { mode: "0600", owner: "www-data:adm", live: true };
      const one = (count: number) =>
        service("at-once", [
          { path, text: `${"ab"[count % 2]!.repeat(63)}\n`.repeat(500), ...rest },
        ]);
      await apply(one(1));
      await applyWhile(
        `last= changes=0 reads=0
        until ((changes > 8 && reads > 100)); do
          IFS= read -r -d '' text <${path}
          [[ \${#text} == 32000 && ($text != *a* || $text != *b*) ]] || echo "a part of \${#text} bytes"
          ((++reads % 20)) || [[ $(stat --format='%a %U:%G' ${path}) == "600 www-data:adm" ]] ||
            echo "another mode or owner"
          [[ $last == "\${text::1}" ]] || ((++changes))
          last=\${text::1}
        done`,
        one,
      );
    });

    it("stay as they are in a rerun, and so does the service", async () => {
      const one = service("rerun", [file("/etc/rerun/file")], {
        directories: [{ path: "/etc/rerun/folder", mode: "0750", owner: "www-data:adm" }],
        users: ["rerun"],
        reads: ["/etc/rerun/folder"],
      });
      await applyAndWait(one);
      const look = async () => [
        await machine.output(
          "find /etc /usr/local /var/lib/kthw -printf '%p %i %C@ %T@ %m %u:%g\\n' | sort",
        ),
        await invocation("rerun"),
      ];
      const before = await look();
      await apply(one);
      await applyAndWait(one);
      assert.deepEqual(await look(), before);
    });

    it("that left the list are removed, and the folders made for them", async () => {
      const kept = file("/etc/left/kept");
      const more = file(`${unitPath("left")}.d/more.conf`, { text: "[Service]\nNice=5\n" });
      await apply(service("left", [kept, file("/etc/left/below/gone"), more]));
      assert.equal(await show("Nice", "left"), "5");
      await apply(service("left", [kept]));
      assert.equal(await machine.output("ls -A /etc/left"), "kept");
      assert.equal(await exists(`${unitPath("left")}.d`), false);
      assert.equal(await show("Nice", "left"), "0");
    });

    it("stay when another service has them by now", async () => {
      const moved = file("/etc/moved/file");
      await apply(service("mover", [moved]));
      await apply(service("taker", [moved]));
      await apply(service("mover"));
      await done(node("check", service("taker", [moved])));
    });

    it("of services that are placed side by side share folders and users", async () => {
      const all = ["side1", "side2", "side3"].map((name) =>
        service(name, [file(`/etc/side/by/${name}`, { owner: "side:side" })], {
          users: ["side"],
          directories: [{ path: "/etc/side/by", mode: "0755", owner: "root:root" }],
        }),
      );
      await Promise.all(all.map(apply));
      const slowly = `[[ "$*" != "-rf /var/lib/kthw/services/"* ]] || sleep 1\nexec $program "$@"`;
      await instead("rm", slowly, () => Promise.all(all.map((one) => done(node("remove", one)))));
      assert.equal(await exists("/etc/side"), false);
    });

    it("are not touched by a description with a header that is not known", async () => {
      const odd = "service odd\nfile /etc/odd 0644 root:root\n  x\nodd line\n";
      await fails(
        machine.run("kthw-node apply", odd),
        /unknown header in the description: odd line/,
      );
      assert.equal(await exists("/etc/odd"), false);
    });

    it("that cannot be placed are told", async () => {
      const one = service("under", [file("/etc/hostname/file")]);
      await fails(node("apply", one), /cannot create directory.*hostname/);
    });
  });

  describe("a user", () => {
    it("gets a group of its name, be it there already", async () => {
      await machine.output("useradd --system --gid nogroup lonely");
      await apply(service("grouped", [], { users: ["lonely", "fresh"] }));
      assert.equal(
        await machine.output("id -gn fresh; getent group lonely | cut -d: -f1"),
        "fresh\nlonely",
      );
    });
  });

  describe("a requirement", () => {
    it("lets a service be placed where it is met", async () => {
      await apply(service("met", [], { requires: ["test -e /etc/passwd", "true"] }));
      assert.ok(await active("met"));
    });

    it("that is not met says why, before anything is changed", async () => {
      const before = service("unmet", [file("/etc/unmet/before")]);
      await apply(before);
      const start = await invocation("unmet");
      const after = service("unmet", [file("/etc/unmet/after")], {
        requires: ["true", "{ echo needs ip_vs; false; }"],
        users: ["unmet"],
        packages: ["nowhere"],
      });
      await fails(node("apply --wait", after), /^unmet on m1: needs ip_vs$/m);
      assert.deepEqual(
        [await exists("/etc/unmet/before"), await exists("/etc/unmet/after")],
        [true, false],
      );
      assert.notEqual((await machine.run("id unmet")).code, 0);
      assert.equal(await invocation("unmet"), start);
      await done(node("check", before));
    });
  });

  describe("a package", () => {
    const installing = (script: string) =>
      instead("apt-get", `echo "$DEBIAN_FRONTEND $(umask) $*" >>/run/apt-get\n${script}`, () =>
        node("apply", service("packaged", [], { packages: ["nginx", "nowhere"] })),
      );

    it("is installed, also when the machine is busy with its own updates", async () => {
      const held = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1";
      await done(
        installing(`[[ $1 == install && ! -e /run/held ]] || exit 0
          touch /run/held; echo "${held}" >&2; exit 100`),
      );
      const once = [
        "noninteractive 0022 update -qq",
        "noninteractive 0022 install -y -qq --no-install-recommends nowhere",
      ];
      assert.deepEqual((await text("/run/apt-get")).trimEnd().split("\n"), [...once, ...once]);
    });

    it("brings no service of its own, unless that was there before", async () => {
      const one = service("masking", [], {
        packages: ["nowhere"],
        masks: ["nowhere.service", "cron-like.service"],
      });
      await machine.output(
        "printf '[Service]\\nExecStart=true\\n' >/etc/systemd/system/cron-like.service",
      );
      await instead("apt-get", "exit 0", () => done(node("apply", one)));
      assert.equal(await machine.output("systemctl is-enabled nowhere.service || true"), "masked");
      assert.equal(
        await machine.output("systemctl is-enabled cron-like.service || true"),
        "static",
      );
    });

    it("that cannot be installed is told, with the reason", async () => {
      await fails(
        installing("echo E: Unable to locate package nowhere; exit 100"),
        /^kthw-node: could not install nowhere on m1: .*\bE: Unable to locate package nowhere$/ms,
      );
    });
  });
});
