import { placed } from "./placed.ts";
import { compare, nodesThatLeave, nodeTurn, type Plan } from "./plan.ts";
import { effective, nameOf, type PreviewStep } from "./steps.ts";

/** Something that an update does on a machine. */
export interface Act {
  readonly machine: string;
  /** Such as `restart kubelet.service`. */
  readonly what: string;
  /** The acts that must have ended before; what these wait for themselves is left out. */
  readonly after: readonly Act[];
  /** Whether the update does it last, when all else is done. */
  readonly last: boolean;
}

/** The acts of an update in turns: those of one turn may happen at the same time, each waits for acts of earlier turns. */
export function orderOf(steps: readonly PreviewStep[], plan: Plan): readonly (readonly Act[])[] {
  const graph = graphOf(steps);
  const acts = new Map<string, MutableAct>();
  const ofStep = new Map<string, MutableAct[]>();
  for (const step of effective(steps)) {
    // Of the steps of a replacement, the one that makes the new resource counts.
    if (graph.get(step.urn) !== step) continue;
    const own = actsOf(step, plan).map(({ machine, what }) => {
      const key = `${machine} ${what}`;
      const act = acts.get(key) ?? { machine, what, after: [], last: step.op === "delete" };
      acts.set(key, act);
      return act;
    });
    if (own.length > 0) ofStep.set(step.urn, own);
  }
  const nearest = nearestActs(graph, ofStep);
  for (const [urn, own] of ofStep)
    for (const act of own)
      act.after = [...new Set([...act.after, ...nearest(urn)])].filter((one) => one !== act);
  return turnsOf([...acts.values()]);
}

interface MutableAct {
  readonly machine: string;
  readonly what: string;
  after: readonly MutableAct[];
  readonly last: boolean;
}

/** The step of each resource that counts. */
function graphOf(steps: readonly PreviewStep[]): ReadonlyMap<string, PreviewStep> {
  const graph = new Map<string, PreviewStep>();
  for (const step of steps)
    if (step.newState !== undefined || !graph.has(step.urn)) graph.set(step.urn, step);
  return graph;
}

/** What a step does on machines; nothing for a step that only waits, and for those of a lost machine. */
function actsOf(step: PreviewStep, plan: Plan): { machine: string; what: string }[] {
  const leaving = nodesThatLeave(step);
  if (leaving.length > 0) return leaving.map((machine) => ({ machine, what: "drain" }));
  const turn = nodeTurn(step);
  if (turn !== undefined) {
    const what = turn.verb === "drain" ? "drain" : "put back into service";
    return plan.get(turn.node)?.turns ? [{ machine: turn.node, what }] : [];
  }
  const [machine = "", rest] = nameOf(step.urn).split(":");
  const planned = plan.get(machine);
  const { type = "" } = step.newState ?? step.oldState ?? {};
  if (planned === undefined || type.startsWith("kthw:")) return [];
  if (rest === undefined)
    return planned.fate === undefined ? [] : [{ machine, what: planned.fate }];
  if (type !== "command:remote:Command" || planned.fate === "lost") return [];
  if (rest === "kubeadm-join") return planned.joins ? [{ machine, what: "join by kubeadm" }] : [];
  const { oldState, newState } = step;
  const found = placed(newState) ?? placed(oldState);
  const gone = step.op === "delete" ? "remove " : "";
  if (found === undefined) return [];
  switch (found.kind) {
    case "script":
      return [{ machine, what: `${gone}agent` }];
    case "downloads":
      return [{ machine, what: `${gone}binaries and images` }];
    case "bundle":
      return [{ machine, what: `${gone}bundle ${rest.replace(/-pki$/, "")}` }];
    case "service": {
      const change = planned.services.find(({ unit }) => unit === found.unit);
      return [{ machine, what: `${change?.action ?? "files of"} ${found.unit}` }];
    }
    default:
      return found.kind satisfies never;
  }
}

/** A function that finds the acts that a resource waits for, itself or by resources that do nothing on machines. */
function nearestActs(
  graph: ReadonlyMap<string, PreviewStep>,
  ofStep: ReadonlyMap<string, readonly MutableAct[]>,
): (urn: string) => ReadonlySet<MutableAct> {
  const known = new Map<string, ReadonlySet<MutableAct>>();
  const waits = waitsIn(graph);
  return function nearest(urn: string): ReadonlySet<MutableAct> {
    let found = known.get(urn);
    if (found === undefined) {
      found = new Set(
        (waits.get(urn) ?? []).flatMap((one) => ofStep.get(one) ?? [...nearest(one)]),
      );
      known.set(urn, found);
    }
    return found;
  };
}

/** The resources that each resource waits for: what is deleted waits for the deletion of what depends on it. */
function waitsIn(graph: ReadonlyMap<string, PreviewStep>): ReadonlyMap<string, readonly string[]> {
  const waits = new Map<string, string[]>();
  for (const [urn, { op, newState, oldState }] of graph) {
    const { dependencies = [], propertyDependencies = {} } = newState ?? oldState ?? {};
    const all = [...dependencies, ...Object.values(propertyDependencies).flat()];
    if (op !== "delete") waits.set(urn, [...(waits.get(urn) ?? []), ...new Set(all)]);
    else
      for (const other of new Set(all))
        if (graph.get(other)?.op === "delete") waits.set(other, [...(waits.get(other) ?? []), urn]);
  }
  return waits;
}

/** The acts by turns, and in each turn by what they do and by machine. */
function turnsOf(acts: readonly Act[]): (readonly Act[])[] {
  const known = new Map<Act, number>();
  const turnOf = (act: Act): number => {
    let turn = known.get(act);
    if (turn === undefined) {
      turn = 1 + Math.max(act.last ? end : -1, ...act.after.map(turnOf));
      known.set(act, turn);
    }
    return turn;
  };
  let end = -1;
  end = Math.max(-1, ...acts.filter(({ last }) => !last).map(turnOf));
  const turns: Act[][] = [];
  for (const act of acts) {
    const turn = turnOf(act);
    turns[turn] = [...(turns[turn] ?? []), act];
  }
  return turns.map((turn) =>
    turn.sort((a, b) => compare(a.what, b.what) || compare(a.machine, b.machine)),
  );
}
