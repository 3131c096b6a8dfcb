import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  etcdctl,
  importTestImage,
  list,
  namespace,
  readyNodes,
  startPod,
} from "./support/cluster.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { eventually, output, type Result, run, step } from "./support/run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const controllers = ["cp1", "cp2", "cp3"];

/** The promise for a computer with two cores. */
const barSeconds = 90;

describeLive("the data of etcd", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  let snapshot: string;

  const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
  const onEach = (script: string) =>
    Promise.all(controllers.map((name) => stack.machines.inside(name, script)));
  /** Runs a program of operations/ on the stack, successful or not. */
  const operate = (program: string, ...args: string[]): Promise<Result> =>
    run(process.execPath, ["--import", "tsx", `operations/${program}.ts`, stack.name, ...args], {
      cwd: root,
      env: stack.environment,
      timeoutSeconds: 300,
    });
  const uid = async (name: string) =>
    (await inNamespace("get", "pod", name, "--output=jsonpath={.metadata.uid}")).trim();

  before(async () => {
    stack = live.stack;
    await stack.configure((settings) => {
      settings.workerPools = [];
      settings.controllerTaints = [];
      settings.etcd = { quotaMiB: 64, backup: { keep: 2 } };
    });
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    await stack.takeKubeconfig();
    await importTestImage(stack, controllers);
    await startPod(stack, "survivor", "cp2");
    await inNamespace("create", "configmap", "kept", "--from-literal=is=here");
    for (const number of [1, 2, 3])
      await inNamespace("create", "secret", "generic", `s${number}`, `--from-literal=n=${number}`);
  });

  after(() => rm(`${root}backups/${stack.name}`, { recursive: true, force: true }));

  itOnceUp(
    "comes to this computer as a verified snapshot, with the names of its keys and no key",
    async () => {
      const { code, stdout, stderr } = await step("make backup", () => operate("etcd/run-backup"));
      assert.equal(code, 0, stderr);
      snapshot = /^written to (.*)$/m.exec(stdout)?.[1] ?? "";
      const text = await readFile(`${root}${snapshot.replace(/db$/, "txt")}`, "utf8");
      assert.match(text, /^cluster: kubernetes$/m);
      assert.match(text, /^encryption: aescbc\/key1$/m);
      assert.match(stdout, /only the stack's state has that key/);
      const mode = await output("stat", ["--format=%a", `${root}${snapshot}`]);
      assert.equal(mode.trim(), "600");
      assert.equal(await stack.machines.inside("cp1", "ls -A /var/backups/etcd"), "");
    },
  );

  itOnceUp("is restored after all of it was destroyed, and those who watched notice", async () => {
    const before = await uid("survivor");
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    const { metadata } = JSON.parse(await stack.kubectl(["get", "--raw", maps])) as {
      metadata: { resourceVersion: string };
    };
    await inNamespace("delete", "configmap", "kept");
    await inNamespace("create", "configmap", "late");
    await startPod(stack, "late", "cp1");

    const damaged = `${root}backups/${stack.name}/damaged.db`;
    await writeFile(damaged, (await readFile(`${root}${snapshot}`)).subarray(512));
    const refused = await operate("etcd/run-restore", damaged);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^SNAPSHOT: not a whole snapshot of etcdctl, got /m);

    await onEach("systemctl kill --signal=KILL etcd; rm -rf /var/lib/etcd/member");
    const { code, stdout, stderr, seconds } = await step("make restore", () =>
      operate("etcd/run-restore", snapshot),
    );
    console.log(stdout.replaceAll(/^/gm, "      "));
    console.log(`      ${seconds.toFixed(1)} s (bar: ${barSeconds} s)`);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await readyNodes(stack), controllers);
    assert.equal(await uid("survivor"), before);
    const objects = await inNamespace("get", "configmaps,secrets", "--output=name");
    assert.match(objects, /configmap\/kept\n/);
    assert.doesNotMatch(objects, /configmap\/late\n/);
    const treasure = await inNamespace("get", "secret", "s3", "--output=jsonpath={.data.n}");
    assert.equal(Buffer.from(treasure, "base64").toString(), "3");
    const watch = `${maps}?watch=1&timeoutSeconds=5&resourceVersion=${metadata.resourceVersion}`;
    assert.match(await stack.kubectl(["get", "--raw", watch]), /"code":410\b/);
    await step("the Pod of after the snapshot ends", () =>
      eventually(async () => {
        const pods = await list(stack, "pods", `--namespace=${namespace}`);
        assert.deepEqual(
          pods.map((pod) => pod.metadata.name),
          ["survivor"],
        );
        const left = await stack.machines.inside("cp1", "crictl pods --name late --quiet");
        assert.equal(left, "");
      }, 120),
    );
    await step("controllers, kube-proxy and DNS see what is new", async () => {
      await inNamespace(
        "expose",
        "pod",
        "survivor",
        "--name=fresh",
        "--port=80",
        "--target-port=8080",
      );
      await eventually(() =>
        inNamespace(
          "exec",
          "survivor",
          "--",
          "/agnhost",
          "connect",
          "--timeout=2s",
          `fresh.${namespace}.svc.cluster.local:80`,
        ),
      );
    });
    const preview = () => stack.succeeding("preview", "--expect-no-changes");
    await step("pulumi preview", preview);
    const check = await step("make check", () => operate("check/run-check"));
    assert.equal(check.code, 0, check.stdout);
  });

  itOnceUp("is named where it is full, and gets room by one command", async () => {
    // One key with many former values.
    const fill = `for number in $(seq 60); do
        head --bytes=1000000 /dev/urandom | base64 --wrap=0 | ${etcdctl} put /filler >/dev/null || exit 0
      done; exit 1`;
    await step("etcd is filled", () => stack.machines.inside("cp1", fill));
    const named = /cp\d: etcd has raised the alarm NOSPACE: .*; run make defragment/;
    const check = await step("make check", () => operate("check/run-check"));
    assert.match(check.stdout, named);
    assert.equal(check.code, 1);
    const smoke = await step("make smoke", () => operate("smoke/run-smoke"));
    assert.match(smoke.stdout, named);
    const up = await step("the last step of make up", () => operate("etcd/name-alarms"));
    assert.match(up.stderr, named);
    assert.equal(up.code, 1);
    const defragment = await step("make defragment", () => operate("etcd/run-defragment"));
    assert.equal(defragment.code, 0, defragment.stderr);
    await inNamespace("create", "configmap", "afterwards");
    assert.equal((await operate("etcd/name-alarms")).code, 0);
    const said = await operate("etcd/run-etcdctl", "alarm list");
    assert.deepEqual({ code: said.code, stdout: said.stdout }, { code: 0, stdout: "" });
  });

  itOnceUp("is kept by a timer on each controller, whose failure is named", async () => {
    const start = "systemctl start etcd-backup.service";
    await stack.machines.inside("cp1", `for _ in 1 2 3; do ${start}; sleep 1; done`);
    const kept = await stack.machines.inside(
      "cp1",
      "ls /var/backups/etcd | sed 's/.*[.]//' | xargs",
    );
    assert.equal(kept.trim(), "db txt db txt");
    const away = "mv /var/backups/etcd /var/backups/away";
    await stack.machines.inside("cp1", `${away}; ! ${start}`);
    const { stdout } = await step("make check", () => operate("check/run-check"));
    assert.match(stdout, /^cp1: etcd-backup[.]service: failed: .*No such file/m);
    await stack.machines.inside("cp1", `mv /var/backups/away /var/backups/etcd; ${start}`);
    const timers = await onEach(
      "systemctl is-active etcd-backup.timer etcd-defragment.timer | xargs",
    );
    assert.deepEqual(
      timers.map((text) => text.trim()),
      controllers.map(() => "active active"),
    );
  });
});
