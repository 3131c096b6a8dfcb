import { namespace } from "./cluster.ts";
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

/** How long clients ask before and after a change. */
const quietSeconds = 2;

/** Does something while clients ask the API twenty times a second and hold a watch. A request fails if nothing is heard for so long. */
export async function whileProbed(
  stack: LiveStack,
  change: () => Promise<unknown>,
  silenceMs?: number,
): Promise<Disturbance> {
  const name = "probed";
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace } };
  await stack.kubectl(["apply", "--filename=-"], JSON.stringify(object));
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const kubeconfig = await stack.takeKubeconfig();
  const before = await stack.machines.lookAll();
  const prober = new Prober(kubeconfig, path, silenceMs);
  const watcher = new Watcher(kubeconfig, path);
  const start = performance.now();
  const ended = async () => {
    const seconds = (performance.now() - start) / 1000;
    return { requests: await prober.stop(), watch: await watcher.stop(), seconds };
  };
  try {
    await sleep(quietSeconds);
    await change();
    await sleep(quietSeconds);
  } catch (error) {
    await ended();
    throw error;
  }
  const { seconds, ...noticed } = await ended();
  const units = restarted(before, await stack.machines.lookAll());
  return { ...noticed, seconds: seconds - 2 * quietSeconds, restarted: units };
}

/** The failures of requests and watches. */
export function failures({ requests, watch }: Disturbance): string[] {
  return [...requests.failures, ...watch.failures];
}

/** A disturbance in one line. */
export function described({ requests, watch, seconds }: Disturbance): string {
  const { p99Ms, maxMs, failures } = requests;
  const failed = failures.length + watch.failures.length;
  return `${failed} failed of ${requests.requests} requests, p99 ${p99Ms} ms, at most ${maxMs} ms; the watch was opened again ${watch.reopened} times; ${seconds.toFixed(0)} s`;
}
