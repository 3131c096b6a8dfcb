import { run } from "./command.ts";

/** A machine that a shell can be opened on. */
export interface ShellMachine {
  /** Its host name, and that of its node if it is one. */
  readonly name: string;
  /** The command line that opens a shell on it. */
  readonly ssh: string;
}

/** A machine as the stack's outputs have it. */
export interface StackMachine extends ShellMachine {
  readonly address: string;
  readonly role: "load balancer" | "controller" | "worker";
}

/** What a stack tells those who work with its cluster. */
export interface StackOutputs {
  readonly machines: readonly StackMachine[];
  /** Where its machines find the mirror of binaries and images; undefined where they download them from upstream. */
  readonly mirror?: string;
}

/** The outputs of a stack that are no secrets; fails if there are none, since none of its updates has succeeded. */
export async function outputsOf(stack: string): Promise<StackOutputs> {
  const { machines, mirror } = await ask<Outputs>(stack, "output", "--json");
  if (machines === undefined)
    throw new Error(`stack ${stack} has no cluster yet: no update of it has succeeded`);
  return { machines, ...(mirror && { mirror }) };
}

/** What `outputsOf` reads: a stack without a cluster has none of it, one without a mirror a null. */
interface Outputs {
  readonly machines?: readonly StackMachine[];
  readonly mirror?: string | null;
}

/** The machines of a stack, those of an update that has failed included; fails if there are none. */
export async function machinesOf(stack: string): Promise<readonly ShellMachine[]> {
  const { deployment } = await ask<Exported>(stack, "export");
  const machines = (deployment.resources ?? [])
    .filter(({ type }) => type === "kthw:index:Host")
    .flatMap(({ outputs }) => (outputs === undefined ? [] : [outputs]));
  if (machines.length === 0) throw new Error(`stack ${stack} has no machines`);
  return machines;
}

/** What `machinesOf` reads of a stack's state. */
interface Exported {
  readonly deployment: {
    readonly resources?: readonly { readonly type: string; readonly outputs?: ShellMachine }[];
  };
}

async function ask<T>(stack: string, ...words: readonly string[]): Promise<T> {
  const args = ["stack", ...words, "--non-interactive", "--stack", stack];
  const { code, stdout, stderr } = await run("pulumi", args);
  if (code !== 0) throw new Error(stderr.trim());
  return JSON.parse(stdout);
}
