import { type Result, run, stretched, stretchTimeouts } from "../access/command.ts";
import { onMachine } from "../access/shell.ts";
import { resourcesOf, type ShellMachine, shellMachines, timeoutFactorIn } from "../access/stack.ts";
import { alarmsOf, machinesWith } from "../etcd/controllers.ts";
import type { ResourceState } from "../plan/steps.ts";
import {
  type NodeDifference,
  type NodeFields,
  nodeDifferences,
  type PlacedNode,
  placedNodes,
} from "./nodes.ts";
import { checkScript, type PlacedOnMachine, placedByMachine } from "./placed.ts";

/** How long a check of one machine may take. */
const timeoutSeconds = 60;

/** What the last update of a stack has placed: texts on machines, and Nodes. */
export interface Placed {
  readonly machines: readonly ShellMachine[];
  readonly texts: ReadonlyMap<string, PlacedOnMachine>;
  readonly nodes: readonly PlacedNode[];
  /** The machines with a member of etcd. */
  readonly members: readonly ShellMachine[];
  readonly stack: string;
}

/** A difference on a machine; of a machine that did not answer, or of which nothing is known, the only one. */
export interface MachineDifference {
  readonly machine: string;
  readonly what: string;
  readonly kind: "placed" | "nothing placed" | "unreachable";
}

/** Everything that differs from what was placed. */
export interface Differences {
  readonly machines: readonly MachineDifference[];
  readonly nodes: readonly NodeDifference[];
  /** Why the API did not tell its Nodes, if so. */
  readonly api?: string;
  /** The alarms of etcd, a line for each. */
  readonly alarms: readonly string[];
}

/** Reads what the last update has placed, secrets included; fails for a stack without machines. */
export async function readPlaced(stack: string): Promise<Placed> {
  return placedIn(stack, await resourcesOf(stack, "--show-secrets"));
}

/** What the last update has placed, by the resources of the stack, whose secrets are shown; fails for a stack without machines. */
export function placedIn(stack: string, resources: readonly ResourceState[]): Placed {
  stretchTimeouts(timeoutFactorIn(resources));
  const machines = shellMachines(resources);
  if (machines.length === 0) throw new Error(`stack ${stack} has no machines`);
  return {
    stack,
    machines,
    texts: placedByMachine(resources),
    nodes: placedNodes(resources),
    members: machinesWith("etcd", resources),
  };
}

/** Asks all machines and the API at once for what differs, and changes nothing. */
export async function findDifferences(placed: Placed): Promise<Differences> {
  const { stack, machines, texts, nodes, members } = placed;
  const ofMachines = Promise.all(
    machines.map((machine) => differencesOn(machine, texts.get(machine.name))),
  );
  // A member that does not answer is named with its machine.
  const ofEtcd = alarmsOf(stack, members, timeoutSeconds);
  const all = [nodes.length === 0 ? { nodes: [] } : askNodes(), ofMachines, ofEtcd] as const;
  const [answer, found, alarms] = await Promise.all(all);
  return { ...differencesOfNodes(nodes, answer), machines: found.flat(), alarms };
}

/** The differences as they are printed, one a line. */
export function describeDifferences({ machines, nodes, api, alarms }: Differences): string[] {
  return [
    ...machines.map(({ machine, what }) => `${machine}: ${what}`),
    ...nodes.map(({ node, what }) => `${node}: ${what}`),
    ...(api === undefined ? [] : [`the API did not tell its Nodes: ${api}`]),
    ...alarms,
  ];
}

/** The last line of a check. */
export function summary({ machines, texts, nodes }: Placed, count: number): string {
  const described = [...texts.values()].flatMap(({ descriptions }) => descriptions);
  return `${counted(count)}: ${machines.length} machines, ${described.length} services and bundles, ${nodes.length} Nodes`;
}

/** A number of differences in words. */
export function counted(count: number): string {
  return count === 1 ? "1 difference" : `${count || "no"} differences`;
}

/** The lines of a text that are not empty. */
export function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

/** Asks a machine for what differs; `ask` runs a script there. */
export async function differencesOn(
  machine: ShellMachine,
  placed: PlacedOnMachine | undefined,
  ask: (script: string) => Promise<Pick<Result, "stdout" | "stderr">> = (script) =>
    onMachine(machine, script, { timeoutSeconds }),
): Promise<MachineDifference[]> {
  const difference = (kind: MachineDifference["kind"]) => (what: string) => ({
    machine: machine.name,
    kind,
    what,
  });
  if (placed === undefined)
    return [difference("nothing placed")("nothing has been placed there yet")];
  try {
    const { stdout, stderr } = await ask(checkScript(placed));
    return lines(stdout + stderr).map(difference("placed"));
  } catch (error) {
    const [first = "", ...rest] = lines((error as Error).message);
    return [difference("unreachable")([first.replace(`${machine.name} `, ""), ...rest].join(", "))];
  }
}

/** The Nodes as the API tells them, or why it did not. */
export type NodesAnswer<Node extends NodeFields = NodeFields> =
  | { readonly nodes: readonly Node[] }
  | { readonly api: string };

/** Asks the API for its Nodes. */
export async function askNodes<Node extends NodeFields>(): Promise<NodesAnswer<Node>> {
  const args = ["get", "nodes", "--output=json", `--request-timeout=${stretched(4)}s`];
  const { code, stdout, stderr } = await run("kubectl", args, { timeoutSeconds: 5 });
  if (code !== 0) return { api: lines(stderr).at(-1) ?? "it gave no reason" };
  return { nodes: (JSON.parse(stdout) as { readonly items: readonly Node[] }).items };
}

/** What differs of the Nodes. */
export function differencesOfNodes(
  placed: readonly PlacedNode[],
  answer: NodesAnswer,
): Pick<Differences, "nodes" | "api"> {
  if ("api" in answer) return { nodes: [], api: answer.api };
  return { nodes: nodeDifferences(placed, answer.nodes) };
}
