import { type Plan, planOf } from "../../../operations/plan/plan.ts";
import { nameOf } from "../../../operations/plan/steps.ts";
import { importTestImage, namespace, readyNodes, startPod } from "./cluster.ts";
import type { LiveStack } from "./live-stack.ts";
import { changed, logins, restarted } from "./machines.ts";
import { changedLines, type LineChange } from "./preview.ts";
import { eventually, step } from "./run.ts";

/** The promises for a cluster on a computer with two cores. */
export const bars = {
  creationSeconds: 60,
  noChangeSeconds: 12,
  commandsPerController: 16,
  commandsPerWorker: 8,
  writtenMiBByController: 1_100,
  writtenMiBByWorker: 750,
  joinSeconds: { certificates: 30, bootstrapToken: 45, kubeadm: 45 },
  leaveSeconds: 30,
  destructionSeconds: 20,
} as const;

/** Boots the stack's machines and leaves them empty; returns the seconds. */
export async function bootMachines(stack: LiveStack): Promise<number> {
  return (await step("boot the machines", () => stack.upMachinesOnly())).seconds;
}

/** Makes a cluster of booted, empty machines; returns the seconds until all Nodes are Ready and DNS answers from a Pod. */
export async function createCluster(stack: LiveStack): Promise<number> {
  const { seconds } = await step("pulumi up", () => stack.up());
  await stack.takeKubeconfig();
  const workers = (await stack.machines.names()).filter((name) => name.startsWith("worker"));
  await step("import the test image (not counted)", () => importTestImage(stack, workers));
  const start = performance.now();
  await step("all nodes Ready, DNS answers from a pod", async () => {
    const nodes = (await stack.machines.names()).length - 1;
    const ready = await readyNodes(stack);
    if (ready.length !== nodes) throw new Error(`only ${ready} are Ready`);
    await startPod(stack, "probe");
    const lookUp = ["/agnhost", "connect", "kubernetes.default.svc.cluster.local:443"];
    const pod = [`--namespace=${namespace}`, "exec", "probe", "--"];
    await eventually(() => stack.kubectl([...pod, ...lookUp, "--timeout=3s"]));
  });
  return seconds + (performance.now() - start) / 1000;
}

/** Updates an unchanged stack. */
export async function updateWithoutChange(
  stack: LiveStack,
): Promise<{ readonly seconds: number; readonly logins: number; readonly said: string }> {
  const before = await stack.machines.lookAll();
  const { seconds, stdout } = await step("pulumi up without a change", () => stack.up());
  const counts = logins(before, await stack.machines.lookAll());
  const sum = Object.values(counts).reduce((one, other) => one + other, 0);
  return { seconds, logins: sum, said: stdout };
}

/** The number of commands on each machine at the first update. */
export async function commandsPerMachine(stack: LiveStack): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { type, urn } of (await stack.export()).deployment.resources) {
    if (type !== "command:remote:Command") continue;
    const [machine] = nameOf(urn).split(":") as [string];
    counts[machine] = (counts[machine] ?? 0) + 1;
  }
  return counts;
}

/** The effects of a changed setting. */
export interface Change {
  /** The changed lines of files in the preview. */
  readonly lines: readonly LineChange[];
  /** Logins by machine. */
  readonly logins: Readonly<Record<string, number>>;
  /** Services that were started, stopped or restarted. */
  readonly restarted: readonly string[];
  /** The plan, read from the preview. */
  readonly plan: Plan;
  /** Files on machines that changed, as `machine path`. */
  readonly changed: readonly string[];
  readonly seconds: number;
}

/** Gives the kubelet of one worker another limit of Pods. */
export async function changeKubelet(stack: LiveStack, maxPods: number): Promise<Change> {
  await stack.configure(({ workerPools }) => {
    workerPools![0]!.machines![0]!.kubelet = { maxPods };
  });
  const steps = await step("pulumi preview", () => stack.preview());
  const before = await stack.machines.lookAll();
  const { seconds } = await step("pulumi up", () => stack.up());
  const after = await stack.machines.lookAll();
  return {
    lines: changedLines(steps),
    logins: logins(before, after),
    restarted: restarted(before, after),
    plan: planOf(steps),
    changed: changed(before, after),
    seconds,
  };
}

/** Ways in which a worker joins. */
export type Join = keyof typeof bars.joinSeconds;

/** The effects of a machine that joins or leaves. */
export interface Move {
  readonly seconds: number;
  /** Services of other machines that were started, stopped or restarted. */
  readonly restarted: readonly string[];
}

/** Adds a machine in a pool of its own; `seconds` includes the boot of the machine. */
export async function joinWorker(stack: LiveStack, join: Join, number: number): Promise<Move> {
  const name = `worker${number}`;
  await stack.configure(({ workerPools }) => {
    workerPools!.push({
      name,
      join,
      machines: [{ name, address: `10.240.0.2${number}`, podCidr: `10.200.2${number}.0/24` }],
    });
  });
  const before = await stack.machines.lookAll();
  const { seconds } = await step(`${name} joins by ${join}`, () => stack.up());
  const ready = await readyNodes(stack);
  if (!ready.includes(name)) throw new Error(`only ${ready} are Ready`);
  const units = restarted(before, await stack.machines.lookAll());
  return { seconds, restarted: units.filter((unit) => !unit.startsWith(`${name} `)) };
}

/** Takes the last pool out of the settings; `seconds` includes the draining and the removal of its machines. */
export async function leaveWorkers(stack: LiveStack): Promise<Move> {
  await stack.configure(({ workerPools }) => {
    workerPools!.pop();
  });
  const before = await stack.machines.lookAll();
  const { seconds } = await step("the last pool leaves", () => stack.up());
  return { seconds, restarted: restarted(before, await stack.machines.lookAll()) };
}

/** Destroys the stack; returns the seconds. */
export async function destroy(stack: LiveStack): Promise<number> {
  const result = await step("pulumi destroy", () =>
    stack.succeeding("destroy", "--yes", "--skip-preview"),
  );
  return result.seconds;
}
