import type { Architecture } from "../../components/versions.ts";

/** The memory of the smallest sizes of instances, the only ones that some role finds too small. */
const memoryMiB: Readonly<Record<string, number>> = { nano: 512, micro: 1_024, small: 2_048 };

/** The memory of a type of instance; undefined for the larger sizes, on which every role has room. */
export function memoryOf(instanceType: string): number | undefined {
  return memoryMiB[instanceType.split(".")[1] ?? ""];
}

/** The architecture of a type of instance: the g of Graviton follows the number of the generation. */
export function architectureOf(instanceType: string): Architecture {
  return /^(a1|[a-z]+\d+g[a-z]*)(-\w+)?\./.test(instanceType) ? "arm64" : "amd64";
}
