import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Bundle,
  describeBundle,
  describeService,
  type File,
  type Service,
} from "../../components/render/description.ts";
import { type Download, describeDownloads } from "../../components/render/downloads.ts";
import { type Unit, unit } from "../../components/render/systemd.ts";
import { NodeMachine } from "./support/node-machine.ts";
import type { Result } from "./support/run.ts";

let machine: NodeMachine;

/** A service that runs `sleep`, or what its unit is told to, with files of its own beside its unit. */
function service(
  name: string,
  files: readonly File[] = [],
  more: Partial<Service> & { readonly Service?: Unit["Service"] } = {},
): Service {
  const { Service: settings, ...rest } = more;
  const text = unit({
    Unit: { Description: name },
    Service: {
      ExecStart: "/bin/sleep infinity",
      Restart: "always",
      RestartSec: "100ms",
      ...settings,
    },
    Install: { WantedBy: "multi-user.target" },
  });
  return {
    name,
    unit: `${name}.service`,
    files: [{ path: unitPath(name), text }, ...files],
    ...rest,
  };
}

const unitPath = (name: string) => `/etc/systemd/system/${name}.service`;

const describeAny = (one: Service | Bundle) =>
  "unit" in one ? describeService(one) : describeBundle(one);

/** Runs kthw-node with a service or bundle. */
const node = (words: string, one: Service | Bundle): Promise<Result> =>
  machine.run(`kthw-node ${words}`, describeAny(one));

/** It must succeed, and say nothing. */
async function done(result: Promise<Result>): Promise<void> {
  const { code, stdout, stderr } = await result;
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
}

/** It must fail with a text on standard error in which all of these are found. */
async function fails(result: Promise<Result>, ...said: readonly RegExp[]): Promise<void> {
  const { code, stderr } = await result;
  assert.notEqual(code, 0, "it should have failed");
  for (const one of said) assert.match(stderr, one);
}

const apply = (one: Service | Bundle) => done(node("apply", one));
const applyAndWait = (one: Service | Bundle) => done(node("apply --wait", one));

const text = async (path: string) =>
  Buffer.from(await machine.output(`base64 ${path}`), "base64").toString();
const exists = async (path: string) =>
  (await machine.run(`[ -e ${path} ] || [ -L ${path} ]`)).code === 0;
const stat = (format: string, ...paths: string[]) =>
  machine.output(`stat --format='${format}' ${paths.join(" ")}`);
const show = (property: string, name: string) =>
  machine.output(`systemctl show --property=${property} --value ${name}.service`);
/** Another one after each start. */
const invocation = (name: string) => show("InvocationID", name);
const active = async (name: string) => (await show("ActiveState", name)) === "active";

/** Kills an apply, and all that it has started, at the moment when it runs a program with arguments that match a pattern. */
async function killedAt(program: string, pattern: string, one: Service | Bundle): Promise<void> {
  const wrapper = `/usr/local/sbin/${program}`;
  await machine.output(
    `cat >${wrapper} && chmod +x ${wrapper}`,
    `#!/bin/bash\n[[ "$*" != ${pattern} ]] || kill -KILL 0\nexec /usr/bin/${program} "$@"\n`,
  );
  const { code } = await machine.run("setsid --wait kthw-node apply", describeAny(one));
  await machine.output(`rm ${wrapper}`);
  assert.equal(code, 128 + 9, "it should have been killed");
}

