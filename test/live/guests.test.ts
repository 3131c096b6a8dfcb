import assert from "node:assert/strict";
import { ask, list, namespace, place, startPod } from "./support/cluster.ts";
import { GuestMachine } from "./support/guest-machine.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { changed, type Looks, restarted } from "./support/machines.ts";
import { bootMachines, createCluster } from "./support/measures.ts";
import { eventually, step } from "./support/run.ts";

describeLive("a machine that Pulumi does not know", (live) => {
  let stack: LiveStack;
  let guest: GuestMachine;

  const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
  const inPod = (pod: string, ...args: string[]) => inNamespace("exec", pod, "--", ...args);
  const podRange = (node: string) =>
    stack.kubectl(["get", "node", node, "--output=jsonpath={.spec.podCIDR}"]);
  const guestRoutes = (machine: string) =>
    stack.machines.inside(machine, "ip route show proto 202");
  const lookAtOthers = async (): Promise<Looks> => {
    const looks = new Map(await stack.machines.lookAll());
    looks.delete(guest.name);
    return looks;
  };
  const join = async () => {
    const start = performance.now();
    await guest.join();
    console.log(`      ${((performance.now() - start) / 1000).toFixed(1)} s (bar: 45 s)`);
  };
  const startPodOnGuest = (name: string) =>
    step("a pod on it", () => startPod(stack, name, guest.name));
  const address = async (pod: string) => {
    const pods = await list(stack, "pods", `--namespace=${namespace}`, `--selector=app=${pod}`);
    return pods[0]!.status.podIP;
  };
  const talk = (one: string, other: string) =>
    step(`${one} and ${other} reach each other`, async () => {
      assert.equal(
        await eventually(async () => ask(stack, one, await address(other), 8080)),
        other,
      );
      assert.equal(await eventually(async () => ask(stack, other, await address(one), 8080)), one);
    });

  before(async () => {
    stack = live.stack;
    await stack.configure((settings) => {
      settings.controllers = settings.controllers!.slice(0, 1);
      const [pool] = settings.workerPools!;
      pool!.machines = pool!.machines!.slice(0, 1);
      settings.joinTokens = [{ name: "guests" }];
    });
    await bootMachines(stack);
    await createCluster(stack);
    live.isUp = true;
    guest = await step("boot a machine outside of Pulumi", () => GuestMachine.create(stack));
    await step("put on it what kubeadm needs", () => guest.prepare());
  });

  it("becomes a node by the join command, and nothing restarts or changes anywhere else", async () => {
    const before = await lookAtOthers();
    await join();
    await eventually(async () => {
      for (const machine of ["cp1", "worker1"])
        assert.match(await guestRoutes(machine), new RegExp(`via ${guest.address} `), machine);
    });
    const after = await lookAtOthers();
    assert.deepEqual(restarted(before, after), []);
    assert.deepEqual(changed(before, after), []);
  });

  it("gets a range of its own for its pods, and the others keep theirs", async () => {
    assert.equal(await podRange("cp1"), "10.200.11.0/24");
    assert.equal(await podRange("worker1"), "10.200.21.0/24");
    assert.match(await podRange(guest.name), /^10\.200\.(?!11\.|21\.)\d+\.0\/24$/);
  });

  it("runs pods that reach all others and services, by name too, and are reached by them", async () => {
    await guest.approve();
    await startPodOnGuest("away");
    await talk("probe", "away");
    await place(stack, service("probe"), service("away"));
    await step("services and names", async () => {
      for (const [from, to] of [
        ["probe", "away"],
        ["away", "away"],
        ["away", "probe"],
      ] as const) {
        const name = `${to}.${namespace}.svc.cluster.local`;
        assert.equal(await eventually(() => ask(stack, from, name, 80)), to, `${from} ${to}`);
      }
    });
    await step("what is no pod, under the node's address", () =>
      eventually(() => inPod("away", "/agnhost", "connect", "10.240.0.10:6443", "--timeout=3s")),
    );
  });

  it("shows its pods' logs, once an administrator has approved its serving certificate", async () => {
    assert.match(await eventually(() => inNamespace("logs", "away")), /8080/);
    assert.match(await inPod("away", "cat", "/etc/hostname"), /^away/);
  });

  it("has its routes to pods back after a link was down, as the others have", async () => {
    const routes = "ip route show proto 202 | sort";
    const flap = "ip link set eth0 down; ip link set eth0 up";
    const [ofGuest, ofWorker] = [await guest.inside(routes), await guestRoutes("worker1")];
    assert.notEqual(ofGuest.trim(), "");
    assert.notEqual(ofWorker.trim(), "");
    await guest.inside(flap);
    await stack.machines.inside("worker1", flap);
    await eventually(async () => {
      assert.equal(await guest.inside(routes), ofGuest);
      assert.equal(await guestRoutes("worker1"), ofWorker);
    }, 15);
    await talk("probe", "away");
  });

  it("is no change to Pulumi", async () => {
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
  });

  it("leaves without a trace on the others, and joins again by the same command", async () => {
    // Whoever watches the Nodes begins anew, and misses nothing.
    await step("restart the API server", async () => {
      await stack.machines.inside("cp1", "systemctl restart kube-apiserver");
      await eventually(() => stack.kubectl(["get", "--raw", "/readyz"]), 60);
    });
    const before = await lookAtOthers();
    await guest.leave();
    await eventually(async () => {
      for (const machine of ["cp1", "worker1"]) assert.equal(await guestRoutes(machine), "");
    });
    await join();
    await guest.approve();
    await startPodOnGuest("again");
    await talk("probe", "again");
    const after = await lookAtOthers();
    assert.deepEqual(restarted(before, after), []);
    assert.deepEqual(changed(before, after), []);
  });
});

const service = (app: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: app },
  spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080 }] },
});
