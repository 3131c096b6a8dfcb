import type { MachineSecrets } from "../../node/machine.ts";
import { defaultEncryptionKeys, encryptedPrefix } from "../../services/encryption-keys.ts";
import type { ResourceState } from "../plan/steps.ts";
import { run } from "./command.ts";

/** A machine that can be reached by SSH. */
export interface ShellMachine {
  /** The host name, and the name of the Node on the machine. */
  readonly name: string;
  /** The command line that opens a shell on the machine. */
  readonly ssh: string;
  /** Secrets that the machine is not reached without. */
  readonly secrets?: MachineSecrets;
}

/** A machine in the outputs of a stack. */
export interface StackMachine extends ShellMachine {
  readonly address: string;
  readonly role: "load balancer" | "controller" | "worker";
}

/** The outputs of a stack that are no secrets. */
export interface StackOutputs {
  readonly machines: readonly StackMachine[];
  /** The mirror of binaries and images, as the machines reach it; undefined where machines download from upstream. */
  readonly mirror?: string;
  /** What timeouts are multiplied by. */
  readonly timeoutFactor: number;
  /** How a Secret begins in etcd. */
  readonly encryptedPrefix: string;
}

/** Reads the outputs of a stack; fails as long as no update of the stack has succeeded. */
export async function outputsOf(stack: string): Promise<StackOutputs> {
  const outputs = await ask<Outputs>(stack, "output", "--json");
  const { machines: shown, mirror, timeoutFactor = 1 } = outputs;
  if (shown === undefined)
    throw new Error(`stack ${stack} has no cluster yet: no update of it has succeeded`);
  const machines = shown.some(({ secret }) => secret) ? await withSecrets(stack, shown) : shown;
  const prefix = outputs.encryptedPrefix ?? formerPrefix;
  return { machines, timeoutFactor, encryptedPrefix: prefix, ...(mirror && { mirror }) };
}

/** The outputs as Pulumi shows them: none without a cluster, a null without a mirror. */
interface Outputs {
  readonly machines?: readonly (StackMachine & { readonly secret?: boolean })[];
  readonly mirror?: string | null;
  readonly timeoutFactor?: number;
  readonly encryptedPrefix?: string;
}

/** How a Secret begins in etcd where an earlier version of this program made the last update. */
const formerPrefix = encryptedPrefix(defaultEncryptionKeys[0]!);

/** The type of a host in a stack's state, and its former name, which stays in the state until the next update. */
const hostTypes = ["kthw:index:Host", "kthw:index:Node"];

/** The same machines with the secrets of their hosts. */
async function withSecrets(
  stack: string,
  machines: readonly StackMachine[],
): Promise<readonly StackMachine[]> {
  const hosts = shellMachines(await resourcesOf(stack));
  return machines.map((machine) => {
    const { secrets } = hosts.find(({ name }) => name === machine.name) ?? {};
    return { ...machine, ...(secrets && { secrets }) };
  });
}

/** Reads the machines of a stack, also after a failed update; fails if there are none. */
export async function machinesOf(stack: string): Promise<readonly ShellMachine[]> {
  const machines = shellMachines(await resourcesOf(stack));
  if (machines.length === 0) throw new Error(`stack ${stack} has no machines`);
  return machines;
}

/** The machines among the resources of a stack, with their secrets where the resources show those. */
export function shellMachines(resources: readonly ResourceState[]): ShellMachine[] {
  return hostsAmong(resources).flatMap(({ outputs }) => {
    if (outputs === undefined) return [];
    const { secrets, ...machine } = outputs as { secrets?: { readonly plaintext?: string } };
    const { plaintext } = secrets ?? {};
    const shown = plaintext === undefined ? {} : { secrets: JSON.parse(plaintext) };
    return [{ ...(machine as unknown as ShellMachine), ...shown }];
  });
}

function hostsAmong(resources: readonly ResourceState[]): ResourceState[] {
  return resources.filter(({ type }) => hostTypes.includes(type));
}

/** The factor by which a stack's machines are slower than others; 1 for a stack without a successful update. */
export function timeoutFactorIn(resources: readonly ResourceState[]): number {
  const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  return Number(stack?.outputs?.["timeoutFactor"] ?? 1);
}

/** Reads the resources in a stack's state. Secrets are shown with `--show-secrets`, or where a machine is not reached without secrets. */
export async function resourcesOf(
  stack: string,
  ...options: readonly "--show-secrets"[]
): Promise<readonly ResourceState[]> {
  const { deployment } = await ask<Exported>(stack, "export", ...options);
  const { resources = [] } = deployment;
  const isSecret = hostsAmong(resources).some(({ outputs }) => outputs?.["secrets"] !== undefined);
  return isSecret && options.length === 0 ? resourcesOf(stack, "--show-secrets") : resources;
}

/** The part of a stack's exported state that is read. */
interface Exported {
  readonly deployment: { readonly resources?: readonly ResourceState[] };
}

async function ask<T>(stack: string, ...words: readonly string[]): Promise<T> {
  const args = ["stack", ...words, "--non-interactive", "--stack", stack];
  const { code, stdout, stderr } = await run("pulumi", args);
  if (code !== 0) throw new Error(stderr.trim());
  return JSON.parse(stdout);
}
