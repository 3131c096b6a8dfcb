import type { Settings } from "../config.ts";

/** What is right about settings, and yet better known. */
export function warnings(settings: Settings): string[] {
  return checks.flatMap((check) => check(settings));
}

const checks: readonly ((settings: Settings) => string[])[] = [deprecatedMode];

function deprecatedMode({ kubeProxy: { mode } }: Settings): string[] {
  if (mode !== "ipvs") return [];
  return [
    "kubeProxy.mode: ipvs is deprecated in Kubernetes since 1.35 and will be removed; use nftables",
  ];
}
