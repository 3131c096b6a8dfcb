import { makeFor } from "../access/make.ts";
import { onMachine } from "../access/shell.ts";
import { resourcesOf, type ShellMachine } from "../access/stack.ts";
import { certificatesIn, type IssuedCertificate } from "../certificates/certificates.ts";
import {
  askNodes,
  type Differences,
  differencesOfNodes,
  differencesOn,
  type NodesAnswer,
  placedIn,
} from "../check/differences.ts";
import type { NodeFields } from "../check/nodes.ts";
import { alarmsIn } from "../etcd/controllers.ts";
import { isReady, type NodeObject } from "../smoke/cluster.ts";
import { type MachineStatus, questionBefore, readAnswer } from "./machine.ts";

/** How long a machine may take. */
const timeoutSeconds = 60;

/** A Node as the API tells it. */
export type Node = NodeFields & NodeObject;

/** What there is to know of a stack at a glance. */
export interface Status {
  /** What each machine tells, by its name; undefined of one that does not answer. */
  readonly machines: ReadonlyMap<string, MachineStatus | undefined>;
  readonly nodes: ReadonlyMap<string, Node>;
  /** The certificates in the state, those that end first before the others. */
  readonly certificates: readonly IssuedCertificate[];
  /** What `make check` finds. */
  readonly differences: Differences;
  /** What else is wrong, a line for each. */
  readonly faults: readonly string[];
}

/** Asks the machines of a stack and the API, each once and all at the same time; changes nothing. Fails for a stack without machines. */
export async function statusOf(stack: string, now: Date): Promise<Status> {
  const resources = await resourcesOf(stack, "--show-secrets");
  const { machines, texts, nodes: placedNodes, members } = placedIn(stack, resources);
  const asked = Promise.all(
    machines.map(async (machine) => {
      const ask = new Question(machine);
      const found = await differencesOn(machine, texts.get(machine.name), (script) =>
        ask.before(script),
      );
      return { name: machine.name, status: ask.status, found };
    }),
  );
  const [answers, nodes] = await Promise.all([asked, askNodes<Node>()]);
  const certificates = certificatesIn(resources, now);
  const byName = new Map(
    answers.map(({ name, status }) => [name, status] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const output = members.map(({ name }) => byName.get(name)?.alarms ?? "").find(Boolean) ?? "";
  return {
    machines: byName,
    nodes: nodesIn(nodes),
    certificates,
    differences: {
      ...differencesOfNodes(placedNodes, nodes),
      machines: answers.flatMap(({ found }) => found),
      alarms: alarmsIn(output, makeFor(stack)),
    },
    faults: faultsOf({ members, machines: byName, nodes: nodesIn(nodes), certificates, now }),
  };
}

/** The one question to a machine, which comes with that of the check. */
class Question {
  readonly #machine: ShellMachine;
  status: MachineStatus | undefined;

  constructor(machine: ShellMachine) {
    this.#machine = machine;
  }

  async before(script: string) {
    const result = await onMachine(this.#machine, questionBefore(script), { timeoutSeconds });
    const [status, stdout] = readAnswer(result.stdout);
    this.status = status;
    return { ...result, stdout };
  }
}

function nodesIn(answer: NodesAnswer<Node>): ReadonlyMap<string, Node> {
  return new Map("api" in answer ? [] : answer.nodes.map((node) => [node.metadata.name, node]));
}

/** What is wrong besides what `make check` finds: Nodes that are not Ready, an etcd that nobody leads, certificates that have ended. */
export function faultsOf({
  members,
  machines,
  nodes,
  certificates,
  now,
}: Pick<Status, "machines" | "nodes" | "certificates"> & {
  /** The machines with a member of etcd. */
  readonly members: readonly ShellMachine[];
  readonly now: Date;
}): string[] {
  const notReady = [...nodes.values()].filter((node) => !isReady(node));
  const found = members.flatMap(({ name }) => machines.get(name)?.member ?? []);
  const isLed = members.length === 0 || found.some(({ role }) => role === "leader");
  return [
    ...notReady.map(({ metadata, status }) => {
      const message = status.conditions.find(({ type }) => type === "Ready")?.message;
      return `${metadata.name}: the Node is not Ready: ${message || "it has not said anything"}`;
    }),
    ...(isLed ? [] : ["etcd has no leader among the members that answer"]),
    ...certificates
      .filter(({ end }) => end <= now)
      .map(({ name }) => `the certificate ${name} has ended`),
  ];
}
