import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Bundle,
  describeBundle,
  describeService,
  type File,
  type Service,
} from "../../node/description.ts";
import { type Download, describeDownloads } from "../../node/downloads.ts";
import { type Unit, unit } from "../../services/systemd.ts";
import { NodeMachine } from "./support/node-machine.ts";
import type { Result } from "./support/run.ts";

let machine: NodeMachine;

/** A service that runs `sleep`, or what its unit is told to, with files of its own beside its unit. It is healthy once it runs. */
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
    health: "true",
    files: [{ path: unitPath(name), text }, ...files],
    ...rest,
  };
}

/** A file whose content does not matter. */
const file = (path: string, more: Partial<File> = {}): File => ({ path, text: "x\n", ...more });

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

/** It must fail, not as late as anything hangs or waits here, with a text on standard error in which all of these are found. */
async function fails(running: Promise<Result>, ...said: readonly RegExp[]): Promise<Result> {
  const result = await running;
  assert.notEqual(result.code, 0, "it should have failed");
  for (const one of said) assert.match(result.stderr, one);
  assert.ok(result.seconds < 25, `${result.seconds} s`);
  return result;
}

const apply = (one: Service | Bundle) => done(node("apply", one));
const applyAndWait = (one: Service | Bundle) => done(node("apply --wait", one));

const text = async (path: string) =>
  Buffer.from(await machine.output(`base64 ${path}`), "base64").toString();
const exists = async (path: string) =>
  (await machine.run(`[ -e ${path} ] || [ -L ${path} ]`)).code === 0;
const show = (property: string, name: string) =>
  machine.output(`systemctl show --property=${property} --value ${name}.service`);
/** Another one after each start. */
const invocation = (name: string) => show("InvocationID", name);
const active = async (name: string) => (await show("ActiveState", name)) === "active";

/** Applies one after another until a shell script on the machine has ended, which must say nothing. */
async function applyWhile(script: string, turn: (count: number) => Service | Bundle) {
  let ended = false;
  const watching = machine.run(script).finally(() => {
    ended = true;
  });
  for (let count = 0; !ended; count++) await apply(turn(count));
  await done(watching);
}

/** Lets a shell script take the place of a program on the machine, which it can go on to as `$program`. */
async function instead<T>(program: string, script: string, work: () => Promise<T>): Promise<T> {
  const path = `/usr/local/sbin/${program}`;
  await machine.output(
    `cat >${path} && chmod +x ${path}`,
    `#!/bin/bash\nprogram=/usr/bin/${program}\n${script}\n`,
  );
  try {
    return await work();
  } finally {
    await machine.output(`rm ${path}`);
  }
}

