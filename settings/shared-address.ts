import { type ClusterSettings, machinesOf } from "./cluster.ts";
import { mistakeAt } from "./mistake.ts";
import { refuse } from "./refuse.ts";
import { type Left, passed, stashed } from "./state.ts";

/** The name of the record of the address that load balancers share. */
export const sharedAddressRecord = "shared-address";

/** The name of the gate after which a load balancer shares the address. */
export const endpointGate = "endpoint-healthy";

/** Ends the program where machines would lose the endpoint during the update. */
export async function refuseEndpoint(
  state: readonly Left[],
  settings: ClusterSettings,
): Promise<void> {
  const mistakes = mistakesOfEndpoint(state, settings);
  if (mistakes.length > 0) await refuse(mistakes);
}

/** What is wrong with the endpoint and the load balancers that are to come after those in the state. */
export function mistakesOfEndpoint(state: readonly Left[], settings: ClusterSettings): string[] {
  const address = settings.endpoint?.address;
  const former = stashed(state, sharedAddressRecord);
  const mistakes: string[] = [];
  for (const machine of machinesOf(settings)) {
    if (former === undefined || machine.address !== former) continue;
    const wrong = "shared by load balancers until the end of this update";
    const todo = "choose another, or add the machine with the next update";
    mistakes.push(mistakeAt(`${machine.where}.address`, wrong, former, todo));
  }
  if (address === undefined) return mistakes;
  const owner = stashed(state, `${address}:machine`);
  if (former !== undefined && former !== address) {
    const wrong = "not to be changed while machines use another";
    const todo = `put ${former} back, or go by one load balancer without endpoint in an update in between`;
    mistakes.push(mistakeAt("endpoint.address", wrong, address, todo));
  } else if (owner !== undefined) {
    const wrong = `belongs to ${owner}, which leaves in this update`;
    const todo = `choose another, or take ${owner} out with one update, then share the address with the next`;
    mistakes.push(mistakeAt("endpoint.address", wrong, address, todo));
  }
  const names = settings.loadBalancers.map(({ name }) => name);
  const members = [...passed(state, endpointGate)];
  const leaving = members.find((name) => !names.includes(name));
  const coming = names.findIndex((name) => !members.includes(name));
  if (leaving !== undefined && coming >= 0) {
    // The one that leaves is not told of the new one: both would have the address.
    const wrong = `new while ${leaving} leaves`;
    const todo = `add ${names[coming]} with one update, then take ${leaving} out with the next`;
    mistakes.push(mistakeAt(`loadBalancers[${coming}].name`, wrong, names[coming], todo));
  }
  return mistakes;
}
