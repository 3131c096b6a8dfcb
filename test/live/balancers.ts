/**
 * Changes what leads to the API of a cluster with three controllers while the API is asked, kills the load balancer that has the shared
 * address, and prints what clients notice: `balancers.ts [changes|watches]…`, both without a word.
 */
import assert from "node:assert/strict";
import { argv } from "node:process";
import { quoted } from "../../node/shell.ts";
import { importTestImage, namespace, startPod } from "./support/cluster.ts";
import { LiveStack } from "./support/live-stack.ts";
import { Prober } from "./support/prober.ts";
import { sleep, step } from "./support/run.ts";
import { failures, whileProbed } from "./support/undisturbed.ts";

const stack = await LiveStack.create();
const { machines } = stack;
const lb = { name: "lb", address: "10.240.0.10" };
const lb2 = { name: "lb2", address: "10.240.0.9" };
const shared = "10.240.0.5";
const wanted = argv.slice(2);
const isWanted = (word: string) => wanted.length === 0 || wanted.includes(word);

/** The load balancer that has the shared address. */
async function holder(): Promise<string> {
  const has = `ip -4 -oneline address show to ${shared}`;
  const said = await Promise.all(
    [lb, lb2].map(async ({ name }) => ((await machines.inside(name, has)) === "" ? [] : [name])),
  );
  const [first, ...more] = said.flat();
  assert.ok(first !== undefined && more.length === 0, `${said}`);
  return first;
}

/** Changes something while the API is asked and watched: nothing may fail. */
async function probed(title: string): Promise<void> {
  const noticed = await whileProbed(stack, () => step(title, () => stack.up()));
  assert.deepEqual(failures(noticed), []);
}

/** Kills the machine that has the shared address while the API is asked. */
async function lose(): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/probed-1`;
  const prober = new Prober(await stack.takeKubeconfig(), [path], 2_000);
  await sleep(2);
  await machines.kill(await holder());
  await sleep(8);
  const { requests, failures, p99Ms } = await prober.stop();
  const seconds = failures.map((one) => Number(/^after (\S+) s/.exec(one)![1]));
  const lasting = failures.length === 0 ? 0 : Math.max(...seconds) - Math.min(...seconds);
  const within = `sent within ${lasting.toFixed(1)} s`;
  console.log(`      ${failures.length} failed of ${requests}, ${within}; p99 ${p99Ms} ms`);
  assert.ok(lasting <= 3);
}

const pki = "/var/lib/kubelet/pki";
const api = `curl --silent --show-error --http1.1 --no-buffer --cacert ${pki}/ca.crt --cert ${pki}/kubelet-client.crt --key ${pki}/kubelet-client.key`;
const node = `'https://${shared}:6443/api/v1/nodes?watch=1&fieldSelector=metadata.name=worker1&timeoutSeconds=3600'`;
/** Watches of a Node that nothing happens to, by what keeps the connection under watch. */
const watches = {
  "pings of HTTP/2": "kubectl --kubeconfig /etc/kubernetes/kubelet.conf get node worker1 --watch",
  "TCP keepalive": `${api} ${node}`,
  nothing: `${api} --no-keepalive ${node}`,
};
const patienceSeconds = 100;

/** Holds watches on a machine while something happens, and tells when each ends, and whether each has seen a change from after that. */
async function held(title: string, happen: () => Promise<unknown>): Promise<void> {
  const started = Object.values(watches).map((command, index) => {
    const run = `/run/watch-${index}`;
    const watch = `bash -c ${quoted(command)} >${run}.seen 2>&1; date +%s >${run}.end`;
    return `rm -f ${run}.*; (${watch}) </dev/null >/dev/null 2>&1 &`;
  });
  await machines.inside("worker1", started.join("\n"));
  await sleep(3);
  const moved = Number(await machines.inside("worker1", "date +%s"));
  await step(title, happen);
  await sleep(5);
  const mark = `moved-${moved}`;
  await stack.kubectl(["label", "node", "worker1", `example.com/mark=${mark}`, "--overwrite"]);
  await sleep(patienceSeconds - 5);
  for (const [index, name] of Object.keys(watches).entries()) {
    const ended = await machines.inside(
      "worker1",
      `cat /run/watch-${index}.end 2>/dev/null || true`,
    );
    const seen = await machines.inside("worker1", `cat /run/watch-${index}.seen`);
    const how =
      ended === "" ? `open after ${patienceSeconds} s` : `ended after ${Number(ended) - moved} s`;
    const last = seen.trimEnd().split("\n").at(-1)!.slice(0, 120);
    console.log(
      `      ${name}: ${how}, ${seen.includes(mark) ? "saw" : "did not see"} the change; ${last}`,
    );
  }
  await machines.inside("worker1", "pkill --full '[w]atch=1|[-]-watch' || true");
}

try {
  await stack.configure((settings) => {
    settings.loadBalancers = isWanted("changes") ? [lb] : [lb, lb2];
    if (!isWanted("changes")) settings.endpoint = { address: shared };
    settings.workerPools![0]!.machines!.splice(1);
  });
  await step("boot the machines", () => stack.upMachinesOnly());
  await step("pulumi up", () => stack.up());
  await stack.takeKubeconfig();
  await stack.kubectl(["create", "namespace", namespace]);
  if (isWanted("changes")) {
    await stack.configure((settings) => {
      settings.loadBalancers = [lb, lb2];
      settings.endpoint = { address: shared };
    });
    await probed("one load balancer to two");
    const files = ["api-load-balancer", "shared-address"].map((name) => `/etc/kthw/${name}.conf`);
    for (const { name } of [lb, lb2])
      await machines.inside(
        name,
        `for file in ${files.join(" ")}; do echo "# changed" >>$file; done`,
      );
    await stack.configure((settings) => {
      settings.reassert = 2;
    });
    await probed("nginx's and keepalived's files on both");
    await importTestImage(stack, ["worker1"]);
    const former = await holder();
    await step("the machine that has the address is killed", lose);
    await step("a Pod starts", () => startPod(stack, "after"));
    await step("pulumi up", () => stack.up());
    assert.notEqual(await holder(), former);
    await stack.configure((settings) => {
      settings.loadBalancers = [lb];
      delete settings.endpoint;
    });
    await probed("two load balancers to one");
  }
  if (isWanted("watches")) {
    if (isWanted("changes")) {
      await stack.configure((settings) => {
        settings.loadBalancers = [lb, lb2];
        settings.endpoint = { address: shared };
      });
      await step("one load balancer to two", () => stack.up());
    }
    const first = await holder();
    await held("keepalived stops where the address is", () =>
      machines.inside(first, "systemctl stop shared-address"),
    );
    await machines.inside(first, "systemctl start shared-address");
    await held("the machine that has the address is killed", async () => {
      await machines.kill(await holder());
    });
  }
} finally {
  await stack.remove();
}
