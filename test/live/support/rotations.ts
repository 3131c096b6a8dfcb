import assert from "node:assert/strict";
import type { LiveStack } from "./live-stack.ts";
import { step } from "./run.ts";
import { avoidable, type Disturbance, whileProbed } from "./undisturbed.ts";

/** What is rotated, by its place in the settings. */
export type Rotated = "kubernetesCa" | "etcdCa" | "frontProxyCa" | "serviceAccountKey";

/** Rotates an authority or a key to its second generation, step by step; `beforeDrop` runs once the settings have the last step. */
export async function rotate(
  stack: LiveStack,
  name: Rotated,
  beforeDrop: () => Promise<unknown> = async () => {},
): Promise<Readonly<Record<string, Disturbance>>> {
  const steps: Record<string, Disturbance> = {};
  for (const text of ["trust 2", "sign 2", "drop 1"]) {
    await stack.configure((written) => {
      const certificates = (written.certificates ?? {}) as { rotation?: object };
      const rotation = { ...certificates.rotation, [name]: text };
      written.certificates = { ...certificates, rotation };
    });
    if (text === "drop 1") await beforeDrop();
    const up = () => step(`${name}: ${text}`, () => stack.up());
    steps[text] = await whileProbed(stack, up);
    assert.deepEqual(avoidable(steps[text]), []);
  }
  await stack.takeKubeconfig();
  const all = Object.values(steps);
  const sum = all.reduce((seconds, one) => seconds + one.seconds, 0);
  console.log(`      ${name}: ${sum.toFixed(0)} s in all`);
  return steps;
}

/** How often a unit was started again, by machine. */
export function restartsOf(unit: string, steps: Readonly<Record<string, Disturbance>>) {
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
