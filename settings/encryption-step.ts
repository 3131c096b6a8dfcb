import { isDeepStrictEqual } from "node:util";
import {
  defaultEncryptionKeys,
  type EncryptionKey,
  type EncryptionStep,
  encryptionRecords,
  shownKey,
} from "../services/encryption-keys.ts";
import { mistakeAt } from "./mistake.ts";
import { refuse } from "./refuse.ts";
import { type Left, stashed } from "./state.ts";

/** The next step, or ends the program: shows why the step would lose Secrets, before anything else is registered. */
export async function nextEncryptionStep(
  state: readonly Left[],
  keys: readonly EncryptionKey[],
): Promise<EncryptionStep> {
  const { mistakes, ...step } = encryptionStep(state, keys);
  return mistakes.length > 0 ? await refuse(mistakes) : step;
}

/**
 * The step to these keys, and what is wrong with it. A step that has ended leaves every API server with its keys, and every Secret encrypted
 * by the first of them. After one that was cut off, nobody knows which API servers have the keys of which of the two last steps.
 */
export function encryptionStep(
  state: readonly Left[],
  keys: readonly EncryptionKey[],
): EncryptionStep & { readonly mistakes: readonly string[] } {
  const { begun, confirmed } = formerSteps(state);
  if (begun === undefined) return { keys, number: 0, mistakes: [] };
  const isBegun = isDeepStrictEqual(keys, begun.keys);
  return {
    keys,
    number: isBegun ? begun.number : begun.number + 1,
    mistakes: isBegun ? [] : mistakesOf(keys, begun, confirmed),
  };
}

function mistakesOf(
  keys: readonly EncryptionKey[],
  begun: EncryptionStep,
  confirmed: EncryptionStep | undefined,
): string[] {
  const where = "encryptionKeys";
  const shown = (all: readonly EncryptionKey[]) => all.map(shownKey).join(", ");
  const has = (all: readonly EncryptionKey[], key: EncryptionKey) =>
    all.some((one) => isDeepStrictEqual(one, key));
  if (confirmed?.number !== begun.number) {
    if (confirmed && isDeepStrictEqual(keys, confirmed.keys)) return [];
    const back = confirmed ? `, or go back to ${shown(confirmed.keys)}` : "";
    const todo = `finish the update to ${shown(begun.keys)} first${back}`;
    return [mistakeAt(where, "changed while an update of the keys was cut off", shown(keys), todo)];
  }
  const [first] = keys as [EncryptionKey];
  const [former] = confirmed.keys as [EncryptionKey];
  if (!has(confirmed.keys, first)) {
    const todo = `put it behind ${shownKey(former)} in one update, and first in the next`;
    const wrong = "not known to every API server yet";
    return [mistakeAt(`${where}[0]`, wrong, shownKey(first), todo)];
  }
  if (has(keys, former)) return [];
  const todo = `keep ${shownKey(former)} behind ${shownKey(first)} in this update, and leave it out in the next`;
  return [mistakeAt(where, "without the key that has encrypted the Secrets", shown(keys), todo)];
}

/** The last steps; the first of a cluster that was made before there were steps is that of the default keys. */
function formerSteps(state: readonly Left[]) {
  const of = (name: string) => stashed(state, name) as EncryptionStep | undefined;
  const [begun, confirmed] = [of(encryptionRecords.begun), of(encryptionRecords.confirmed)];
  const formerKey = `::encryption-${defaultEncryptionKeys[0]!.name}`;
  if (begun === undefined && state.some(({ urn }) => urn.endsWith(formerKey))) {
    const first = { keys: defaultEncryptionKeys, number: 0 };
    return { begun: first, confirmed: first };
  }
  return { begun, confirmed };
}
