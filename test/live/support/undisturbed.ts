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

/** How long clients still ask after a change. */
const quietSeconds = 1;

/**
 * Does something while clients ask the API twenty times a second and hold a watch, with the kubeconfig from before, and prints what they
 * noticed. A request fails if nothing is heard for so long.
 */
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

/** The failures of requests and watches. */
export function failures({ requests, watch }: Disturbance): string[] {
  return [...requests.failures, ...watch.failures];
}

function described({ requests, watch, seconds }: Omit<Disturbance, "restarted">): string {
  const { p99Ms, maxMs, failures } = requests;
  const failed = failures.length + watch.failures.length;
  return `${failed} failed of ${requests.requests} requests, p99 ${p99Ms} ms, at most ${maxMs} ms; the watch was opened again ${watch.reopened} times; ${seconds.toFixed(0)} s`;
}
