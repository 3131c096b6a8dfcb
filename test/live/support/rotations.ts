import assert from "node:assert/strict";
import { namespace } from "./cluster.ts";
import type { LiveStack } from "./live-stack.ts";
import { restarted } from "./machines.ts";
import { Prober } from "./prober.ts";
import { step } from "./run.ts";

/** What is rotated, by its place in the settings. */
export type Rotated = "kubernetesCa" | "etcdCa" | "frontProxyCa" | "serviceAccountKey";

/** The effects of an update while requests are sent to the API. */
export interface Probed {
  readonly seconds: number;
  readonly requests: number;
  readonly failures: readonly string[];
  readonly maxMs: number;
  readonly p99Ms: number;
  /** The services that were started again, as `machine unit`. */
  readonly restarted: readonly string[];
}

/** Updates the stack while the API is asked twenty times a second, by the kubeconfig of the update before. */
export async function probedUp(stack: LiveStack, title: string): Promise<Probed> {
  const prober = new Prober(
    await stack.takeKubeconfig(),
    `/api/v1/namespaces/${namespace}/configmaps/probed`,
  );
  const before = await stack.machines.lookAll();
  const update = step(title, () => stack.up());
  // Requests that went on after a failure would keep the tests from ending.
  await update.catch(() => {});
  const { requests, failures, maxMs, p99Ms } = await prober.stop();
  const { seconds } = await update;
  const units = restarted(before, await stack.machines.lookAll());
  await stack.takeKubeconfig();
  console.log(
    `      ${failures.length} of ${requests} requests failed, p99 ${p99Ms} ms, at most ${maxMs} ms; restarted: ${units.join(", ") || "nothing"}`,
  );
  return { seconds, requests, failures, maxMs, p99Ms, restarted: units };
}

/** Rotates an authority or a key to its second generation, step by step; `beforeDrop` runs once the settings have the last step. */
export async function rotate(
  stack: LiveStack,
  name: Rotated,
  beforeDrop: () => Promise<unknown> = async () => {},
): Promise<Readonly<Record<string, Probed>>> {
  const steps: Record<string, Probed> = {};
  for (const text of ["trust 2", "sign 2", "drop 1"]) {
    await stack.configure((written) => {
      const certificates = (written.certificates ?? {}) as { rotation?: object };
      const rotation = { ...certificates.rotation, [name]: text };
      written.certificates = { ...certificates, rotation };
    });
    if (text === "drop 1") await beforeDrop();
    steps[text] = await probedUp(stack, `${name}: ${text}`);
    assert.deepEqual(steps[text].failures, []);
  }
  const all = Object.values(steps);
  const sum = all.reduce((seconds, one) => seconds + one.seconds, 0);
  console.log(`      ${name}: ${sum.toFixed(0)} s in all`);
  return steps;
}

/** How often a unit was started again, by machine. */
export function restartsOf(unit: string, steps: Readonly<Record<string, Probed>>) {
  const units = Object.values(steps).flatMap(({ restarted }) => restarted);
  const machines = units
    .filter((one) => one.endsWith(` ${unit}.service`))
    .map((one) => one.split(" ")[0]!)
    .sort();
  return machines.reduce<Record<string, number>>(
    (counts, machine) => Object.assign(counts, { [machine]: (counts[machine] ?? 0) + 1 }),
    {},
  );
}

/** Issuer and fingerprint of the certificate that is served on a port of a machine. */
export async function served(stack: LiveStack, machine: string, port: number): Promise<string> {
  const ask = `openssl s_client -connect 127.0.0.1:${port} </dev/null 2>/dev/null`;
  return described(stack, machine, ask);
}

/** Issuer and fingerprint of the certificate in a file on a machine. */
export async function inFile(stack: LiveStack, machine: string, path: string): Promise<string> {
  return described(stack, machine, `cat ${path}`);
}

async function described(stack: LiveStack, machine: string, source: string): Promise<string> {
  return stack.machines.inside(
    machine,
    `${source} | openssl x509 -noout -issuer -fingerprint -sha256`,
  );
}
