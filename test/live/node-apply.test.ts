import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describeService, type File } from "../../node/description.ts";
import {
  active,
  apply,
  applyAndWait,
  describeOnMachine,
  done,
  exists,
  fails,
  file,
  invocation,
  killedAt,
  machine,
  node,
  service,
  show,
  text,
  unitPath,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node apply", () => {
  describe("systemd", () => {
    const loaded = () => machine.output("systemctl show --property=UnitsLoadTimestampMonotonic");

    it("does not read all units anew for a new one, and knows it", async () => {
      const before = await loaded();
      await applyAndWait(service("unheard-of"));
      assert.equal(await show("UnitFileState", "unheard-of"), "enabled");
      assert.equal(await loaded(), before);
      await applyAndWait(service("unheard-of", [], { Service: { Nice: "4" } }));
      assert.equal(await show("Nice", "unheard-of"), "4");
      assert.notEqual(await loaded(), before);
    });

    it("reads a new one in place of a running one of the same name from elsewhere", async () => {
      const packaged = "/usr/lib/systemd/system/packaged.service";
      await machine.output(
        `printf '[Service]\nExecStart=sleep infinity\n' >${packaged}; systemctl start packaged`,
      );
      await applyAndWait(service("packaged", [], { Service: { Nice: "4" } }));
      assert.equal(await show("Nice", "packaged"), "4");
      await done(node("remove", service("packaged")));
      await machine.output(`rm ${packaged}; systemctl daemon-reload`);
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

    it("for a changed setting of its unit", async () => {
      await applyAndWait(service("unit-change"));
      const before = await invocation("unit-change");
      await applyAndWait(service("unit-change", [], { Service: { Nice: "7" } }));
      assert.notEqual(await invocation("unit-change"), before);
      const process = await show("MainPID", "unit-change");
      assert.equal(await machine.output(`ps --no-headers -o nice ${process} | tr -d ' '`), "7");
    });

    it("not for another mode or owner of its unit or files", async () => {
      const path = "/etc/stricter/file";
      const one = service("stricter", [file(path)]);
      const other = {
        ...one,
        files: one.files.map((file) => ({ ...file, mode: "0640", owner: "root:adm" })),
      };
      await applyAndWait(one);
      const before = await invocation("stricter");
      await applyAndWait(other);
      assert.equal(await invocation("stricter"), before);
      assert.equal(
        await machine.output(`stat --format='%a %U:%G' ${path} ${unitPath("stricter")}`),
        "640 root:adm\n640 root:adm",
      );
      await applyAndWait({
        ...other,
        files: other.files.map((file) => ({ ...file, mode: "0600", text: `${file.text}# more\n` })),
      });
      assert.notEqual(await invocation("stricter"), before);
    });

    it("not because an earlier agent, which counted modes, has started it", async () => {
      const one = service("former", [file("/etc/former/file")]);
      const other = { ...one, files: one.files.map((file) => ({ ...file, mode: "0600" })) };
      await applyAndWait(one);
      const before = await invocation("former");
      const counted = one.files.map(({ path, text }) => `${path} 0644 root:root\n${text}`);
      const digest = createHash("sha256").update(`former.service\n${counted.join("")}`);
      const started = "/var/lib/kthw/services/former/started";
      await machine.output(`printf ${digest.digest("hex")} >${started}`);
      await applyAndWait(other);
      assert.equal(await invocation("former"), before);
      await machine.output(`printf ${"0".repeat(64)} >${started}`);
      await applyAndWait(other);
      assert.notEqual(await invocation("former"), before);
    });

    it("not for a file that is read anew at each use", async () => {
      const one = (word: string) => service("living", [{ ...config("living", word), live: true }]);
      await applyAndWait(one("one"));
      const before = await invocation("living");
      await applyAndWait(one("two"));
      assert.equal(await text("/etc/living/file"), "two\n");
      assert.equal(await invocation("living"), before);
    });

    it("not because it reads less than it did when it started, unless that has changed", async () => {
      await machine.output("mkdir -p /etc/pairs; echo 1 >/etc/pairs/live; echo 1 >/etc/pairs/kept");
      const reading = (...names: string[]) =>
        service("taken-over", [], { reads: names.map((name) => `/etc/pairs/${name}`) });
      await applyAndWait(reading("live", "kept"));
      const before = await invocation("taken-over");
      await applyAndWait(reading("kept"));
      assert.equal(await invocation("taken-over"), before);
      await machine.output("echo 2 >/etc/pairs/live");
      await applyAndWait(reading("kept"));
      assert.equal(await invocation("taken-over"), before);
      await applyAndWait(reading("kept", "live"));
      const more = await invocation("taken-over");
      assert.notEqual(more, before);
      await machine.output("echo 3 >/etc/pairs/live");
      await applyAndWait(reading("kept"));
      assert.notEqual(await invocation("taken-over"), more);
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

    it("takes back what the service did by the former description, and nothing while that holds", async () => {
      const undo = ["echo undone >>/run/undone"];
      const more = { undo, files: [file("/etc/undoing/more")] };
      await applyAndWait(picky("undoing", "good", { undo }));
      await applyAndWait(picky("undoing", "good", more));
      await fails(node("apply --wait", picky("undoing", "fall")), /healthy with them\.$/m);
      await done(node("check", picky("undoing", "good", more)));
      assert.equal(await exists("/run/undone"), false);
      for (const _ of ["first", "second"]) await applyAndWait(picky("undoing", "good"));
      assert.equal(await text("/run/undone"), "undone\n");
      await fails(node("apply --wait", picky("undoing", "fall", more)), /healthy with them\.$/m);
      assert.equal(await text("/run/undone"), "undone\nundone\n");
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
});
