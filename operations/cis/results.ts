import type { Control } from "./controls.ts";
import type { FoundNode } from "./found.ts";

/** A node of the cluster. */
export interface AskedNode {
  readonly name: string;
  readonly isController: boolean;
  readonly found: FoundNode;
}

/** A control, and what came of asking the nodes. */
export interface Result {
  readonly control: Control;
  readonly verdict: "ok" | "FAIL" | "exception" | "manual";
  /** The reasons: of a failure, a line for each fault. */
  readonly reasons: readonly string[];
}

/** Looks at each control on the nodes that it is about. */
export function resultsOf(
  controls: readonly Control[],
  nodes: readonly AskedNode[],
): readonly Result[] {
  return controls.map((control) => {
    if ("exception" in control)
      return { control, verdict: "exception", reasons: [control.exception] };
    if ("manual" in control) return { control, verdict: "manual", reasons: [control.manual] };
    const reasons = nodes
      .filter(({ isController }) => control.on === "nodes" || isController)
      .flatMap(({ name, found }) =>
        [...new Set(control.faults(found))].map((fault) => `${name}: ${fault}`),
      );
    return { control, verdict: reasons.length === 0 ? "ok" : "FAIL", reasons };
  });
}

/** The lines in which results are shown. */
export function linesOf(results: readonly Result[]): string[] {
  return results.flatMap(({ control: { id, title }, verdict, reasons }) => {
    const line = `${verdict.padEnd(9)}  ${id.padEnd(6)}  ${title}`;
    if (verdict === "FAIL") return [line, ...reasons.map((reason) => `${" ".repeat(19)}${reason}`)];
    return [verdict === "ok" ? line : `${line}: ${reasons[0]}`];
  });
}

/** The figures of results, such as `2 ok, 1 FAIL, 1 exception, 0 manual`. */
export function figuresOf(results: readonly Result[]): string {
  const count = (wanted: Result["verdict"]) =>
    results.filter(({ verdict }) => verdict === wanted).length;
  const exceptions = count("exception");
  return `${count("ok")} ok, ${count("FAIL")} FAIL, ${exceptions} exception${exceptions === 1 ? "" : "s"}, ${count("manual")} manual`;
}
