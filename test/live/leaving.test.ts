import assert from "node:assert/strict";
import { changedPaths, planOf } from "../../operations/plan/plan.ts";
import { etcdctl, list, namespace, place, readyNodes, startPod } from "./support/cluster.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { changed, restarted } from "./support/machines.ts";
import { bootMachines, createCluster } from "./support/measures.ts";
import { eventually, sleep, step } from "./support/run.ts";
import { whileServiceAsked } from "./support/service-prober.ts";
import { avoidable, whileProbed } from "./support/undisturbed.ts";
import { budget, deployment, service } from "./support/web.ts";

const controllers = ["cp1", "cp2", "cp3"];

describeLive("machines that leave a cluster", (live) => {
  let stack: LiveStack;
  let all: LiveStack["settings"]["controllers"];

  const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
  const withoutChange = () => stack.succeeding("preview", "--expect-no-changes");
  const withoutWorker = (name: string) =>
    stack.configure(({ workerPools }) => {
      const [pool] = workerPools!;
      pool!.machines = pool!.machines!.filter((machine) => machine.name !== name);
    });
  const podsOn = async (node: string) =>
    (await list(stack, "pods", `--namespace=${namespace}`, "--selector=app=web"))
      .filter(({ spec }) => spec.nodeName === node)
      .map(({ metadata }) => metadata.name);
  const etcd = async (command: string) =>
    JSON.parse(await stack.machines.inside("cp1", `${etcdctl} ${command} --write-out=json`));

  before(async () => {
    stack = live.stack;
    await stack.configure((written) => {
      const worker = (number: number) => ({
        name: `worker${number}`,
        address: `10.240.0.2${number}`,
        podCidr: `10.200.2${number}.0/24`,
      });
      written.workerPools = [{ name: "workers", machines: [1, 2, 3, 4].map(worker) }];
    });
    all = stack.settings.controllers;
    await bootMachines(stack);
    await createCluster(stack);
    await inNamespace("delete", "pod", "probe");
    live.isUp = true;
  });

  it("stay, and take pods again, when a disruption budget holds their pods back", async () => {
    await step("a replica on each worker, all of which are needed", async () => {
      await place(stack, deployment(4), service, budget(4));
      await inNamespace("rollout", "status", "deployment/web", "--timeout=60s");
    });
    const before = await stack.machines.lookAll();
    await stack.configure((written) => {
      written.drainTimeoutSeconds = 3;
    });
    await withoutWorker("worker4");
    const { code, stdout, stderr } = await step("pulumi up", () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /worker4: not drained within 3 s; these pods are still on it:/);
    assert.match(stdout + stderr, /needed/);
    const [node] = await list(stack, "nodes", "--selector=kubernetes.io/hostname=worker4");
    assert.equal(Object(node?.spec).unschedulable, undefined);
    assert.equal((await podsOn("worker4")).length, 1);
    await live.restoreSettings();
    await step("pulumi preview", withoutChange);
    assert.deepEqual(changed(before, await stack.machines.lookAll()), []);
    await inNamespace("delete", "poddisruptionbudget", "needed");
  });

  it("leave while a Service with replicas elsewhere answers every request", async () => {
    const [{ spec }] = (await list(stack, "services", `--namespace=${namespace}`)) as [
      Awaited<ReturnType<typeof list>>[0],
    ];
    const before = await stack.machines.lookAll();
    await withoutWorker("worker4");
    const steps = await step("pulumi preview", () => stack.preview());
    const plan = planOf(steps);
    const [seconds, { requests, failures, maxMs, p99Ms }] = await whileServiceAsked(
      `${stack.namespace}:worker1`,
      `http://${spec.clusterIP}/hostname`,
      async () => {
        await sleep(2);
        const { seconds } = await step("pulumi up", () => stack.up());
        await sleep(2);
        return seconds;
      },
    );
    console.log(
      `      ${failures.length} of ${requests} requests failed, p99 ${p99Ms} ms, slowest ${maxMs} ms`,
    );
    console.log(`      ${seconds.toFixed(1)} s (bar: 30 s)`);
    assert.deepEqual(failures, []);
    assert.ok(requests >= 100, `only ${requests} requests`);
    const after = await stack.machines.lookAll();
    assert.ok(!after.has("worker4"));
    assert.deepEqual(restarted(before, after), []);
    assert.deepEqual(changed(before, after), changedPaths(plan));
    assert.equal(plan.get("worker4")?.fate, "lost");
    assert.ok(!(await nodes(stack)).includes("worker4"));
    await step("pulumi preview", withoutChange);
  });

  it("leave when they are dead, and their pods start elsewhere", async () => {
    await stack.machines.kill("worker3");
    await withoutWorker("worker3");
    await step("pulumi up", () => stack.up());
    assert.deepEqual(await readyNodes(stack), [...controllers, "worker1", "worker2"]);
    await step("all replicas on the others", () =>
      inNamespace("rollout", "status", "deployment/web", "--timeout=60s"),
    );
    await step("pulumi preview", withoutChange);
  });

  it("stay when etcd would be left without a healthy member", async () => {
    const before = await stack.machines.lookAll();
    // Broken so that no restart heals it.
    const dropIn = "/run/systemd/system/etcd.service.d";
    const broken = "[Service]\nExecStart=\nExecStart=/bin/false\n";
    await stack.machines.inside(
      "cp1",
      `mkdir ${dropIn} && cat >${dropIn}/broken.conf && systemctl daemon-reload && systemctl restart --no-block etcd.service`,
      broken,
    );
    await stack.configure((written) => {
      written.controllers = written.controllers!.slice(0, 1);
    });
    const { code, stdout, stderr } = await step("pulumi up", () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /etcd.service on cp1 is not healthy/);
    await stack.machines.inside(
      "cp1",
      `rm -r ${dropIn} && systemctl daemon-reload && systemctl restart etcd.service`,
    );
    await eventually(async () => {
      assert.deepEqual(await members(), controllers);
      assert.deepEqual(await readyNodes(stack), [...controllers, "worker1", "worker2"]);
    });
    const units = restarted(before, await stack.machines.lookAll());
    assert.ok(!units.some((unit) => unit.includes("kube-apiserver")), `${units}`);
    await live.restoreSettings();
    await step("pulumi up with the former settings", () => stack.up());
  });

  it("leave as controllers, their members of etcd before them", async () => {
    await inNamespace("create", "configmap", "survivor");
    await stack.configure((written) => {
      written.controllers = written.controllers!.slice(0, 1);
    });
    await answering(() => stack.up());
    assert.deepEqual(await members(), ["cp1"]);
    assert.deepEqual(await nodes(stack), ["cp1", "worker1", "worker2"]);
    assert.deepEqual(await stack.machines.names(), ["cp1", "lb", "worker1", "worker2"]);
    await inNamespace("get", "configmap", "survivor");
    await startPod(stack, "afterwards", "worker1");
    await step("pulumi preview", withoutChange);
  });

  it("come back as controllers, though a learner that nobody started is in the way", async () => {
    await stack.machines.inside(
      "cp1",
      `${etcdctl} member add ghost --learner --peer-urls=https://10.240.0.99:2380`,
    );
    await stack.configure((written) => {
      written.controllers = all;
    });
    await answering(() => stack.up());
    assert.deepEqual(await members(), controllers);
    assert.deepEqual(await readyNodes(stack), [...controllers, "worker1", "worker2"]);
  });

  it("are made anew by name, the first controller, too", async () => {
    const before = await stack.machines.lookAll();
    await lead("cp1");
    await answering(() => stack.up("--replace", "**:Command::cp1"));
    assert.deepEqual(await members(), controllers);
    await inNamespace("get", "configmap", "survivor");
    const others = new Map([...before].filter(([name]) => name !== "cp1"));
    assert.deepEqual(restarted(others, await stack.machines.lookAll()), []);
    await step("pulumi preview", withoutChange);
  });

  /** Lets the API be asked while the stack changes: every request must be answered. */
  async function answering(change: () => Promise<unknown>): Promise<void> {
    const noticed = await whileProbed(stack, () => step("pulumi up", change));
    assert.deepEqual(avoidable(noticed), []);
  }

  /** Makes the member of a controller lead etcd. */
  async function lead(name: string): Promise<void> {
    const all = controllers.map((_, index) => `https://10.240.0.1${index + 1}:2379`).join(",");
    await stack.machines.inside(
      "cp1",
      `id=$(${etcdctl} member list | awk -F', ' '$3 == "${name}" { print $1 }')
      ${etcdctl} --endpoints=${all} move-leader "$id"`,
    );
  }

  async function members(): Promise<string[]> {
    const { members } = await etcd("member list");
    const voters = members.filter(({ isLearner }: { isLearner?: boolean }) => !isLearner);
    return voters.map(({ name }: { name: string }) => name).sort();
  }
});

/** Names of all Nodes, Ready or not. */
async function nodes(stack: LiveStack): Promise<string[]> {
  return (await list(stack, "nodes")).map(({ metadata }) => metadata.name).sort();
}
