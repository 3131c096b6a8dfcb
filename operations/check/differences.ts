import { run, stretched, stretchTimeouts } from "../access/command.ts";
import { onMachine } from "../access/shell.ts";
import { resourcesOf, type ShellMachine, shellMachines, timeoutFactorIn } from "../access/stack.ts";
import { alarmsOf, machinesWith } from "../etcd/controllers.ts";
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
  const resources = await resourcesOf(stack, "--show-secrets");
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
    machines.map((machine) => ofMachine(machine, texts.get(machine.name))),
  );
  // A member that does not answer is named with its machine.
  const ofEtcd = alarmsOf(stack, members, timeoutSeconds);
  const all = [differencesOfNodes(nodes), ofMachines, ofEtcd] as const;
  const [ofNodes, found, alarms] = await Promise.all(all);
  return { ...ofNodes, machines: found.flat(), alarms };
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

async function ofMachine(
  machine: ShellMachine,
  placed: PlacedOnMachine | undefined,
): Promise<MachineDifference[]> {
  const difference = (kind: MachineDifference["kind"]) => (what: string) => ({
    machine: machine.name,
    kind,
    what,
  });
  if (placed === undefined)
    return [difference("nothing placed")("nothing has been placed there yet")];
  try {
    const { stdout, stderr } = await onMachine(machine, checkScript(placed), { timeoutSeconds });
    return lines(stdout + stderr).map(difference("placed"));
  } catch (error) {
    const [first = "", ...rest] = lines((error as Error).message);
    return [difference("unreachable")([first.replace(`${machine.name} `, ""), ...rest].join(", "))];
  }
}

async function differencesOfNodes(
  placed: readonly PlacedNode[],
): Promise<Pick<Differences, "nodes" | "api">> {
  if (placed.length === 0) return { nodes: [] };
  const args = ["get", "nodes", "--output=json", `--request-timeout=${stretched(4)}s`];
  const { code, stdout, stderr } = await run("kubectl", args, { timeoutSeconds: 5 });
  if (code !== 0) return { nodes: [], api: lines(stderr).at(-1) ?? "it gave no reason" };
  const { items } = JSON.parse(stdout) as { readonly items: readonly NodeFields[] };
  return { nodes: nodeDifferences(placed, items) };
}
