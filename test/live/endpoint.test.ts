import assert from "node:assert/strict";
import { importTestImage, namespace, readyNodes, startPod } from "./support/cluster.ts";
import type { LiveStack, WrittenSettings } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { changed } from "./support/machines.ts";
import { changedLines } from "./support/preview.ts";
import { Prober } from "./support/prober.ts";
import type { Probing } from "./support/requests.ts";
import { eventually, sleep, step } from "./support/run.ts";

const lb = { name: "lb", address: "10.240.0.10" };
const lb2 = { name: "lb2", address: "10.240.0.9" };
const both = [lb.name, lb2.name];
const shared = "10.240.0.5";

describeLive("the endpoint", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;

  const path = `/api/v1/namespaces/${namespace}/configmaps/probed`;
  const server = async () => {
    const conf = await stack.machines.inside("cp1", "cat /etc/kubernetes/kubelet.conf");
    return /server: (\S+)/.exec(conf)?.[1];
  };
  const holders = async () => {
    const names = (await stack.machines.names()).filter((name) => name.startsWith("lb"));
    const has = `ip -4 -oneline address show to ${shared}`;
    const said = await Promise.all(
      names.map(async (name) => [name, await stack.machines.inside(name, has)] as const),
    );
    return said.flatMap(([name, text]) => (text === "" ? [] : [name]));
  };
  const ask = async (work: () => Promise<unknown>, silenceMs?: number): Promise<Probing> => {
    const prober = new Prober(await stack.takeKubeconfig(), [path], silenceMs);
    const worked = await sleep(2)
      .then(work)
      .then(() => sleep(2))
      .then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
    const results = await prober.stop();
    if (worked) throw worked.error;
    const { requests, failures, p99Ms, maxMs } = results;
    console.log(`    ${failures.length} of ${requests} failed, p99 ${p99Ms} ms, most ${maxMs} ms`);
    for (const failure of failures) console.log(`      ${failure}`);
    return results;
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
    await stack.kubectl([
      `--namespace=${namespace}`,
      "create",
      "configmap",
      "probed",
      "--from-literal=probe=0",
    ]);
  });

  itOnceUp("becomes an address that two load balancers share, and no request fails", async () => {
    await change((settings) => {
      settings.loadBalancers = [lb, lb2];
      settings.endpoint = { address: shared };
    });
    const lines = changedLines(await stack.preview());
    assert.ok(
      lines.some(({ resource, line }) => resource === "cp1:kubelet" && line.includes(shared)),
    );
    const { failures } = await ask(() => step("pulumi up", () => stack.up()));
    assert.deepEqual(failures, []);
    assert.equal(await server(), `https://${shared}:6443`);
    assert.equal((await holders()).length, 1);
    await stack.succeeding("preview", "--expect-no-changes");
  });

  itOnceUp("is changed one load balancer after another, the holder last", async () => {
    const [holder] = await holders();
    const files = ["api-load-balancer", "shared-address"].map((name) => `/etc/kthw/${name}.conf`);
    for (const name of both)
      for (const file of files) await stack.machines.inside(name, `echo "# changed" >>${file}`);
    const before = await stack.machines.lookAll();
    await change((settings) => {
      settings.reassert = 2;
    });
    const { failures } = await ask(() => step("pulumi up", () => stack.up()));
    assert.deepEqual(failures, []);
    assert.deepEqual(
      changed(before, await stack.machines.lookAll()),
      both.flatMap((name) => files.map((file) => `${name} ${file}`)).sort(),
    );
    const times = await Promise.all(
      both.map(async (name) => ({
        name,
        written: Number(await stack.machines.inside(name, `stat --format=%.Y ${files[0]}`)),
      })),
    );
    times.sort((one, other) => one.written - other.written);
    assert.equal(times.at(-1)!.name, holder);
    assert.deepEqual(await holders(), [holder]);
  });

  itOnceUp("is not given up for another while machines use it", async () => {
    await change((settings) => {
      settings.endpoint = { address: "10.240.0.6" };
    });
    const { code, stdout } = await stack.pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(
      stdout,
      /endpoint\.address: not to be changed while machines use another, got 10\.240\.0\.6/,
    );
    await live.restoreSettings();
  });

  itOnceUp("survives the machine that has it", async () => {
    const [holder] = await holders();
    const { failures } = await ask(async () => {
      await stack.machines.kill(holder!);
      await sleep(6);
    }, 2_000);
    const seconds = failures.map((failure) => Number(/^after (\S+) s/.exec(failure)![1]));
    const lasting = failures.length === 0 ? 0 : Math.max(...seconds) - Math.min(...seconds);
    console.log(`    requests that failed were sent within ${lasting.toFixed(1)} s`);
    assert.ok(lasting <= 3);
    await step("a pod starts", () => startPod(stack, "second"));
    await step("pulumi up", () => stack.up());
    await eventually(async () =>
      assert.deepEqual(
        await holders(),
        both.filter((name) => name !== holder),
      ),
    );
  });

  itOnceUp("becomes one load balancer again, and no request fails", async () => {
    await change((settings) => {
      settings.loadBalancers = [lb];
      delete settings.endpoint;
    });
    const { failures } = await ask(() => step("pulumi up", () => stack.up()));
    assert.deepEqual(failures, []);
    assert.equal(await server(), "https://10.240.0.10:6443");
    assert.deepEqual(await holders(), []);
    await step("a pod starts", () => startPod(stack, "third"));
  });
});
