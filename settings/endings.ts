import * as pulumi from "@pulumi/pulumi";
import { certificatesIn } from "../operations/certificates/certificates.ts";
import type { Left } from "./state.ts";

const days = 86_400_000;

/** What this update renews of the certificates that an earlier one has left, and what else ends within 30 days. */
export function endings(
  state: readonly Left[],
  now: Date,
): { readonly renewed: readonly string[]; readonly ending: readonly string[] } {
  const soon = certificatesIn(state, now).filter(
    ({ end, due }) => due || end.getTime() < now.getTime() + 30 * days,
  );
  const lines = (due: boolean) =>
    soon
      .filter((one) => one.due === due)
      .map(({ name, end }) => `${name}, which ends on ${end.toISOString().slice(0, 10)}`);
  return { renewed: lines(true), ending: lines(false) };
}

/** Shows what this update renews, and what ends soon without being renewed. */
export async function tellOfEndings(state: readonly Left[]): Promise<void> {
  const { renewed, ending } = endings(state, new Date());
  if (renewed.length > 0)
    await pulumi.log.info(`certificates: this update renews ${renewed.join("; ")}`);
  for (const one of ending)
    await pulumi.log.warn(`certificates: nothing renews ${one}, within 30 days`);
}
