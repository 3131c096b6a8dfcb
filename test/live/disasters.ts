/**
 * Loses controllers, the load balancer and the state of a cluster for good, goes the ways of docs/disaster.md, and prints what each says and
 * takes: `disasters.ts [two|all|balancer|state]…`, all four without a word.
 */
import assert from "node:assert/strict";
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { importTestImage, list, namespace, readyNodes, startPod } from "./support/cluster.ts";
import { LiveStack } from "./support/live-stack.ts";
import { eventually, type Result, step, succeeded } from "./support/run.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const stack = await LiveStack.create();
const { machines } = stack;
const controllers = ["cp1", "cp2", "cp3"];

const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
const show = ({ code, stdout, stderr, seconds }: Result, lines = 40) => {
  const said = (stdout + stderr).trim().split("\n").slice(-lines).join("\n");
  console.log(
    `${said.replaceAll(/^/gm, "      | ")}\n      status ${code}, ${seconds.toFixed(1)} s`,
  );
};
/** Runs a target of make, prints the end of what the target says, and returns the result. */
const make = async (lines: number, ...words: [string, ...string[]]) => {
  const result = await step(`make ${words.join(" ")}`, () => stack.make(...words));
  show(result, lines);
  return result;
};
const backup = async () => {
  const { stdout } = succeeded(await make(3, "backup"));
  return /^written to (.*)$/m.exec(stdout)![1]!;
};
/** Kills a machine, and takes its disk away. */
const lose = async (name: string) => {
  await machines.kill(name);
  await rm(join(machines.folder, name, "disk"), { recursive: true });
};
const survivor = () =>
  machines.inside("worker1", "crictl ps --quiet --name agnhost").then((text) => text.trim());

const wanted = argv.slice(2);
async function disaster(word: string, title: string, work: () => Promise<void>): Promise<void> {
  if (wanted.length > 0 && !wanted.includes(word)) return;
  console.log(`\n  ${title}`);
  await work();
}

/** The cluster is whole: nodes, the objects of before, one container that never ended, no difference, nothing left to do. */
async function isWhole(container: string): Promise<void> {
  await eventually(async () =>
    assert.deepEqual(await readyNodes(stack), [...controllers, "worker1"]),
  );
  assert.match(await inNamespace("get", "configmaps", "--output=name"), /configmap\/kept\n/);
  const pods = await list(stack, "pods", `--namespace=${namespace}`);
  assert.deepEqual(
    pods.map(({ metadata }) => metadata.name),
    ["survivor"],
  );
  const now = await survivor();
  console.log(`      the Pod's container ${now === container ? "ran on" : `is another: ${now}`}`);
  await step("nothing is left to do", () => stack.succeeding("preview", "--expect-no-changes"));
  await make(10, "check");
}

try {
  await stack.configure(({ workerPools }) => {
    workerPools![0]!.machines!.splice(1);
  });
  await stack.leaveOutPreviews();
  succeeded(await step("make up", () => stack.make("up")));
  await importTestImage(stack, ["worker1"]);
  await startPod(stack, "survivor", "worker1");
  await inNamespace("create", "configmap", "kept");
  const container = await survivor();

  await disaster("two", "two of three controllers", async () => {
    await lose("cp2");
    await lose("cp3");
    const write = await inNamespace("create", "configmap", "late", "--request-timeout=5s").catch(
      (error: Error) => error.message,
    );
    console.log(`      a write: ${write.slice(-200)}`);
    const left = await backup();
    await make(5, "restore", `SNAPSHOT=${left}`, "WITHOUT=cp2");
    succeeded(await make(40, "restore", `SNAPSHOT=${left}`, "WITHOUT=cp2,cp3"));
    await inNamespace("create", "configmap", "alone");
    succeeded(await make(12, "up"));
    await isWhole(container);
    await make(10, "etcdctl", "CMD=member list --write-out=table");
  });
  await disaster("all", "all controllers", async () => {
    const last = await backup();
    for (const name of controllers) await lose(name);
    await machines.inside("worker1", "systemctl stop kubelet");
    await stack.configure((settings) => {
      settings.etcd = { ...settings.etcd, generation: 2 };
    });
    succeeded(await make(12, "up"));
    succeeded(await make(40, "restore", `SNAPSHOT=${last}`));
    await isWhole(container);
  });
  await disaster("balancer", "the load balancer", async () => {
    await lose("lb");
    await step("a controller's own kubectl", async () =>
      console.log(
        await machines.inside("cp2", "kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes"),
      ),
    );
    succeeded(await make(12, "up"));
    await isWhole(container);
  });
  await disaster("state", "the state", async () => {
    const state = join(root, ".state", stack.name, "backend");
    await cp(state, `${state}.copy`, { recursive: true });
    await rm(state, { recursive: true });
    await mkdir(state);
    const { code, stdout, stderr } = await make(12, "up");
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /this computer has machines of a stack of this name/);
    await rm(state, { recursive: true, force: true });
    await cp(`${state}.copy`, state, { recursive: true });
    await isWhole(container);
  });
  await make(40, "smoke");
} finally {
  await stack.remove();
  await rm(join(root, "backups", stack.name), { recursive: true, force: true });
}
