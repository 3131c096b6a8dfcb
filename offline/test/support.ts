/** What the tests of the stand-ins share. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Context, Given, Plugin, Resource } from "../plugins/protocol/provider.ts";
import { type Failures, mistakes } from "../plugins/protocol/shape.ts";
import { bare, type Properties } from "../plugins/protocol/values.ts";

/** What a plugin would be told of a resource named "test"; lines that it shows are appended to `lines`. */
export function context(
  lines: string[] = [],
  { signal = new AbortController().signal, timeout = 0 } = {},
): Context {
  const show = (line: string) => lines.push(line);
  return {
    urn: "urn:pulumi:s::p::t::test",
    name: "test",
    log: show,
    warn: show,
    signal,
    timeout,
  };
}

/** A resource of a plugin, by its type. */
export function kind(plugin: Plugin, type: string): Resource {
  const found = plugin.resources[type];
  if (found === undefined) throw new Error(`no ${type}`);
  return found;
}

/** What Check would say is wrong with inputs. */
export function wrong(resource: Resource, inputs: Properties): Failures {
  const failures = mistakes(resource.inputs, inputs);
  if (Object.keys(failures).length > 0) return failures;
  return resource.refuse?.(bare(checked(resource, inputs)) as Properties) ?? {};
}

/** The inputs after Check. */
export function checked(
  resource: Resource,
  inputs: Properties,
  given: Partial<Given> = {},
): Properties {
  const whole = { name: "test", old: undefined, seed: Buffer.from("seed"), ...given, inputs };
  return resource.check?.(whole) ?? inputs;
}

/** A folder that goes away after the tests of a file. */
export function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "kthw-plugins-"));
  after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Whether a program can be called. */
export function has(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
