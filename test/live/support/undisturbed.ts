import { namespace, place } from "./cluster.ts";
import type { LiveStack } from "./live-stack.ts";
import { restarted } from "./machines.ts";
import { Prober } from "./prober.ts";
import type { Probing } from "./requests.ts";
import { sleep } from "./run.ts";
import { Watcher, type Watching } from "./watcher.ts";

/** What clients of the API noticed while something changed. */
export interface Disturbance {
  readonly requests: Probing;
  readonly watch: Watching;
  /** Units that were started, stopped or restarted, as `machine unit`. */
  readonly restarted: readonly string[];
  readonly seconds: number;
}

/** How long clients still ask after a change. */
const quietSeconds = 1;

/** The ConfigMaps that are asked for: each is written every two seconds. */
const names = Array.from({ length: 20 }, (_, index) => `probed-${index + 1}`);

/** Does something while clients ask the API twenty times a second and hold a watch, with the kubeconfig from before, and prints what they noticed. */
export async function whileProbed(
  stack: LiveStack,
  change: () => Promise<unknown>,
): Promise<Disturbance> {
  const labels = { app: "probed" };
  await place(
    stack,
    ...names.map((name) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels } })),
  );
  const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
  const kubeconfig = await stack.takeKubeconfig();
  const before = await stack.machines.lookAll();
  const paths = names.map((name) => `${configMaps}/${name}`);
  const prober = new Prober(kubeconfig, paths);
  const watcher = new Watcher(kubeconfig, `${configMaps}?labelSelector=app=probed`);
  const start = performance.now();
  let seconds = 0;
  // Clients that went on after a failure would keep the tests from ending.
  const ended = async () => ({ requests: await prober.stop(), watch: await watcher.stop() });
  try {
    await change();
    seconds = (performance.now() - start) / 1000;
    await sleep(quietSeconds);
  } catch (error) {
    await ended();
    throw error;
  }
  const noticed = { ...(await ended()), seconds };
  const units = restarted(before, await stack.machines.lookAll());
  console.log(`      API: ${described(noticed)}; restarted: ${units.join(", ") || "nothing"}`);
  return { ...noticed, restarted: units };
}

/** What a write is answered that reaches etcd while the lead is handed over; API servers do not try that again. */
const handedOver = /raft proposal dropped/;

/** The failures of requests and watches, but for a write that came while etcd's lead was handed over. */
export function avoidable(noticed: Disturbance): string[] {
  const all = failures(noticed);
  const others = all.filter((one) => !handedOver.test(one));
  return all.length - others.length > 1 ? all : others;
}

/** The failures of requests and watches. */
export function failures({ requests, watch }: Disturbance): string[] {
  return [...requests.failures, ...watch.failures];
}

function described({ requests, watch, seconds }: Omit<Disturbance, "restarted">): string {
  const { p99Ms, maxMs, failures } = requests;
  const failed = failures.length + watch.failures.length;
  return `${failed} failed of ${requests.requests} requests, p99 ${p99Ms} ms, at most ${maxMs} ms; the watch was opened again ${watch.reopened} times; ${seconds.toFixed(0)} s`;
}
