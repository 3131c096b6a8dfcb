import { stringify } from "yaml";

/** YAML as Kubernetes reads it, which is YAML 1.1: a text such as "on" or "1_000" stands in quotes. Long texts stay in one line. */
export function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, compat: "yaml-1.1" });
}
