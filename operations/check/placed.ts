import { agentScript } from "../../node/agent.ts";
import { withoutSudo } from "../../node/become-root.ts";
import { readDescription } from "../../node/description.ts";
import { nameOf, type ResourceState } from "../plan/steps.ts";

/** Everything that the last update has put on a machine, as texts for the agent on the machine. */
export interface PlacedOnMachine {
  /** The agent itself; empty if it was not placed. */
  readonly agent: string;
  /** Descriptions of services and bundles, which hold secrets. */
  readonly descriptions: readonly string[];
  /** Lists of binaries, images and links. */
  readonly fetched: readonly string[];
}

/** What the last update has put on each machine, by the machine's name, from a state whose secrets are shown. */
export function placedByMachine(
  resources: readonly ResourceState[],
): ReadonlyMap<string, PlacedOnMachine> {
  const all = new Map<string, { agent: string; descriptions: string[]; fetched: string[] }>();
  for (const { type, urn, inputs = {} } of resources) {
    if (type !== "command:remote:Command") continue;
    const create = shown(inputs["create"]);
    const [verb, what] = withoutSudo(create).split(/\s/);
    const isAgent = create.endsWith(" /dev/stdin /usr/local/bin/kthw-node");
    if (!isAgent && (verb !== "kthw-node" || (what !== "apply" && what !== "fetch"))) continue;
    // No machine's name holds a colon.
    const [machine = ""] = nameOf(urn).split(":");
    const placed = all.get(machine) ?? { agent: "", descriptions: [], fetched: [] };
    all.set(machine, placed);
    const text = shown(inputs["stdin"]);
    if (isAgent) placed.agent = text;
    else placed[what === "apply" ? "descriptions" : "fetched"].push(text);
  }
  return all;
}

/** A text of the state; a secret is an object that holds the text as JSON. */
function shown(value: unknown): string {
  if (typeof value === "string") return value;
  const { plaintext } = (value ?? {}) as { readonly plaintext?: string };
  return plaintext === undefined ? "" : JSON.parse(plaintext);
}

/** Whether a service of this name was placed. */
export function hasService({ descriptions }: PlacedOnMachine, name: string): boolean {
  return descriptions
    .map(readDescription)
    .some((one) => one.kind === "service" && one.name === name);
}

/** A bash script that prints what differs on a machine, one difference in each line, and changes nothing. */
export function checkScript(placed: PlacedOnMachine): string {
  return [
    ...preamble(placed),
    `same_agent || echo "${agentPath}: content"`,
    ...asking(placed, "check"),
    "true",
  ].join("\n");
}

/**
 * A bash script that puts right on a machine what the check names, and prints what was started anew. Its status tells whether
 * everything succeeded.
 */
export function repairScript(placed: PlacedOnMachine): string {
  return [
    ...preamble(placed),
    `same_agent || printf '%s\\n' "$placed" | install -D -m 0755 /dev/stdin ${agentPath} || failed=yes`,
    ...asking(placed, "repair"),
    `[[ -z $failed ]]`,
  ].join("\n");
}

const agentPath = "/usr/local/bin/kthw-node";

/** The texts reach the agent without a file and without a command line, since they hold secrets. */
function preamble({ agent }: PlacedOnMachine): string[] {
  return [
    "failed=",
    `agent=$(base64 -d <<<${base64(agentScript)})`,
    `placed=$(base64 -d <<<${base64(agent)})`,
    `ask() { printf %s "$1" | base64 -d | bash -c "$agent" kthw-node "$2" 2>&1 || failed=yes; }`,
    `same_agent() { [[ -z $placed || $(cat ${agentPath} 2>&1; echo .) == "$placed"$'\\n'. ]]; }`,
  ];
}

function asking({ descriptions, fetched }: PlacedOnMachine, verb: "check" | "repair"): string[] {
  const ask = (word: string) => (text: string) => `ask ${base64(text)} ${word}`;
  return [...fetched.map(ask(`${verb}-fetched`)), ...descriptions.map(ask(verb))];
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
