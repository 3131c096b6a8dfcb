import { readFileSync, statfsSync } from "node:fs";
import type { MachineTraits } from "../../node/machine.ts";

const cgroup2Magic = 0x63677270;
const capSysResource = 24n;

/** The traits of machines on this computer. */
export function traitsOfThisComputer(): MachineTraits {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return {
    cgroupVersion: statfsSync("/sys/fs/cgroup").type === cgroup2Magic ? 2 : 1,
    container: true,
    restrictOomScoreAdj: ((BigInt(`0x${capabilities![1]}`) >> capSysResource) & 1n) === 0n,
  };
}
