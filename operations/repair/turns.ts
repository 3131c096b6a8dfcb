import type { Differences, Placed } from "../check/differences.ts";
import { hasService } from "../check/placed.ts";

/** A machine that is repaired in its turn. */
export interface Turn {
  readonly machine: string;
  readonly isController: boolean;
  /** Whether something of the machine does not work, so that a repair can take nothing away. */
  readonly isDown: boolean;
}

/**
 * The machines with differences in the order of their repair, one after another: load balancers; controllers, those first that do
 * not work, so that no other is restarted meanwhile; workers.
 */
export function turnsOf(
  { texts }: Pick<Placed, "texts">,
  { machines }: Pick<Differences, "machines">,
): Turn[] {
  const names = machines.filter(({ kind }) => kind === "placed").map(({ machine }) => machine);
  const turns = [...new Set(names)].map((machine) => {
    const placed = texts.get(machine)!;
    const isController = hasService(placed, "kube-apiserver");
    const isWorker = !isController && hasService(placed, "kubelet");
    const isDown = machines.some(
      (one) =>
        one.machine === machine &&
        /^(etcd|kube-apiserver)\.service: not (running|healthy)/.test(one.what),
    );
    return {
      machine,
      isController,
      isDown,
      rank: isWorker ? 3 : isController ? (isDown ? 1 : 2) : 0,
    };
  });
  return turns.toSorted((one, other) => one.rank - other.rank).map(({ rank, ...turn }) => turn);
}

/** The controllers that did not answer, and on which the others depend therefore. */
export function silentControllers(
  { texts }: Pick<Placed, "texts">,
  { machines }: Pick<Differences, "machines">,
): string[] {
  return machines
    .filter(({ kind }) => kind === "unreachable")
    .map(({ machine }) => machine)
    .filter((machine) => hasService(texts.get(machine)!, "kube-apiserver"));
}
