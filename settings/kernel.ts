import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import os from "node:os";

/** Properties of a computer's kernel that matter to machines that share the kernel. */
export interface Kernel {
  /** The kernel's version, such as 6.1.0-18-amd64. */
  readonly release: string;
  /** Whether the kernel has ip_vs, or can load the module. */
  readonly ipvs: boolean;
}

/** This computer's kernel. */
export function thisKernel(): Kernel {
  return {
    release: os.release(),
    get ipvs() {
      const modprobe = () => spawnSync("modprobe", ["--quiet", "--dry-run", "ip_vs"]).status === 0;
      return existsSync("/proc/net/ip_vs") || modprobe();
    },
  };
}

/** Whether a kernel is of a version such as 5.13, or newer. */
export function isAtLeast({ release }: Kernel, version: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = version.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
