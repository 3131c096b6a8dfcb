import assert from "node:assert/strict";
import type { runtime } from "@pulumi/pulumi";
import { ClusterRecord } from "../../settings/unchanged.ts";
import { platforms } from "../../stacks/platforms.ts";
import { computed, type LocalSettings, runProgram } from "../support/program.ts";
import { record } from "../support/record.ts";
import { type Change, changed, settings, worker1, worker2, worker3 } from "../support/settings.ts";

const stashes = "pulumi:index:Stash";

/** What the state remembers after an update with settings, by the name of what remembers it. */
async function remembered(change: Change = {}): Promise<Map<string, unknown>> {
  const { resources } = await recorded(change, new Map());
  return new Map(
    resources.filter(({ type }) => type === stashes).map(({ name, inputs }) => [name, inputs.input]),
  );
}

/** The mistakes of settings on a cluster of which the state remembers that. */
async function mistakes(change: Change, former: ReadonlyMap<string, unknown>): Promise<string[]> {
  const { exports } = await recorded(change, former);
  return exports;
}

function recorded(change: Change, former: ReadonlyMap<string, unknown>, preview = false) {
  const read = (file: string) =>
    "-----BEGIN PRIVATE KEY-----\n".concat(file === "/keys/ok" ? "" : "");
  const all = settings(changed(change), { read });
  const claims = platforms[all.platform].claims(all);
  const outputs = (resource: runtime.MockResourceArgs) =>
    former.has(resource.name) ? { output: former.get(resource.name) } : computed(resource);
  return record(async () => await new ClusterRecord("record", all, claims).mistakes, {
    outputs,
    preview,
  });
}
