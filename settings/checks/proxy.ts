import { mistakeAt } from "../mistake.ts";
import type { Subject } from "./subject.ts";

/** Exceptions from a proxy need a proxy. */
export function proxyOfExceptions({ draft: { proxy } }: Subject): string[] {
  if (!proxy?.noProxy?.length || proxy.http !== undefined || proxy.https !== undefined) return [];
  const todo = "name a proxy by http or https, or leave noProxy out";
  return [mistakeAt("proxy.noProxy", "without a proxy", proxy.noProxy, todo)];
}