/** Kills an apply, and all that it has started, at the moment when it runs a program with arguments that match a pattern. */
async function killedAt(program: string, pattern: string, one: Service | Bundle): Promise<void> {
  const script = `[[ "$*" != ${pattern} ]] || pkill -KILL --session 0\nexec $program "$@"`;
  const { code } = await instead(program, script, () =>
    machine.run("setsid --wait kthw-node apply", describeAny(one)),
  );
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

  describe("a service restarts", () => {
    const config = (name: string, word: string) => file(`/etc/${name}/file`, { text: `${word}\n` });

    it("for a changed file of its own, and no other does", async () => {
      await applyAndWait(service("changing", [config("changing", "one")]));
      await applyAndWait(service("resting", [config("resting", "one")]));
      const before = [await invocation("changing"), await invocation("resting")];
      await applyAndWait(service("changing", [config("changing", "two")]));
      assert.notEqual(await invocation("changing"), before[0]);
      assert.equal(await invocation("resting"), before[1]);
      assert.equal(await text("/etc/changing/file"), "two\n");
    });

    it("for a changed mode, owner or setting of its unit", async () => {
      const path = "/etc/unit-change/file";
      await applyAndWait(service("unit-change", [file(path)]));
      const seen = new Set([await invocation("unit-change")]);
      for (const changed of [
        service("unit-change", [file(path, { mode: "0600" })]),
        service("unit-change", [file(path, { mode: "0600", owner: "www-data:adm" })]),
        service("unit-change", [file(path)], { Service: { Nice: "7" } }),
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
      await applyAndWait(one("one"));
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
      await applyAndWait(one);
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
      await applyAndWait(one);
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
      await apply(service("given-up", [], { Service: { ExecStart: "/bin/false" } }));
      await machine.output("until systemctl is-failed --quiet given-up; do sleep 0.1; done");
      await apply(service("given-up"));
      await done(machine.run("kthw-node wait given-up"));
    });

    it("without being waited for, unless asked to", async () => {
      const slow = service("slow", [], { Service: { ExecStartPre: "/bin/sleep infinity" } });
      await apply(slow);
      await done(node("remove", slow));
    });

    it("and takes its former unit away when that has another name", async () => {
      await applyAndWait(service("renamed"));
      await applyAndWait({ ...service("renamed-2"), name: "renamed" });
      assert.equal(await active("renamed"), false);
      assert.equal(await show("LoadState", "renamed"), "not-found");
      assert.equal(await active("renamed-2"), true);
    });
  });

  describe("apply --wait", () => {
    /** Healthy if its file says "good"; if it says "fall", it falls over. */
    const picky = (
      name: string,
      word: "good" | "bad" | "fall",
      { files = [], ...more }: Parameters<typeof service>[2] & { files?: readonly File[] } = {},
    ) => {
      const path = `/etc/${name}/word`;
      return service(name, [{ path, text: `${word}\n` }, ...files], {
        health: `grep -qx good ${path}`,
        timeoutSeconds: word === "bad" ? 1 : 30,
        ...more,
        Service: {
          ExecStart: `/bin/sh -c 'read -r word <${path}; echo "it says $word"; [ $word != fall ] && exec sleep infinity'`,
          ...more.Service,
        },
      });
    };

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
      const files = [file("/etc/falling/new/file")];
      const { stdout } = await fails(
        node("apply --wait", picky("falling", "fall", { files })),
        /^falling\.service on m1 is not healthy: grep -qx good/m,
        /^it says fall$/m,
        /^The previous files are back, and the service is healthy with them\.$/m,
      );
      assert.equal(stdout, "");
      await done(node("check", before));
      assert.equal(await exists("/etc/falling/new"), false);
      assert.equal(await active("falling"), true);
      const invoked = await invocation("falling");
      await applyAndWait(before);
      assert.equal(await invocation("falling"), invoked);
    });

    it("puts a change back that never gets healthy, with files that it removed or changed the mode of", async () => {
      const other = file("/etc/sick/other", { mode: "0600", owner: "www-data:adm" });
      const removed = file("/etc/sick/below/removed");
      const before = picky("sick", "good", { files: [other, removed] });
      await applyAndWait(before);
      await fails(
        node("apply --wait", picky("sick", "bad", { files: [file("/etc/sick/other")] })),
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
      const { stderr } = await fails(
        node("apply --wait", picky("first", "fall")),
        /^first\.service on m1 is not healthy/,
        /^it says fall$/m,
      );
      assert.doesNotMatch(stderr, /previous/);
      await applyAndWait(picky("first", "good"));
    });

    it("explains a unit that systemd does not take", async () => {
      const odd = service("odd", [], { Service: { ExecStart: "not-a-path\u0001/x y" } });
      await fails(node("apply --wait", odd), /^odd\.service on m1 is not healthy/, /bad-setting/);
      await fails(node("apply", odd), /bad-setting|bad unit file setting/);
    });

    it("is done with none that falls over where nothing tells its health", async () => {
      const { health: _, ...crashing } = picky("crashing", "fall");
      await fails(node("apply --wait", crashing), /is not healthy: it does not run$/m, /says fall/);
      const { health: __, ...running } = picky("crashing", "good");
      await applyAndWait(running);
    });

    it("is done with one that its own unit holds back, and starts it once that is over", async () => {
      const held = service("held");
      const text = held.files[0]!.text.replace(
        "[Unit]\n",
        "[Unit]\nConditionPathExists=/run/met\n",
      );
      const one = { ...held, files: [{ path: unitPath("held"), text }] };
      await applyAndWait(one);
      assert.equal(await show("ActiveState", "held"), "inactive");
      await machine.output("touch /run/met");
      await applyAndWait(one);
      assert.equal(await show("ActiveState", "held"), "active");
    });

    it("starts anew what falls over, although it could reload", async () => {
      const more = { reload: "true", Service: { RestartSec: "1h" } };
      await apply(picky("between", "fall", more));
      await machine.output(
        "until systemctl show between | grep -qx SubState=auto-restart; do sleep 0.1; done",
      );
      await applyAndWait(picky("between", "good", more));
    });

    it("does not outlast its timeout, whatever hangs, and asks again before", async () => {
      const hanging = (name: string, more: Parameters<typeof service>[2]) =>
        service(`hanging-${name}`, [], { timeoutSeconds: 1, ...more });
      const once = "test -e /run/asked || { touch /run/asked; sleep 100; }";
      await applyAndWait(hanging("reload", { reload: "sleep 100" }));
      await Promise.all([
        ...[
          hanging("health", { health: "sleep 100" }),
          hanging("stubborn", { health: "trap '' TERM; sleep 100; true" }),
          hanging("start", { Service: { Type: "notify" } }),
        ].map((one) => fails(node("apply --wait", one), /is not healthy/)),
        fails(
          node("apply --wait", hanging("reload", { reload: "sleep 100", Service: { Nice: "1" } })),
          /^hanging-reload\.service on m1 cannot use its new files: sleep 100/,
        ),
        applyAndWait(hanging("once", { health: once, timeoutSeconds: 30 })),
      ]);
    });
  });

  describe("an apply that was killed", () => {
    const files = (word: string): File[] =>
      ["first", "second", "third"].map((name) =>
        file(`/etc/killed/${name}`, { text: `${word}\n` }),
      );

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
      await machine.output(
        "mkdir -p /opt/kthw/.work.4999999 && touch /opt/kthw/.work.4999999/part",
      );
      await done(machine.run("kthw-node fetch", ""));
      assert.equal(await machine.output("find /opt/kthw -name '.work.*'"), "");
    });

    it("at the first time is removed without a trace", async () => {
      const one = service("stillborn", [file("/etc/stillborn/file")]);
      await killedAt("mv", "*/file", one);
      await done(node("remove", one));
      assert.equal(await machine.output("find /etc /var/lib/kthw -name '*stillborn*'"), "");
    });
  });

  describe("check", () => {
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

    it("names everything where nothing was placed", async () => {
      const { stdout } = await fails(node("check", service("never", [file("/etc/never")])));
      assert.equal(
        stdout,
        `${unitPath("never")}: missing\n/etc/never: missing\nnever.service: not running\n`,
      );
      assert.equal(await exists("/var/lib/kthw/services/never"), false);
    });
  });

  describe("remove", () => {
    it("leaves nothing of a service but its data, and may be repeated", async () => {
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
        data: ["/etc/maker", "/srv/maker", "/srv/mounted", "/srv/never"],
      });
      await apply(one);
      await machine.output(`touch /var/lib/maker/worth /etc/maker/marker
        mkdir -p /srv/maker/a/b /srv/mounted /srv/elsewhere
        touch /srv/maker/a/b/c /srv/elsewhere/kept
        mount --bind /srv/elsewhere /srv/mounted
        mkdir /srv/maker/volume && mount -t tmpfs none /srv/maker/volume`);
      await done(node("remove", one));
      assert.equal(await text("/run/maker-teardown"), "down\n");
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
      await fails(machine.run("kthw-node remove", ""), /names no service/);
    });
  });

  describe("a bundle", () => {
    const pki = "/etc/paired/pki";
    const pair = (word: string): Bundle => ({
      name: "paired",
      users: ["paired"],
      files: [
        file(`${pki}/server.crt`, { text: `${word}\n` }),
        file(`${pki}/server.key`, { text: `${word}\n`, mode: "0600", owner: "paired:paired" }),
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
      await applyWhile(
        `last= changes=0 reads=0
        until ((changes > 6 && reads > 300)); do
          cd -P ${folder}/current; before=$PWD
          IFS= read -r certificate <${pki}/server.crt
          IFS= read -r key <${pki}/server.key
          cd -P ${folder}/current
          [[ $PWD != "$before" || $certificate == "$key" ]] || echo "$certificate with $key"
          [[ $last == "$key" ]] || ((++changes))
          last=$key; ((++reads))
        done 2>/dev/null`,
        (count) => pair(`${count}`),
      );
      await apply(pair("last"));
      assert.equal(await text(`${pki}/server.key`), "last\n");
      assert.equal(
        await machine.output(`ls ${folder} | sed 's/^[0-9a-f]*$/version/'`),
        "version\ncurrent\nplaced",
      );
    });

    it("that was cut off still is the old pair, and then the new", async () => {
      for (const pattern of ["*server.key", "*current"]) {
        await killedAt("mv", pattern, pair(`cut off at ${pattern}`));
        const old = await text(`${pki}/server.crt`);
        assert.equal(await text(`${pki}/server.key`), old);
        await apply(pair(old.trimEnd()));
        assert.equal(await machine.output(`ls -A ${folder} | wc -l`), "3");
        await apply(pair(`after ${pattern}`));
        assert.equal(await text(`${pki}/server.key`), `after ${pattern}\n`);
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
      await applyAndWait(one);
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
PATH=\${PATH#/run/spy:} exec "\${0##*/}" "$@"
`,
      );
      const spied = (verb: string, text: string) =>
        done(machine.run(`PATH=/run/spy:$PATH kthw-node ${verb}`, describeBundle(pair(text))));
      await spied("apply", "NOT-TO-BE-SEEN-1");
      for (const verb of ["apply", "check", "remove"]) await spied(verb, "NOT-TO-BE-SEEN-2");
      assert.equal(await machine.output("grep -c spy/chmod /run/spied"), "4");
      assert.equal((await machine.run("grep NOT-TO-BE-SEEN /run/spied")).stdout, "");
      assert.equal(
        await machine.output("grep -rl NOT-TO-BE-SEEN /var/lib /etc /run /tmp || true"),
        "",
      );
    });
  });

  describe("a service that reloads", () => {
    const address = "http://127.0.0.1:7001/";
    const balancer = (server: string, timeoutSeconds = 30) => {
      const path = "/etc/balancer/nginx.conf";
      const text = `daemon off;
pid /run/balancer.pid;
error_log stderr;
events {}
http { server { listen 127.0.0.1:7001; ${server} } }
`;
      return service("balancer", [{ path, text }], {
        packages: ["nginx"],
        reload: `/usr/sbin/nginx -t -q -c ${path}`,
        health: `curl --fail --silent --max-time 2 ${address} | grep -q .`,
        timeoutSeconds,
        Service: {
          ExecStart: `/usr/sbin/nginx -c ${path}`,
          ExecReload: "/bin/kill -HUP $MAINPID",
        },
      });
    };
    const answers = (word: string) =>
      machine.output(`until curl --silent ${address} | grep -qx ${word}; do sleep 0.1; done`);
    const process = async () => [await show("MainPID", "balancer"), await invocation("balancer")];
    let main: string[];

    it("keeps its process in a valid change", async () => {
      await applyAndWait(balancer("return 200 one;"));
      await answers("one");
      main = await process();
      await applyAndWait(balancer("return 200 two;"));
      await answers("two");
      assert.deepEqual(await process(), main);
    });

    it("keeps its old files in an invalid one, with the message of the check", async () => {
      await fails(
        node("apply --wait", balancer("return 200 three; nonsense on;")),
        /^balancer\.service on m1 cannot use its new files: .*\[emerg\] .*unknown directive "nonsense"/,
        /^The previous files are back, and the service is healthy with them\.$/m,
      );
      await answers("two");
      assert.deepEqual(await process(), main);
      await done(node("check", balancer("return 200 two;")));
    });

    it("keeps its old files in one that does not get healthy", async () => {
      await fails(
        node("apply --wait", balancer("return 500;", 2)),
        /^balancer\.service on m1 is not healthy: curl/,
        /healthy with them\.$/m,
      );
      await answers("two");
      assert.deepEqual(await process(), main);
    });

    it("reloads after a change that was cut off", async () => {
      await killedAt("systemctl", "reload*", balancer("return 200 four;"));
      await answers("two");
      await applyAndWait(balancer("return 200 four;"));
      await answers("four");
      assert.deepEqual(await process(), main);
    });
  });

  describe("fetch", () => {
    const http = "http://127.0.0.1:7080";
    const fetch = (...downloads: Download[]) =>
      machine.run("kthw-node fetch", describeDownloads(downloads));
    const artifact = (
      name: string,
      url: string,
      sum: string,
      members: Record<string, string> = { "-": name },
    ): Download => ({ kind: "binaries", name, version: "1.0", url, sum, members });
    const image = (url: string, sum: string): Download => ({
      kind: "image",
      name: "example/image:1",
      url,
      sum,
    });
    const plain = `${http}/plain`;
    const packed = `${http}/packed.tar.gz`;
    const both = { "./bin/one": "one", "./bin/two": "second" };
    const sum = async (file: string) =>
      `sha256:${(await machine.output(`sha256sum /srv/${file}`)).split(" ")[0]}`;
    const wrong = `sha256:${"0".repeat(64)}`;

    before("a server of files", async () => {
      await machine.output(`mkdir -p /srv/packed/bin; cd /srv
        printf '#!/bin/sh\\necho plain\\n' >plain
        for name in one two; do printf '#!/bin/sh\\necho %s\\n' $name >packed/bin/$name; done
        tar -czf packed.tar.gz -C packed ./bin/one ./bin/two
        sha256sum plain | cut -d' ' -f1 >plain.sha256
        sha256sum plain >plain.sha256sum
        chmod 0755 /srv; touch /run/requests`);
      const path = "/etc/files/nginx.conf";
      const text = `daemon off;
pid /run/files.pid;
error_log stderr;
events {}
http { access_log /run/requests; server { listen 127.0.0.1:7080; root /srv; } }
`;
      await applyAndWait(
        service("files", [{ path, text }], {
          health: `curl --fail --silent ${plain}`,
          Service: { ExecStart: `/usr/sbin/nginx -c ${path}` },
        }),
      );
    });

    it("installs from a folder and from a server, and links", async () => {
      await done(
        fetch(
          artifact("copied", "file:///srv/plain", await sum("plain")),
          artifact("plain", plain, await sum("plain")),
          artifact("packed", packed, await sum("packed.tar.gz"), both),
          image(plain, await sum("plain")),
          { kind: "link", path: "/usr/local/bin/fetched", target: "/opt/kthw/packed/1.0/second" },
        ),
      );
      const said = "cd /opt/kthw; copied/1.0/copied; plain/1.0/plain; packed/1.0/one; fetched";
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
      const look = () =>
        machine.output(
          "wc -l </run/requests; find /opt/kthw -type f -printf '%p %i %T@\\n' | sort",
        );
      const before = await look();
      await done(
        fetch(
          artifact("plain", plain, await sum("plain")),
          artifact("packed", packed, await sum("packed.tar.gz"), both),
          image(plain, await sum("plain")),
        ),
      );
      assert.equal(await look(), before);
    });

    it("downloads again what is not there any more, or should be another", async () => {
      for (const [change, word] of [
        ["rm /opt/kthw/packed/1.0/one", "one"],
        [
          "cd /srv; sed -i s/one/uno/ packed/bin/one; tar -czf packed.tar.gz -C packed ./bin",
          "uno",
        ],
      ]) {
        await machine.output(`${change}`);
        await done(fetch(artifact("packed", packed, await sum("packed.tar.gz"), both)));
        assert.equal(await machine.output("/opt/kthw/packed/1.0/one"), word);
      }
    });

    it("installs nothing of a file with another sum, and names all three", async () => {
      const actual = (await sum("plain")).slice(7);
      for (const url of [plain, "file:///srv/plain"])
        await fails(
          fetch(artifact("forged", url, wrong)),
          new RegExp(
            `^kthw-node: ${url}: checksum differs, expected 0{64}, got ${actual}; nothing of it was installed$`,
            "m",
          ),
        );
      for (const one of [artifact("forged", packed, wrong, both), image(packed, wrong)])
        await fails(fetch(one), /checksum differs/);
      assert.equal(await exists("/opt/kthw/forged"), false);
      assert.equal(await exists("/opt/kthw/images/packed.tar.gz"), false);
    });

    it("keeps what was installed when its successor is forged", async () => {
      await fails(fetch(artifact("plain", plain, wrong)), /checksum differs/);
      assert.equal(await machine.output("/opt/kthw/plain/1.0/plain"), "plain");
    });

    it("takes a sum from an address", async () => {
      for (const name of ["plain.sha256", "plain.sha256sum"]) {
        await done(fetch(artifact(name, plain, `${http}/${name}`)));
        assert.equal(await machine.output(`/opt/kthw/${name}/1.0/${name}`), "plain");
      }
      await machine.output(`echo ${"1".repeat(64)} >/srv/wrong.sha256; : >/srv/empty.sha256`);
      for (const [name, said] of [
        ["wrong", /expected 1{64},/],
        ["empty", /expected ,/],
        ["none", /could not download http.*none\.sha256/],
      ] as const)
        await fails(fetch(artifact("forged", plain, `${http}/${name}.sha256`)), said);
      assert.equal(await exists("/opt/kthw/forged"), false);
    });

    it("installs nothing of an archive that lacks a member", async () => {
      const members = { "./bin/one": "one", "bin/none": "none" };
      await fails(
        fetch(artifact("lacking", packed, await sum("packed.tar.gz"), members)),
        /could not unpack http:.*packed\.tar\.gz: tar: bin\/none: Not found in archive/,
      );
      await fails(
        fetch(artifact("lacking", plain, await sum("plain"), members)),
        /could not unpack http:.*plain: tar: This does not look like a tar archive/,
      );
      assert.equal(await exists("/opt/kthw/lacking"), false);
    });

    it("tells of each that fails, and installs the others", async () => {
      await fails(
        fetch(
          artifact("absent", `${http}/absent`, wrong),
          artifact("unread", "file:///srv/absent", wrong),
          artifact("present", plain, await sum("plain")),
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
      for (const name of ["waited-1", "waited-2"]) {
        const ExecStart = `/bin/sh -c 'sleep 0.5; touch /run/${name}; exec sleep infinity'`;
        await apply(service(name, [], { health: `test -e /run/${name}`, Service: { ExecStart } }));
      }
      const until = "test -e /run/waited-1 && test -e /run/waited-2 && test -e /run/until";
      await done(
        machine.run(
          `(sleep 1; touch /run/until) & kthw-node wait waited-1 waited-2 --until '${until}'`,
        ),
      );
      assert.equal(await exists("/run/until"), true);
    });

    it("fails with the journal of a service that keeps falling over, long before its timeout", async () => {
      const ExecStart = "/bin/sh -c 'echo it crashes because; exit 3'";
      const { health: _, ...unsteady } = service("unsteady", [], { Service: { ExecStart } });
      await apply(unsteady);
      await fails(
        machine.run("kthw-node wait unsteady"),
        /^unsteady\.service on m1 is not healthy: it does not run$/m,
        /^it crashes because$/m,
        /status=3/,
      );
    });

    it("fails at its timeout", async () => {
      await apply(service("ill", [], { health: "false", timeoutSeconds: 1 }));
      await fails(machine.run("kthw-node wait ill"), /^ill\.service on m1 is not healthy: false$/m);
    });

    it("fails for a service that is not there", async () => {
      await fails(machine.run("kthw-node wait nobody"), /there is no service nobody on m1/);
    });
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

  it("takes little of the processor for what has not changed", async () => {
    const one = service(
      "measured",
      ["one", "two", "three"].map((name) =>
        file(`/etc/measured/${name}`, { text: `${"x".repeat(70)}\n`.repeat(30) }),
      ),
      {
        directories: [{ path: "/etc/measured", mode: "0755", owner: "root:root" }],
        reads: ["/etc/measured/one", "/etc/ssl/openssl.cnf"],
      },
    );
    await applyAndWait(one);
    const seconds = async (words: string) => {
      const { stderr } = await machine.run(
        `cat >/run/measured; TIMEFORMAT='%U %S'; time for i in {1..5}; do kthw-node ${words} </run/measured; done`,
        describeService(one),
      );
      const [user, system] = stderr.trim().split(" ").map(Number);
      return (user! + system!) / 5;
    };
    for (const words of ["apply", "apply --wait", "check"]) {
      const taken = await seconds(words);
      console.log(`      ${words}: ${taken.toFixed(3)} s of processor time`);
      assert.ok(taken < 0.15);
    }
  });

  describe("uninstall", () => {
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
      assert.notEqual(
        await machine.output("systemctl is-enabled nothing.service || true"),
        "masked",
      );
    });
  });
});
