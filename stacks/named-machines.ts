import type { Machine } from "../settings/checks/subject.ts";
import { mistakeAt } from "../settings/mistake.ts";

/** The mistakes in the names of a platform's list of settings of single machines. */
export function namedMachines(
  list: string,
  settings: readonly ({ readonly name?: string | undefined } | undefined)[],
  machines: readonly Machine[],
): string[] {
  const seen = new Map<string, string>();
  return settings.flatMap((one, index) => {
    const name = one?.name;
    if (name === undefined) return [];
    const where = `${list}[${index}].name`;
    const earlier = seen.get(name);
    if (earlier !== undefined)
      return [mistakeAt(where, `the same as ${earlier}`, name, "list each machine once")];
    seen.set(name, where);
    if (machines.some((machine) => machine.name === name)) return [];
    const todo = "use the name of a load balancer, controller or worker";
    return [mistakeAt(where, "the name of no machine", name, todo)];
  });
}
