import { effective, input, nameOf, type PreviewStep } from "../../../operations/plan/steps.ts";

/** A line that a preview adds or takes away. */
export interface LineChange {
  readonly resource: string;
  readonly sign: "+" | "-";
  readonly line: string;
}

/** Lines of the commands' standard input that a preview changes. */
export function changedLines(steps: readonly PreviewStep[]): LineChange[] {
  return effective(steps).flatMap(({ urn, oldState, newState }) => {
    const before = input(oldState, "stdin").split("\n");
    const after = input(newState, "stdin").split("\n");
    const only = (sign: "+" | "-", lines: string[], others: string[]) =>
      lines
        .filter((line) => !others.includes(line))
        .map((line) => ({ resource: nameOf(urn), sign, line: line.trim() }));
    return [...only("-", before, after), ...only("+", after, before)];
  });
}
