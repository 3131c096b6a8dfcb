import assert from "node:assert/strict";
import { importTestImage, readyNodes, startPod } from "./support/cluster.ts";
import type { LiveStack, WrittenSettings } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { step } from "./support/run.ts";

const lb = { name: "lb", address: "10.240.0.10" };

describeLive("the endpoint", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;

  const server = async () => {
    const conf = await stack.machines.inside("cp1", "cat /etc/kubernetes/kubelet.conf");
    return /server: (\S+)/.exec(conf)?.[1];
  };
  const change = (settings: (settings: WrittenSettings) => void) => stack.configure(settings);

  before(async () => {
    stack = live.stack;
    await change((settings) => {
      settings.loadBalancers = [];
      settings.controllers = settings.controllers!.slice(0, 1);
      settings.controllerTaints = [];
      settings.workerPools = [];
    });
    await step("boot one machine", () => stack.upMachinesOnly());
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    await stack.takeKubeconfig();
  });

  itOnceUp("is the only controller, of a cluster of one machine", async () => {
    assert.deepEqual(await stack.machines.names(), ["cp1"]);
    assert.deepEqual(await readyNodes(stack), ["cp1"]);
    assert.equal(await server(), "https://10.240.0.11:6443");
    const { code, stdout } = await step("smoke", () =>
      stack.script("operations/smoke/run-smoke.ts"),
    );
    assert.equal(code, 0, stdout);
  });

  itOnceUp("becomes a load balancer", async () => {
    await change((settings) => {
      settings.loadBalancers = [lb];
    });
    await step("pulumi up", () => stack.up());
    assert.equal(await server(), "https://10.240.0.10:6443");
    await importTestImage(stack, ["cp1"]);
    await startPod(stack, "first");
  });
});
