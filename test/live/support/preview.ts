import { effective, input, nameOf, type PreviewStep } from "../../../operations/plan/steps.ts";

/** A line that a preview adds or removes. */
export interface LineChange {
  readonly resource: string;
  readonly sign: "+" | "-";
  readonly line: string;
}

/** The changed lines in the standard input of commands. */
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
