import { mistakeAt } from "./mistake.ts";
import { refuse } from "./refuse.ts";
import { type Left, stashed } from "./state.ts";

/** The name of the record of the address that load balancers share. */
export const sharedAddressRecord = "shared-address";

/** Ends the program where load balancers would give up the address by which machines still reach the API. */
export async function refuseAnotherAddress(
  state: readonly Left[],
  address: string | undefined,
): Promise<void> {
  const mistakes = mistakesOfAddress(state, address);
  if (mistakes.length > 0) await refuse(mistakes);
}

/** What is wrong with the address that load balancers are to share after the one in the state. */
export function mistakesOfAddress(state: readonly Left[], address: string | undefined): string[] {
  const former = stashed(state, sharedAddressRecord);
  if (former === undefined || address === undefined || former === address) return [];
  const wrong = "not to be changed while machines use another";
  const todo = `put ${former} back, or go by one load balancer without endpoint in an update in between`;
  return [mistakeAt("endpoint.address", wrong, address, todo)];
}
