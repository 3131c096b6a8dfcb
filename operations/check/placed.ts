import { agentScript } from "../../node/agent.ts";
import { nameOf, type ResourceState } from "../plan/steps.ts";

/** Everything that the last update has put on a machine, as texts for the agent on the machine. */
export interface PlacedOnMachine {
  /** Descriptions of services and bundles, which hold secrets. */
  readonly descriptions: readonly string[];
  /** Lists of binaries, images and links. */
  readonly fetched: readonly string[];
}

/** What the last update has put on each machine, by the machine's name, from a state whose secrets are shown. */
export function placedByMachine(
  resources: readonly ResourceState[],
): ReadonlyMap<string, PlacedOnMachine> {
  const all = new Map<string, { descriptions: string[]; fetched: string[] }>();
  for (const { type, urn, inputs = {} } of resources) {
    if (type !== "command:remote:Command") continue;
    const [verb, what] = shown(inputs["create"])
      .replace(/^sudo -n /, "")
      .split(/\s/);
    if (verb !== "kthw-node" || (what !== "apply" && what !== "fetch")) continue;
    // No machine's name holds a colon.
    const [machine = ""] = nameOf(urn).split(":");
    const placed = all.get(machine) ?? { descriptions: [], fetched: [] };
    all.set(machine, placed);
    placed[what === "apply" ? "descriptions" : "fetched"].push(shown(inputs["stdin"]));
  }
  return all;
}

/** A text of the state; a secret is an object that holds the text as JSON. */
function shown(value: unknown): string {
  if (typeof value === "string") return value;
  const { plaintext } = (value ?? {}) as { readonly plaintext?: string };
  return plaintext === undefined ? "" : JSON.parse(plaintext);
}

/**
 * A bash script that prints what differs on a machine, one difference in each line, and changes nothing. The texts reach the agent
 * without a file and without a command line, since they hold secrets.
 */
export function checkScript({ descriptions, fetched }: PlacedOnMachine): string {
  const ask = (verb: string) => (text: string) => `ask ${base64(text)} ${verb}`;
  return [
    `agent=$(base64 -d <<<${base64(agentScript)})`,
    `ask() { printf %s "$1" | base64 -d | bash -c "$agent" kthw-node "$2" 2>&1 || true; }`,
    `[[ $(cat /usr/local/bin/kthw-node 2>&1; echo .) == "$agent"$'\\n'. ]] || echo "/usr/local/bin/kthw-node: content"`,
    ...fetched.map(ask("check-fetched")),
    ...descriptions.map(ask("check")),
  ].join("\n");
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
