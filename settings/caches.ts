import os from "node:os";
import path from "node:path";

/** The folder that installation fills with the Pulumi CLI, its plugins, artifacts and images, as install/env.sh says it. */
export function cacheFolder(): string {
  const { KTHW_CACHE, XDG_CACHE_HOME } = process.env;
  return KTHW_CACHE || path.join(XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "kthw");
}