describe("kthw-node on a machine", function () {
  this.timeout(60_000);

  before("a machine boots", async function () {
    this.timeout(400_000);
    machine = await NodeMachine.create();
  });

  afterEach(async function () {
    if (this.currentTest?.isFailed())
      console.log((await machine.run("journalctl --no-pager --lines=40")).stdout);
  });

  after("it is removed", () => NodeMachine.remove());

  describe("files", () => {
    it("appear with mode and owner, and the folders above them", async () => {
      await apply(
        service("placed", [
          { path: "/etc/placed/deep/down/file", text: "x\n", mode: "0640", owner: "www-data:adm" },
          { path: "/usr/local/libexec/placed/run", text: "#!/bin/sh\n", mode: "0755" },
        ]),
      );
      assert.equal(
        await stat("%a %U:%G", "/etc/placed/deep/down/file", "/usr/local/libexec/placed/run"),
        "640 www-data:adm\n755 root:root",
      );
      assert.equal(
        await stat("%a %U:%G", "/etc/placed", "/etc/placed/deep", "/usr/local/libexec"),
        Array(3).fill("755 root:root").join("\n"),
      );
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
      await apply(service("bytes", files));
      await done(node("check", service("bytes", files)));
      const found = await machine.output(
        `cd /etc/bytes; for ((i = 0; i < ${files.length}; i++)); do base64 --wrap=0 $i; echo; done`,
      );
      assert.deepEqual(
        found.split("\n").map((one) => Buffer.from(one, "base64").toString()),
        files.map((one) => one.text),
      );
    });

    it("change at once: a reader never sees a part of one", async () => {
      const one = (letter: string) =>
        service("at-once", [
          {
            path: "/etc/at-once/file",
            text: `${letter.repeat(63)}\n`.repeat(500),
            mode: "0600",
            owner: "www-data:adm",
            live: true,
          },
        ]);
      await apply(one("a"));
      const reader = machine.output(`
        for letter in a b; do
          printf -v all '%63s\\n' ''; all=\${all// /$letter}
          for ((i = 0, whole_$letter = 0; i < 500; i++)); do printf %s "$all"; done >/run/whole-$letter
        done
        a=$(</run/whole-a) b=$(</run/whole-b) reads=0
        until [[ -e /run/read-enough ]]; do
          IFS= read -r -d '' text </etc/at-once/file || true
          [[ $text == "$a"$'\\n' || $text == "$b"$'\\n' ]] || { echo "a part of \${#text} bytes"; exit; }
          [[ $((++reads % 20)) != 0 || $(stat --format='%a %U:%G' /etc/at-once/file) == "600 www-data:adm" ]] ||
            { echo "another mode or owner"; exit; }
        done
        echo $((reads > 100))`);
      for (const letter of "babababa") await apply(one(letter));
      await machine.output("touch /run/read-enough");
      assert.equal(await reader, "1");
    });

    it("stay as they are in a rerun, and so does the service", async () => {
      const one = service("rerun", [{ path: "/etc/rerun/file", text: "x\n" }], {
        directories: [{ path: "/etc/rerun/folder", mode: "0750", owner: "www-data:adm" }],
        users: ["rerun"],
        reads: ["/etc/rerun/folder"],
      });
      await apply(one);
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
      const kept: File = { path: "/etc/left/kept", text: "x\n" };
      await apply(
        service("left", [
          kept,
          { path: "/etc/left/below/gone", text: "x\n" },
          { path: "/etc/systemd/system/left.service.d/more.conf", text: "[Service]\nNice=5\n" },
        ]),
      );
      assert.equal(await show("Nice", "left"), "5");
      await apply(service("left", [kept]));
      assert.equal(await machine.output("ls -A /etc/left"), "kept");
      assert.equal(await exists("/etc/systemd/system/left.service.d"), false);
      assert.equal(await show("Nice", "left"), "0");
    });

    it("stay when another service has them by now", async () => {
      const moved: File = { path: "/etc/moved/file", text: "x\n" };
      await apply(service("mover", [moved]));
      await apply(service("taker", [moved]));
      await apply(service("mover"));
      await done(node("check", service("taker", [moved])));
    });

    it("of services that are placed side by side share folders and users", async () => {
      const names = [1, 2, 3, 4, 5, 6].map((number) => `side${number}`);
      await Promise.all(
        names.map((name) =>
          apply(
            service(name, [{ path: `/etc/side/by/${name}`, text: "x\n", owner: "side:side" }], {
              users: ["side"],
            }),
          ),
        ),
      );
      await Promise.all(names.map((name) => done(node("remove", service(name)))));
      assert.equal(await exists("/etc/side"), false);
    });

    it("are not touched by a description with a header that is not known", async () => {
      await fails(
        machine.run(
          "kthw-node apply",
          "service odd\nfile /etc/odd 0644 root:root\n  x\nodd line\n",
        ),
        /unknown header in the description: odd line/,
      );
      assert.equal(await exists("/etc/odd"), false);
    });
  });

  describe("a service restarts", () => {
    const config = (name: string, word: string): File => ({
      path: `/etc/${name}/file`,
      text: `${word}\n`,
    });

    it("for a changed file of its own, and no other does", async () => {
      await apply(service("changing", [config("changing", "one")]));
      await apply(service("resting", [config("resting", "one")]));
      const before = [await invocation("changing"), await invocation("resting")];
      await applyAndWait(service("changing", [config("changing", "two")]));
      assert.notEqual(await invocation("changing"), before[0]);
      assert.equal(await invocation("resting"), before[1]);
      assert.equal(await text("/etc/changing/file"), "two\n");
    });

    it("for a changed mode, owner or setting of its unit", async () => {
      const file = config("unit-change", "x");
      await apply(service("unit-change", [file]));
      const seen = new Set([await invocation("unit-change")]);
      for (const changed of [
        service("unit-change", [{ ...file, mode: "0600" }]),
        service("unit-change", [{ ...file, mode: "0600", owner: "www-data:adm" }]),
        service("unit-change", [file], { Service: { Nice: "7" } }),
      ]) {
        await applyAndWait(changed);
        seen.add(await invocation("unit-change"));
      }
      assert.equal(seen.size, 4);
      const process = await show("MainPID", "unit-change");
      assert.equal(await machine.output(`ps --no-headers -o nice ${process} | tr -d ' '`), "7");
    });

    it("not for a file that is read anew at each use", async () => {
      const one = (word: string) => service("living", [{ ...config("living", word), live: true }]);
      await apply(one("one"));
      const before = await invocation("living");
      await applyAndWait(one("two"));
      assert.equal(await text("/etc/living/file"), "two\n");
      assert.equal(await invocation("living"), before);
    });

    it("at the next apply after what it reads has changed", async () => {
      await machine.output("mkdir -p /etc/others/keys; echo 1 >/etc/others/certificate");
      const one = service("reading", [], {
        reads: ["/etc/others/certificate", "/etc/others/keys", "/etc/others/not-there"],
      });
      await apply(one);
      const seen = new Set([await invocation("reading")]);
      for (const change of [
        "echo 2 >certificate",
        "echo 1 >keys/new",
        "ln -s /etc/others/certificate not-there",
        "echo 3 >certificate",
        "rm keys/new",
      ]) {
        await machine.output(`cd /etc/others; ${change}`);
        await applyAndWait(one);
        seen.add(await invocation("reading"));
      }
      assert.equal(seen.size, 6);
    });

    it("when somebody has changed its files, or stopped it", async () => {
      const one = service("drifting", [config("drifting", "right")]);
      await apply(one);
      const before = await invocation("drifting");
      await machine.output("echo wrong >/etc/drifting/file; systemctl restart drifting");
      await applyAndWait(one);
      assert.equal(await text("/etc/drifting/file"), "right\n");
      const after = await invocation("drifting");
      assert.notEqual(after, before);
      await machine.output("systemctl disable --quiet --now drifting");
      await applyAndWait(one);
      assert.equal(await machine.output("systemctl is-enabled drifting"), "enabled");
      assert.equal(await active("drifting"), true);
    });

    it("after it gave up", async () => {
      const broken = service("given-up", [], { Service: { ExecStart: "/bin/false" } });
      await apply(broken);
      await machine.output("until systemctl is-failed --quiet given-up; do sleep 0.1; done");
      await apply(service("given-up"));
      await done(machine.run("kthw-node wait given-up"));
    });

    it("without being waited for, unless asked to", async () => {
      const { seconds } = await node(
        "apply",
        service("slow", [], { Service: { ExecStartPre: "/bin/sleep 20" } }),
      );
      assert.ok(seconds < 5, `${seconds} s`);
    });

    it("and takes its former unit away when that has another name", async () => {
      await apply(service("renamed"));
      const other = service("renamed", [], { unit: "renamed-2.service" });
      await apply({
        ...other,
        files: other.files.map((file) => ({ ...file, path: unitPath("renamed-2") })),
      });
      assert.equal(await active("renamed"), false);
      assert.equal(await show("LoadState", "renamed"), "not-found");
      assert.equal(await active("renamed-2"), true);
    });
  });

  describe("apply --wait", () => {
    /** Healthy while its file says so; when it says "fall", it falls over. */
    const picky = (name: string, word: string, more: Partial<Service> & { files?: File[] } = {}) =>
      service(name, [{ path: `/etc/${name}/word`, text: `${word}\n` }, ...(more.files ?? [])], {
        health: `grep -qx good /etc/${name}/word`,
        timeoutSeconds: 2,
        Service: {
          ExecStart: `/bin/sh -c 'read -r word </etc/${name}/word; echo "it says $word"; [ $word != fall ] && exec sleep infinity'`,
        },
        ...(({ files, ...rest }) => rest)(more),
      });

    it("is done when the service is healthy, and not before", async () => {
      const one = service("warming", [], {
        health: "test -e /run/warm",
        Service: { ExecStart: "/bin/sh -c 'sleep 1; touch /run/warm; exec sleep infinity'" },
      });
      await applyAndWait(one);
      assert.equal(await exists("/run/warm"), true);
    });

    it("puts a change back that falls over, and says why", async () => {
      const before = picky("falling", "good");
      await applyAndWait(before);
      const after = picky("falling", "fall", {
        files: [{ path: "/etc/falling/new/file", text: "x\n" }],
        timeoutSeconds: 30,
      });
      const result = await node("apply --wait", after);
      await fails(
        Promise.resolve(result),
        /^falling\.service on m1 is not healthy: grep -qx good/m,
        /^it says fall$/m,
        /^The previous files are back, and the service is healthy with them\.$/m,
      );
      assert.ok(result.seconds < 10, `it waited ${result.seconds} s for nothing`);
      assert.equal(result.stdout, "");
      await done(node("check", before));
      assert.equal(await exists("/etc/falling/new"), false);
      assert.equal(await active("falling"), true);
      const invoked = await invocation("falling");
      await applyAndWait(before);
      assert.equal(await invocation("falling"), invoked);
    });

    it("puts a change back that never gets healthy, with files that it removed or changed the mode of", async () => {
      const other: File = {
        path: "/etc/sick/other",
        text: "x\n",
        mode: "0600",
        owner: "www-data:adm",
      };
      const removed: File = { path: "/etc/sick/below/removed", text: "y\n" };
      const before = picky("sick", "good", { files: [other, removed] });
      await applyAndWait(before);
      await fails(
        node("apply --wait", picky("sick", "bad", { files: [{ ...other, mode: "0644" }] })),
        /^it says bad$/m,
        /healthy with them\.$/m,
      );
      await done(node("check", before));
    });

    it("puts back what was there before a broken change that was cut off", async () => {
      const before = picky("cut", "good");
      await applyAndWait(before);
      await killedAt("systemctl", "restart*", picky("cut", "bad"));
      await fails(node("apply --wait", picky("cut", "fall")), /healthy with them\.$/m);
      await done(node("check", before));
    });

    it("says so when the previous files do not help either", async () => {
      await apply(picky("hopeless", "bad"));
      await fails(
        node("apply --wait", picky("hopeless", "fall")),
        /^The previous files are back, but the service is not healthy with them either\.$/m,
      );
      await applyAndWait(picky("hopeless", "good"));
    });

    it("explains a first one that fails", async () => {
      const result = await node("apply --wait", picky("first", "fall"));
      await fails(
        Promise.resolve(result),
        /^first\.service on m1 is not healthy/,
        /^it says fall$/m,
      );
      assert.doesNotMatch(result.stderr, /previous/);
      await applyAndWait(picky("first", "good"));
    });

    it("explains a unit that systemd does not take", async () => {
      const odd = service("odd", [], { Service: { ExecStart: "not-a-path\u0001/x y" } });
      await fails(node("apply --wait", odd), /^odd\.service on m1 is not healthy/, /bad-setting/);
      await fails(node("apply", odd), /bad-setting|bad unit file setting/);
    });

    it("does not outlast its timeout, whatever hangs", async () => {
      for (const hanging of [
        service("hanging-health", [], { health: "sleep 100", timeoutSeconds: 1 }),
        service("hanging-start", [], {
          timeoutSeconds: 1,
          Service: { Type: "notify", ExecStart: "/bin/sleep infinity" },
        }),
      ]) {
        const result = await node("apply --wait", hanging);
        await fails(Promise.resolve(result), /is not healthy/);
        assert.ok(result.seconds < 5, `${result.seconds} s`);
      }
    });
  });

  describe("an apply that was killed", () => {
    const files = (word: string): File[] =>
      ["first", "second", "third"].map((name) => ({
        path: `/etc/killed/${name}`,
        text: `${word}\n`,
      }));

    it("before the restart is mended by the next", async () => {
      const one = (word: string) => service("killed", files(word));
      await apply(one("old"));
      const before = await invocation("killed");
      await killedAt("systemctl", "restart*", one("new"));
      await done(node("check", one("new")));
      assert.equal(await invocation("killed"), before);
      await applyAndWait(one("new"));
      assert.notEqual(await invocation("killed"), before);
    });

    it("before the restart is mended by going back", async () => {
      const one = (word: string) => service("killed", files(word));
      await killedAt("systemctl", "restart*", one("newer"));
      const before = await invocation("killed");
      await applyAndWait(one("new"));
      assert.notEqual(await invocation("killed"), before);
    });

    it("before systemd knew its unit is mended by the next", async () => {
      const one = service("killed", files("new"), { Service: { Nice: "3" } });
      await killedAt("systemctl", "daemon-reload", one);
      await applyAndWait(one);
      assert.equal(await show("Nice", "killed"), "3");
    });

    it("among its files leaves nothing of them behind, whichever comes next", async () => {
      const before = service("killed", files("new"));
      await applyAndWait(before);
      const more: File = { path: "/etc/killed/more/fourth", text: "x\n" };
      for (const [program, pattern] of [
        ["chmod", "*fourth*"],
        ["mv", "*fourth"],
        ["systemctl", "restart*"],
      ] as const) {
        for (const next of [before, service("killed", [...files("new"), more])]) {
          await killedAt(program, pattern, service("killed", [...files("newest"), more]));
          await applyAndWait(next);
          await done(node("check", next));
          assert.equal(
            await machine.output("cd /etc/killed; find . -type f -printf '%P\\n' | sort"),
            next === before ? "first\nsecond\nthird" : "first\nmore/fourth\nsecond\nthird",
          );
        }
      }
    });

    it("while it downloaded leaves nothing behind after the next", async () => {
      await machine.output(
        "mkdir -p /opt/kthw/.work.4999999 && touch /opt/kthw/.work.4999999/part",
      );
      await done(machine.run("kthw-node fetch", ""));
      assert.equal(await machine.output("find /opt/kthw -name '.work.*'"), "");
    });

    it("at the first time is removed without a trace", async () => {
      const one = service("stillborn", [{ path: "/etc/stillborn/file", text: "x\n" }]);
      await killedAt("mv", "*/file", one);
      await done(node("remove", one));
      assert.equal(await machine.output("find /etc /var/lib/kthw -name '*stillborn*'"), "");
    });
  });

  describe("check", () => {
    const file = (name: string, more: Partial<File> = {}): File => ({
      path: `/etc/checked/${name}`,
      text: "x\n",
      ...more,
    });
    const checked = (...files: File[]) =>
      service("checked", files, {
        directories: [
          { path: "/etc/checked/folder", mode: "0700", owner: "root:root" },
          { path: "/etc/checked/lost", mode: "0700", owner: "root:root" },
        ],
      });
    const right = checked(
      ...["content", "longer", "mode", "owner", "missing", "link", "same"].map((name) =>
        file(name),
      ),
    );

    it("is silent where all is right", async () => {
      await apply(right);
      await done(node("check", right));
    });

    it("names all that differs, and changes nothing", async () => {
      await apply(checked(...right.files.slice(1), file("superfluous")));
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

    it("names everything where nothing was placed", async () => {
      const { code, stdout } = await node(
        "check",
        service("never", [{ path: "/etc/never", text: "" }]),
      );
      assert.equal(code, 1);
      assert.equal(
        stdout,
        `${unitPath("never")}: missing\n/etc/never: missing\nnever.service: not running\n`,
      );
      assert.equal(await exists("/var/lib/kthw/services/never"), false);
    });
  });

  describe("remove", () => {
    const traces = () =>
      machine.output("find / -xdev -path /var/log -prune -o ! -path '/root/*' -print | sort");

    it("leaves nothing of a service but its data, and may be repeated", async () => {
      const before = await traces();
      const one = service("passing", [{ path: "/etc/passing/a/b", text: "x\n" }], {
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
        await machine.output("rm -f /var/lib/passing/data.kthw");
        const after = (await traces()).split("\n");
        assert.deepEqual(
          after.filter((path) => !before.split("\n").includes(path)),
          (await exists("/var/lib/passing"))
            ? [
                "/var/lib/kthw/folders/%var%lib%passing",
                "/var/lib/passing",
                "/var/lib/passing/data",
              ]
            : [],
        );
        assert.equal(await exists(`/proc/${process}`), false);
        assert.equal(await show("LoadState", "passing"), "not-found");
      }
    });

    it("stops what runs although its files are gone", async () => {
      const one = service("gone", [{ path: "/etc/gone/file", text: "x\n" }]);
      await apply(one);
      await machine.output(`rm -r ${unitPath("gone")} /etc/gone; systemctl daemon-reload`);
      await done(node("remove", one));
      assert.equal(await active("gone"), false);
      assert.equal(await machine.output("find /etc/systemd -name gone.service"), "");
    });

    it("spares what has another name by now", async () => {
      const one = { ...service("renaming", [{ path: "/etc/renaming/file", text: "x\n" }]) };
      await apply(one);
      const other = { ...one, name: "another-name" };
      await apply(other);
      await done(node("remove", one));
      await done(node("check", other));
    });

    it("reads all of a long description", async () => {
      const long = service("long", [{ path: "/etc/long", text: "x\n".repeat(100_000) }]);
      await done(node("remove", long));
      await fails(machine.run("kthw-node remove", ""), /names no service/);
    });
  });

  describe("a bundle", () => {
    const pki = "/etc/paired/pki";
    const pair = (word: string): Bundle => ({
      name: "paired",
      users: ["paired"],
      files: [
        { path: `${pki}/server.crt`, text: `${word}\n` },
        { path: `${pki}/server.key`, text: `${word}\n`, mode: "0600", owner: "paired:paired" },
      ],
    });
    const folder = "/var/lib/kthw/bundles/paired";

    it("is links through one, to files that their owner reaches and nobody lists", async () => {
      await apply(pair("one"));
      await done(node("check", pair("one")));
      assert.equal(
        await machine.output(`readlink ${pki}/server.crt ${pki}/server.key`),
        `${folder}/current${pki}/server.crt\n${folder}/current${pki}/server.key`,
      );
      assert.equal(
        await machine.output(`stat --dereference --format='%a %U:%G' ${pki}/server.*`),
        "644 root:root\n600 paired:paired",
      );
      const as = (user: string, command: string) =>
        machine.run(`runuser -u ${user} -- ${command}`).then(({ code }) => code === 0);
      assert.equal(await as("paired", `cat ${pki}/server.crt ${pki}/server.key`), true);
      assert.equal(await as("www-data", `cat ${pki}/server.crt`), true);
      assert.equal(await as("www-data", `cat ${pki}/server.key`), false);
      const folders = (
        await machine.output(`cd ${folder}/current; find / -path '/var/lib/kthw*' -type d -prune -print
          find /var/lib/kthw/bundles -type d; find -L ${folder}/current -type d`)
      ).split("\n");
      assert.ok(folders.length > 6);
      for (const one of folders) assert.equal(await as("paired", `ls ${one}`), false, one);
      assert.equal(await as("paired", "ls /var/lib/kthw/services/demo"), false);
    });

    it("stays as it is in a rerun", async () => {
      const look = () =>
        machine.output(`find /etc/paired /var/lib/kthw/bundles -printf '%p %i %C@ %T@\\n' | sort`);
      const before = await look();
      await apply(pair("one"));
      assert.equal(await look(), before);
    });

    it("changes all of its files at the same instant, and keeps no old ones", async () => {
      const reader = machine.output(`
        reads=0
        until [[ -e /run/paired-enough ]]; do
          cd -P ${folder}/current; before=$PWD
          IFS= read -r certificate <${pki}/server.crt || true
          IFS= read -r key <${pki}/server.key || true
          cd -P ${folder}/current
          [[ $PWD != "$before" || $certificate == "$key" ]] || { echo "$certificate with $key"; exit; }
          ((++reads))
        done 2>/dev/null
        echo $((reads > 500))`);
      for (const word of ["two", "three", "four", "five", "six", "seven"]) await apply(pair(word));
      await machine.output("touch /run/paired-enough");
      assert.equal(await reader, "1");
      assert.equal(await text(`${pki}/server.key`), "seven\n");
      assert.equal(
        await machine.output(`ls ${folder} | sed 's/^[0-9a-f]*$/version/'`),
        "version\ncurrent\nplaced",
      );
    });

    it("that was cut off still is the old pair, and then the new", async () => {
      for (const [program, pattern] of [
        ["mv", "*server.key"],
        ["mv", "*current"],
      ] as const) {
        await killedAt(program, pattern, pair(`cut off at ${program} ${pattern}`));
        const old = await text(`${pki}/server.crt`);
        assert.equal(await text(`${pki}/server.key`), old);
        await apply(pair(old.trimEnd()));
        assert.equal(await machine.output(`ls -A ${folder} | wc -l`), "3");
        await apply(pair(`after ${program} ${pattern}`));
        assert.equal(await text(`${pki}/server.key`), `after ${program} ${pattern}\n`);
        assert.equal(await machine.output(`ls -A ${folder} | wc -l`), "3");
      }
    });

    it("loses a file that left the list, and check names what differs", async () => {
      const [certificate] = pair("one").files;
      const smaller: Bundle = { ...pair("one"), files: [certificate!] };
      await apply(pair("one"));
      await machine.output(`cp --remove-destination $(readlink -f ${pki}/server.key) ${pki}/server.key
        echo x >$(readlink -f ${pki}/server.crt)`);
      assert.equal(
        (await node("check", pair("one"))).stdout,
        `${pki}/server.crt: content\n${pki}/server.key: missing\n`,
      );
      await apply(pair("one"));
      await done(node("check", pair("one")));
      assert.equal((await node("check", smaller)).stdout.includes("server.key: superfluous"), true);
      await apply(smaller);
      assert.equal(await exists(`${pki}/server.key`), false);
      assert.equal(await exists(`${folder}/current${pki}/server.key`), false);
    });

    it("and a service of one name leave each other alone", async () => {
      const one = service("paired", [], { reads: [`${pki}/server.crt`, `${pki}/server.key`] });
      await apply(pair("one"));
      await apply(one);
      const before = await invocation("paired");
      await done(node("check", pair("one")));
      await apply(pair("two"));
      await done(node("check", one));
      await applyAndWait(one);
      assert.notEqual(await invocation("paired"), before);
      await done(node("remove", one));
      await done(node("check", pair("two")));
    });

    it("is removed without a trace", async () => {
      for (const _ of ["first", "second"]) {
        await done(node("remove", pair("two")));
        assert.equal(await machine.output("find /etc /var/lib/kthw -name '*paired*'"), "");
      }
    });

    it("stands in no command line and no environment", async () => {
      await machine.output(
        `mkdir /run/spy; cat >/run/spy/.spy; chmod +x /run/spy/.spy
        for program in /usr/bin/* /usr/sbin/*; do ln -sf .spy /run/spy/\${program##*/}; done; rm /run/spy/bash`,
        `#!/bin/bash
{ printf '%s\\n' "$0" "$@"; /usr/bin/env; } >>/run/spied
PATH=$OLDPATH exec "\${0##*/}" "$@"
`,
      );
      const secret = (word: string) => pair(`PRIVATE-${word}`);
      for (const [verb, word] of [
        ["apply", "one"],
        ["apply", "two"],
        ["check", "two"],
        ["remove", "two"],
      ] as const)
        await done(
          machine.run(
            `PATH=/run/spy:$PATH OLDPATH=$PATH kthw-node ${verb}`,
            describeBundle(secret(word)),
          ),
        );
      assert.equal(await machine.output("grep -c spy/chmod /run/spied"), "4");
      assert.equal((await machine.run("grep PRIVATE /run/spied")).stdout, "");
      assert.equal(await machine.output("grep -rl PRIVATE /var/lib /etc /run /tmp || true"), "");
    });
  });

  describe("a service that reloads", () => {
    const balancer = (server: string, port = 7001) =>
      service(
        "balancer",
        [
          {
            path: "/etc/balancer/nginx.conf",
            text: `daemon off;
pid /run/balancer.pid;
error_log stderr;
events {}
http { server { listen 127.0.0.1:${port}; ${server} } }
`,
          },
        ],
        {
          packages: ["nginx"],
          reload: "/usr/sbin/nginx -t -q -c /etc/balancer/nginx.conf",
          health: `curl --fail --silent --max-time 2 http://127.0.0.1:${port}/ | grep -q .`,
          timeoutSeconds: 5,
          Service: {
            ExecStart: "/usr/sbin/nginx -c /etc/balancer/nginx.conf",
            ExecReload: "/bin/kill -HUP $MAINPID",
          },
        },
      );
    const ask = () => machine.output("curl --silent --max-time 5 http://127.0.0.1:7001/");
    let main: string[];
    const process = async () => [await show("MainPID", "balancer"), await invocation("balancer")];

    it("keeps its process in a valid change", async () => {
      await applyAndWait(balancer("return 200 one;"));
      assert.equal(await ask(), "one");
      main = await process();
      await applyAndWait(balancer("return 200 two;"));
      await machine.output(
        "until curl --silent http://127.0.0.1:7001/ | grep -q two; do sleep 0.1; done",
      );
      assert.deepEqual(await process(), main);
    });

    it("keeps its old files in an invalid one, with the message of the check", async () => {
      await fails(
        node("apply --wait", balancer("return 200 three; nonsense on;")),
        /^balancer\.service on m1 cannot use its new files: nginx: \[emerg\] unknown directive "nonsense"/,
        /^The previous files are back, and the service is healthy with them\.$/m,
      );
      assert.equal(await ask(), "two");
      assert.deepEqual(await process(), main);
      await done(node("check", balancer("return 200 two;")));
    });

    it("keeps its old files in one that does not get healthy", async () => {
      await fails(
        node("apply --wait", balancer("return 500;")),
        /^balancer\.service on m1 is not healthy: curl/,
        /healthy with them\.$/m,
      );
      assert.equal(await ask(), "two");
      assert.deepEqual(await process(), main);
    });

    it("reloads after a change that was cut off", async () => {
      await killedAt("systemctl", "reload*", balancer("return 200 four;"));
      assert.equal(await ask(), "two");
      await applyAndWait(balancer("return 200 four;"));
      await machine.output(
        "until curl --silent http://127.0.0.1:7001/ | grep -q four; do sleep 0.1; done",
      );
      assert.deepEqual(await process(), main);
    });
  });

  describe("fetch", () => {
    const http = "http://127.0.0.1:7080";
    const fetch = (...downloads: Download[]) =>
      machine.run("kthw-node fetch", describeDownloads(downloads));
    const binary = (name: string, url: string, sum: string): Download => ({
      kind: "binaries",
      name,
      version: "1.0",
      url,
      sum,
      members: { "-": name },
    });
    const archive = (sum: string, members: Record<string, string>, name = "packed"): Download => ({
      kind: "binaries",
      name,
      version: "2.0",
      url: `${http}/packed.tar.gz`,
      sum,
      members,
    });
    const sum = async (file: string) =>
      `sha256:${(await machine.output(`sha256sum /srv/${file}`)).split(" ")[0]}`;
    const requests = async () => Number(await machine.output("wc -l </run/requests"));
    const wrong = `sha256:${"0".repeat(64)}`;

    before("a server of files", async () => {
      await machine.output(`mkdir -p /srv/packed/bin; cd /srv
        printf '#!/bin/sh\\necho plain\\n' >plain
        for name in one two; do printf '#!/bin/sh\\necho %s\\n' $name >packed/bin/$name; done
        tar -czf packed.tar.gz -C packed ./bin/one ./bin/two
        sha256sum plain | cut -d' ' -f1 >plain.sha256
        sha256sum plain >plain.sha256sum
        chmod 0755 /srv; touch /run/requests`);
      await applyAndWait(
        service(
          "files",
          [
            {
              path: "/etc/files/nginx.conf",
              text: `daemon off;
pid /run/files.pid;
error_log stderr;
events {}
http { access_log /run/requests; server { listen 127.0.0.1:7080; root /srv; } }
`,
            },
          ],
          {
            health: "curl --fail --silent http://127.0.0.1:7080/plain",
            Service: { ExecStart: "/usr/sbin/nginx -c /etc/files/nginx.conf" },
          },
        ),
      );
    });

    it("installs from a folder and from a server, and links", async () => {
      await done(
        fetch(
          binary("copied", "file:///srv/plain", await sum("plain")),
          binary("plain", `${http}/plain`, await sum("plain")),
          archive(await sum("packed.tar.gz"), { "./bin/one": "one", "./bin/two": "second" }),
          { kind: "image", name: "example/image:1", url: `${http}/plain`, sum: await sum("plain") },
          { kind: "link", path: "/usr/local/bin/fetched", target: "/opt/kthw/packed/2.0/second" },
        ),
      );
      const said = "cd /opt/kthw; copied/1.0/copied; plain/1.0/plain; packed/2.0/one; fetched";
      assert.equal(await machine.output(said), "plain\nplain\none\ntwo");
      assert.equal(
        await machine.output(
          "find /opt/kthw -type d ! -perm 0755; stat -c '%a %U' /opt/kthw/*/*/*",
        ),
        Array(4).fill("755 root").join("\n"),
      );
      assert.equal(await machine.output("cat /opt/kthw/images/plain.name"), "example/image:1");
      assert.equal(
        await machine.output("stat -c %h /srv/plain; ls -A /opt/kthw"),
        "1\ncopied\nimages\npacked\nplain",
      );
    });

    it("downloads nothing a second time", async () => {
      const before = await requests();
      const look = () => machine.output("find /opt/kthw -type f -printf '%p %i %T@\\n' | sort");
      const files = await look();
      await done(
        fetch(
          binary("plain", `${http}/plain`, await sum("plain")),
          archive(await sum("packed.tar.gz"), { "./bin/one": "one", "./bin/two": "second" }),
          { kind: "image", name: "example/image:1", url: `${http}/plain`, sum: await sum("plain") },
        ),
      );
      assert.equal(await requests(), before);
      assert.equal(await look(), files);
    });

    it("downloads again what is not there any more, or should be another", async () => {
      await machine.output("rm /opt/kthw/packed/2.0/one");
      const both = { "./bin/one": "one", "./bin/two": "second" };
      await done(fetch(archive(await sum("packed.tar.gz"), both)));
      assert.equal(await machine.output("/opt/kthw/packed/2.0/one"), "one");
      await machine.output(
        "cd /srv; sed -i s/one/uno/ packed/bin/one; tar -czf packed.tar.gz -C packed ./bin/one ./bin/two",
      );
      await done(fetch(archive(await sum("packed.tar.gz"), both)));
      assert.equal(await machine.output("/opt/kthw/packed/2.0/one"), "uno");
    });

    it("installs nothing of a file with another sum, and names all three", async () => {
      const actual = (await sum("plain")).slice(7);
      for (const url of [`${http}/plain`, "file:///srv/plain"])
        await fails(
          fetch(binary("forged", url, wrong)),
          new RegExp(
            `^kthw-node: ${url}: checksum differs, expected 0{64}, got ${actual}; nothing of it was installed$`,
            "m",
          ),
        );
      await fails(fetch(archive(wrong, { "./bin/one": "one" }, "forged")), /checksum differs/);
      await fails(
        fetch({ kind: "image", name: "x:1", url: `${http}/packed.tar.gz`, sum: wrong }),
        /checksum differs/,
      );
      assert.equal(await exists("/opt/kthw/forged"), false);
      assert.equal(await exists("/opt/kthw/images/packed.tar.gz"), false);
    });

    it("keeps what was installed when its successor is forged", async () => {
      await fails(fetch(binary("plain", `${http}/plain`, wrong)), /checksum differs/);
      assert.equal(await machine.output("/opt/kthw/plain/1.0/plain"), "plain");
    });

    it("takes a sum from an address", async () => {
      for (const file of ["plain.sha256", "plain.sha256sum"])
        await done(fetch(binary(file.replace(".", "-"), `${http}/plain`, `${http}/${file}`)));
      assert.equal(await machine.output("/opt/kthw/plain-sha256/1.0/plain-sha256"), "plain");
      await machine.output(`echo ${"1".repeat(64)} >/srv/wrong.sha256; : >/srv/empty.sha256`);
      await fails(
        fetch(binary("forged", `${http}/plain`, `${http}/wrong.sha256`)),
        /expected 1{64},/,
      );
      await fails(fetch(binary("forged", `${http}/plain`, `${http}/empty.sha256`)), /expected ,/);
      await fails(
        fetch(binary("forged", `${http}/plain`, `${http}/none.sha256`)),
        /could not download http.*none\.sha256/,
      );
      assert.equal(await exists("/opt/kthw/forged"), false);
    });

    it("installs nothing of an archive that lacks a member", async () => {
      await fails(
        fetch(
          archive(
            await sum("packed.tar.gz"),
            { "./bin/one": "one", "bin/none": "none" },
            "lacking",
          ),
        ),
        /could not unpack http:.*packed\.tar\.gz: tar: bin\/none: Not found in archive/,
      );
      await fails(
        fetch({
          ...binary("lacking", `${http}/plain`, await sum("plain")),
          members: { a: "b" },
        } as Download),
        /could not unpack http:.*plain: tar: This does not look like a tar archive/,
      );
      assert.equal(await exists("/opt/kthw/lacking"), false);
    });

    it("tells of each that fails, and installs the others", async () => {
      await fails(
        fetch(
          binary("absent", `${http}/absent`, wrong),
          binary("unread", "file:///srv/absent", wrong),
          binary("present", `${http}/plain`, await sum("plain")),
        ),
        /could not download http:.*absent/,
        /could not read file:\/\/\/srv\/absent/,
      );
      assert.equal(await exists("/opt/kthw/present/1.0/present"), true);
      assert.equal(await machine.output("find /opt/kthw -name '.work.*'"), "");
    });
  });

  describe("wait", () => {
    it("is done when all are healthy and the command succeeds", async () => {
      for (const name of ["waited-1", "waited-2"])
        await apply(
          service(name, [], {
            health: `test -e /run/${name}`,
            Service: {
              ExecStart: `/bin/sh -c 'sleep 0.5; touch /run/${name}; exec sleep infinity'`,
            },
          }),
        );
      await done(
        machine.run(
          `(sleep 2; touch /run/until) & kthw-node wait waited-1 waited-2 --until 'test -e /run/waited-2 && test -e /run/until'`,
        ),
      );
    });

    it("fails with the journal of a service that keeps falling over, long before its timeout", async () => {
      await apply(
        service("crashing", [], {
          Service: { ExecStart: "/bin/sh -c 'echo it crashes because; exit 3'" },
        }),
      );
      const result = await machine.run("kthw-node wait crashing");
      await fails(
        Promise.resolve(result),
        /^crashing\.service on m1 is not healthy: it does not run$/m,
        /^it crashes because$/m,
        /status=3/,
      );
      assert.ok(result.seconds < 10, `${result.seconds} s`);
    });

    it("fails at its timeout", async () => {
      await apply(service("ill", [], { health: "false", timeoutSeconds: 1 }));
      const result = await machine.run("kthw-node wait ill");
      await fails(Promise.resolve(result), /^ill\.service on m1 is not healthy: false$/m);
      assert.ok(result.seconds < 5, `${result.seconds} s`);
    });

    it("fails for a service that is not there", async () => {
      await fails(machine.run("kthw-node wait nobody"), /there is no service nobody on m1/);
    });
  });

  it("takes little of the processor for what has not changed", async () => {
    const one = service(
      "measured",
      ["one", "two", "three"].map((name) => ({
        path: `/etc/measured/${name}`,
        text: `${"x".repeat(70)}\n`.repeat(30),
      })),
      {
        directories: [{ path: "/etc/measured", mode: "0755", owner: "root:root" }],
        reads: ["/etc/measured/one", "/etc/ssl/openssl.cnf"],
        health: "true",
      },
    );
    await applyAndWait(one);
    const seconds = async (words: string) => {
      const { stderr } = await machine.run(
        `cat >/run/measured; TIMEFORMAT='%U %S'; time for i in {1..10}; do kthw-node ${words} </run/measured; done`,
        describeService(one),
      );
      const [user, system] = stderr.trim().split(" ").map(Number);
      return (user! + system!) / 10;
    };
    for (const words of ["apply", "apply --wait", "check"]) {
      const taken = await seconds(words);
      console.log(`      ${words}: ${taken.toFixed(3)} s of processor time`);
      assert.ok(taken < 0.15);
    }
  });
});
