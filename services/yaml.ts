import { stringify } from "yaml";

/** YAML 1.1, which Kubernetes reads: texts such as "on" or "1_000" are in quotes. Long texts stay on one line. */
export function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, compat: "yaml-1.1" });
}
