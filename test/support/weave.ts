import { type Graph, type LocalSettings, runProgram } from "./program.ts";
import type { Registration } from "./record.ts";

/** Runs the program with the settings of the local stack, but with Weave Net and some other settings. */
export function withWeaveNet(
  more: Readonly<Record<string, unknown>> = {},
): ReturnType<typeof runProgram> {
  return runProgram({
    settings: (settings: LocalSettings) => {
      settings.network = "weave";
      const pools = settings.workerPools.flatMap(({ machines }) => machines);
      for (const machine of [...settings.controllers, ...pools])
        delete (machine as { podCidr?: string }).podCidr;
      Object.assign(settings, more);
    },
  });
}

/** The objects of Weave Net that a program registered, by their kinds. */
export function weaveObjects(graph: Graph): ReadonlyMap<string, Registration> {
  return new Map(
    graph.resources
      .filter(({ type }) => type.startsWith("kubernetes:"))
      .filter((one) => graph.top(one).type === "kthw:index:WeaveNet")
      .map((one) => [one.type.split(":").at(-1)!, one]),
  );
}
