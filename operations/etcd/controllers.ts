import type { Result, RunOptions } from "../access/command.ts";
import { etcdctl } from "../access/etcdctl.ts";
import { makeFor } from "../access/make.ts";
import { onMachine } from "../access/shell.ts";
import { type ShellMachine, shellMachines } from "../access/stack.ts";
import { nameOf, type ResourceState } from "../plan/steps.ts";

/** The machines on which an update has placed a service, by the stack's resources. */
export function machinesWith(
  service: string,
  resources: readonly ResourceState[],
): readonly ShellMachine[] {
  const names = new Set(resources.map(({ urn }) => nameOf(urn)));
  return shellMachines(resources).filter(({ name }) => names.has(`${name}:${service}`));
}

/** The exit status of a script on a controller whose member of etcd does not run. */
const notRunning = 69;

/** Runs a script on the first controller that can be reached and whose member of etcd runs; fails if there is none. */
export async function onFirst(
  controllers: readonly ShellMachine[],
  script: string,
  options?: Omit<RunOptions, "input">,
): Promise<Result & { readonly controller: ShellMachine }> {
  const errors: string[] = [];
  for (const controller of controllers) {
    try {
      const runs = `systemctl is-active --quiet etcd || exit ${notRunning}`;
      const result = await onMachine(controller, `${runs}\n${script}`, options);
      if (result.code !== notRunning) return { ...result, controller };
      errors.push(`${controller.name}: etcd does not run`);
    } catch (error) {
      if (options?.signal?.aborted) throw error;
      errors.push((error as Error).message);
    }
  }
  throw new Error(errors.join("\n") || "there is no controller yet");
}

/** A script that asks etcd for its members and alarms, in the form that `alarmsIn` reads. */
export const alarmScript = [
  `${etcdctl} --command-timeout=5s member list`,
  `${etcdctl} --command-timeout=5s alarm list`,
].join(" && ");

/** What the alarms in the output of `alarmScript` mean, a line for each; `make` is the start of a command line for this stack. */
export function alarmsIn(output: string, make: (target: string) => string): string[] {
  const names = new Map(
    [...output.matchAll(/^([0-9a-f]+), \w+, ([^,]*), /gm)].map(([, id = "", name]) => [id, name]),
  );
  // The spaces are other ones in each build of etcdctl 3.7.
  return [...output.matchAll(/^ *memberID:(\d+) +alarm:(\w+)/gm)].map(([, id = "", alarm]) => {
    // etcdctl writes the id in decimal here, and in hex above.
    const hex = BigInt(id).toString(16);
    const where = `${names.get(hex) || hex}: etcd has raised the alarm ${alarm}`;
    return alarm === "NOSPACE"
      ? `${where}: the database is full and takes no more writes; run ${make("defragment")}`
      : `${where}; run ${make("etcdctl CMD='endpoint status --cluster --write-out=table'")}`;
  });
}

/** The alarms of a stack's etcd, a line for each; none where no member answers. */
export async function alarmsOf(
  stack: string,
  controllers: readonly ShellMachine[],
  timeoutSeconds: number,
): Promise<string[]> {
  const output = await onFirst(controllers, alarmScript, { timeoutSeconds }).then(
    ({ stdout }) => stdout,
    () => "",
  );
  return alarmsIn(output, makeFor(stack));
}
