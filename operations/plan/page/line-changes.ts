import { diffArrays } from "diff";

/** How many lines stay, are removed and are added, in turns. */
export type LineChanges = readonly number[];

/** The lines of a text; a text that ends in a line break has no empty line behind it. */
export function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** The change from one text to another. */
export function lineChanges(before: string, after: string): LineChanges {
  const changes: number[] = [];
  let [same, removed, added] = [0, 0, 0];
  const flush = () => {
    if (same + removed + added > 0) changes.push(same, removed, added);
    [same, removed, added] = [0, 0, 0];
  };
  for (const part of diffArrays(linesOf(before), linesOf(after))) {
    if (part.added) added += part.count;
    else if (part.removed) removed += part.count;
    else {
      flush();
      same = part.count;
    }
  }
  flush();
  return changes;
}

/** The lines that a change removes and adds, each with its sign. */
export function changedLines(before: string, after: string, changes: LineChanges): string[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  const lines: string[] = [];
  let [left, right] = [0, 0];
  for (let at = 0; at < changes.length; at += 3) {
    const [same, removed, added] = changes.slice(at, at + 3) as [number, number, number];
    left += same;
    right += same;
    lines.push(...old.slice(left, left + removed).map((line) => `-${line}`));
    lines.push(...now.slice(right, right + added).map((line) => `+${line}`));
    left += removed;
    right += added;
  }
  return lines;
}
