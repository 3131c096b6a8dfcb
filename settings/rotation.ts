import * as pulumi from "@pulumi/pulumi";
import { type Phase, rotated, type Turn, type Turns, textOf } from "../components/rotation.ts";
import { mistakeAt } from "./mistake.ts";
import { refuse } from "./refuse.ts";
import { type Left, stashed } from "./state.ts";

const phases: readonly Phase[] = ["trust", "sign", "drop"];

/** The steps up to a turn: none for the first generation alone, then three for each further one. */
function stepOf({ generation, phase }: Turn): number {
  return 3 * (generation - 2) + phases.indexOf(phase) + 1;
}

function turnAt(step: number): Turn {
  return { generation: 2 + Math.floor((step - 1) / 3), phase: phases[(step + 2) % 3]! };
}

/** A step as it is written in the settings. */
function written(step: number): string {
  return step === 0 ? "nothing" : textOf(turnAt(step));
}

/** Steps by what is rotated; none is the first, also of what earlier versions of the program did not rotate. */
type Steps = Readonly<Partial<Record<keyof Turns, number>>>;

/** The steps that the last update began with, and the steps of the last update that ended; undefined if no update has. */
export interface Remembered {
  readonly begun: Steps;
  readonly done: Steps | undefined;
}

const names = { begun: "rotation:begun", done: "rotation:done" } as const;

/** What the state remembers of rotations; undefined for a cluster that is to be made. */
export function rememberedIn(state: readonly Left[]): Remembered | undefined {
  const of = (name: string) => stashed(state, name) as Steps | undefined;
  const begun = of(names.begun);
  if (begun) return { begun, done: of(names.done) };
  // A cluster that an earlier version of the program has made.
  const isThere = state.some(({ type }) => type === "kthw:index:CertificateAuthority");
  return isThere ? { begun: {}, done: {} } : undefined;
}

function stepsOf(turns: Turns): Steps {
  return Object.fromEntries(rotated.map((name) => [name, stepOf(turns[name])])) as Steps;
}

/** What is wrong with the order of the steps: each is safe only after an update to the one before it has ended. */
export function mistakesInTurns(turns: Turns, remembered: Remembered | undefined): string[] {
  if (!remembered) return [];
  return rotated.flatMap((name) => {
    const where = `certificates.rotation.${name}`;
    const now = stepOf(turns[name]);
    const begun = remembered.begun[name] ?? 0;
    const done = remembered.done && (remembered.done[name] ?? 0);
    if (now === begun || now === done) return [];
    if (begun !== done) {
      const wrong = `the update to ${written(begun)} did not end`;
      return [mistakeAt(where, wrong, written(now), `write ${written(begun)} and end that update`)];
    }
    // What was dropped does not come back.
    const before = done % 3 === 0 ? done : done - 1;
    if (now === done + 1 || now === before) return [];
    const todo = now > done ? written(done + 1) : written(before);
    return [mistakeAt(where, `does not follow ${written(done)}`, written(now), `write ${todo}`)];
  });
}

/** Shows steps that are out of order, and ends the program; else remembers which steps the update begins with, before it changes anything. */
export async function beginTurns(turns: Turns, state: readonly Left[]): Promise<void> {
  const mistakes = mistakesInTurns(turns, rememberedIn(state));
  if (mistakes.length > 0) return await refuse(mistakes);
  await new RotationBegin("rotation", turns).done;
}

/** Remembers in Pulumi's state the steps of all rotations that an update begins with. */
class RotationBegin extends pulumi.ComponentResource {
  /** Resolves once the state has the steps. */
  readonly done: Promise<unknown>;

  constructor(name: string, turns: Turns, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:RotationBegin", name, {}, opts);
    const { urn } = new pulumi.Stash(names.begun, { input: stepsOf(turns) }, { parent: this });
    this.done = new Promise((resolve) => urn.apply(resolve));
    this.registerOutputs({});
  }
}

export interface RotationEndArgs {
  readonly turns: Turns;
  /** The gates after which the steps are done. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** Remembers in Pulumi's state the steps of all rotations once an update has ended them. */
export class RotationEnd extends pulumi.ComponentResource {
  constructor(name: string, args: RotationEndArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:RotationEnd", name, {}, opts);
    const options = { parent: this, dependsOn: [...args.dependsOn] };
    new pulumi.Stash(names.done, { input: stepsOf(args.turns) }, options);
    this.registerOutputs({});
  }
}
