import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { rawSettings } from "../../settings/load.ts";
import { parseSettings, type Settings } from "../../settings/settings.ts";

export const root = new URL("../../", import.meta.url);
/** A file of the project. */
export const read = (file: string) => readFileSync(new URL(file, root), "utf8");

const kernel = { release: "6.1.0-18-amd64", ipvs: true };
/** A computer on which everything is as it should be. */
export const context = {
  stack: "local",
  arch: "amd64",
  cacheDir: "/var/cache/kthw",
  kernel,
  env: {},
  home: "/home/operator",
  read,
  opensKey: () => true,
  keysOfAgent: () => undefined,
  isSecret: () => true,
};

/** What the command line hands on of Pulumi.local.yaml. */
export function written(): Record<string, unknown> {
  const { config } = parse(read("Pulumi.local.yaml")) as { config: Record<string, unknown> };
  const texts = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === "object" ? JSON.stringify(value) : String(value),
  ]);
  return rawSettings(Object.fromEntries(texts));
}

/** What settings are made of those. */
export function settings(raw: Record<string, unknown>, differing = {}): Settings {
  const result = parseSettings(raw, { ...context, ...differing });
  assert.ok("settings" in result, JSON.stringify(result));
  return result.settings;
}

/** What is wrong with them. */
export function mistakes(raw: Record<string, unknown>, differing = {}): string[] {
  const result = parseSettings(raw, { ...context, ...differing });
  return "mistakes" in result ? result.mistakes : [];
}

/** Settings by their place, undefined for one that is taken out. */
export type Change = Readonly<Record<string, unknown>>;

/** The local stack's with changes. */
export function changed(change: Change): Record<string, unknown> {
  const raw = written();
  for (const [place, value] of Object.entries(change)) {
    const steps = place.match(/[^.[\]]+/g)!;
    const last = steps.pop()!;
    const group = steps.reduce<Record<string, unknown>>((group, step) => {
      group[step] ??= {};
      return group[step] as Record<string, unknown>;
    }, raw);
    if (value !== undefined) group[last] = value;
    else if (Array.isArray(group)) group.splice(Number(last), 1);
    else delete group[last];
  }
  return raw;
}

export const label = "use up to 63 small letters, digits and inner dashes, like";
export const taint =
  "write key=value:Effect or key:Effect, the effect being one of NoSchedule, PreferNoSchedule, NoExecute";
export const worker1 = "workerPools[0].machines[0]";
export const worker2 = "workerPools[0].machines[1]";
export const worker3 = { name: "worker3", address: "10.240.0.23", podCidr: "10.200.23.0/24" };
/** What turns the settings of the local stack into settings with Weave Net, which takes no ranges from the machines. */
export const withWeave = {
  network: "weave",
  ...Object.fromEntries(
    ["controllers[0]", "controllers[1]", "controllers[2]", worker1, worker2].map((place) => [
      `${place}.podCidr`,
      undefined,
    ]),
  ),
};
export const token = "0a1b2c.0123456789abcdef";
export const noToken =
  "not a bootstrap token, got [secret]; use 6 and 16 small letters and digits with a dot between them";

export const staticPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "registry" },
  spec: { containers: [{ name: "registry", image: "registry.example.com/registry:3" }] },
};
export const onTheMachine = "use what is on the machine, such as a hostPath, or a DaemonSet";

/** A change, and each mistake that it leads to. */
export type Row = readonly [Change, ...mistakes: string[]];

/** A test for each change, named by its first mistake. */
export function itRefuses(rows: readonly Row[]): void {
  for (const [change, ...expected] of rows)
    it(expected[0]!, () => assert.deepEqual(mistakes(changed(change)), expected));
}
