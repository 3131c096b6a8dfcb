import { readdirSync, readFileSync } from "node:fs";

/** What the program of a command of the Pulumi CLI used of this computer. */
export interface ProgramUse {
  readonly cpuSeconds: number;
  /** The most memory that the program had at a time. */
  readonly peakMiB: number;
}

/** Runs a command of the Pulumi CLI, and looks again and again at the program: of the children of the CLI's language host the busiest. */
export async function whileWatched<T>(
  { PULUMI_BACKEND_URL: backend }: NodeJS.ProcessEnv,
  work: () => Promise<T>,
): Promise<T & { readonly program: ProgramUse }> {
  let child: string | undefined;
  let program: ProgramUse | undefined;
  const look = () => {
    child ??= childOfHost(`PULUMI_BACKEND_URL=${backend}`);
    const use = child === undefined ? undefined : useOf(child);
    if (use === undefined) child = undefined;
    else if (use.cpuSeconds >= (program?.cpuSeconds ?? 0)) program = use;
  };
  const timer = setInterval(look, 50);
  try {
    const result = await work();
    if (program === undefined) throw new Error("no program was seen");
    return { ...result, program };
  } finally {
    clearInterval(timer);
  }
}

/** A child of the language host of a CLI with that variable in its environment; undefined while there is none. */
function childOfHost(variable: string): string | undefined {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const hosts = processes.filter(
    (id) =>
      read(id, "cmdline").includes("/pulumi-language-nodejs") &&
      read(id, "environ").split("\0").includes(variable),
  );
  return processes.find((id) => hosts.includes(statOf(id)[1] ?? "") && !hosts.includes(id));
}

/** What a process has used so far; undefined once it has ended. */
function useOf(id: string): ProgramUse | undefined {
  const [, peak] = /^VmHWM:\s*(\d+) kB$/m.exec(read(id, "status")) ?? [];
  if (peak === undefined) return undefined;
  const stat = statOf(id);
  // Times are in hundredths of a second: proc_pid_stat(5).
  return { cpuSeconds: (Number(stat[11]) + Number(stat[12])) / 100, peakMiB: Number(peak) / 1024 };
}

/** The fields of /proc/PID/stat behind the name of the process: its state, its parent and so on. */
function statOf(id: string): string[] {
  return read(id, "stat")
    .replace(/^.*\) /s, "")
    .split(" ");
}

function read(id: string, file: string): string {
  try {
    return readFileSync(`/proc/${id}/${file}`, "utf8");
  } catch {
    // The process has ended.
    return "";
  }
}
