/** The steps of a rotation, in their order; `drop` is where a rotation ends, and where a cluster begins. */
export type Phase = "trust" | "sign" | "drop";

/** How far the rotation of an authority or of a key is. */
export interface Turn {
  /** The newest generation; the one before is about until it is dropped. */
  readonly generation: number;
  readonly phase: Phase;
}

/** What is rotated, by its place in the settings. */
export const rotated = ["kubernetesCa", "etcdCa", "frontProxyCa", "serviceAccountKey"] as const;

/** The turn of everything that is rotated. */
export type Turns = Readonly<Record<(typeof rotated)[number], Turn>>;

/** The first generation alone. */
export const noTurn: Turn = { generation: 1, phase: "drop" };

/** The generations that are about in a turn, the oldest first. */
export function generationsIn({ generation, phase }: Turn): number[] {
  return phase === "drop" ? [generation] : [generation - 1, generation];
}

/** The generation that signs in a turn. */
export function signingGeneration({ generation, phase }: Turn): number {
  return phase === "trust" ? generation - 1 : generation;
}

/** Makes something for each generation of a turn, the oldest first, and says which of these belongs to the one that signs. */
export function forGenerations<T>(
  turn: Turn,
  make: (generation: number, index: number) => T,
): { readonly all: readonly T[]; readonly signing: T } {
  const generations = generationsIn(turn);
  const all = generations.map(make);
  return { all, signing: all[generations.indexOf(signingGeneration(turn))]! };
}

/** Whether a former generation has been dropped, in this step or an earlier one. */
export function isDropped({ generation, phase }: Turn): boolean {
  return phase === "drop" && generation > 1;
}

/** The name of a generation's resources; the first has the name alone. */
export function nameOfGeneration(name: string, generation: number): string {
  return generation === 1 ? name : `${name}-${generation}`;
}

/** A turn as it is written in the settings, such as `trust 2`, `sign 2` and `drop 1`. */
export function textOf({ generation, phase }: Turn): string {
  return phase === "drop" ? `drop ${generation - 1}` : `${phase} ${generation}`;
}

/** The turn that a text of the settings describes. */
export function turnOf(text: string | undefined): Turn {
  if (text === undefined) return noTurn;
  const [phase, number] = text.split(" ") as [Phase, string];
  return { phase, generation: Number(number) + (phase === "drop" ? 1 : 0) };
}
