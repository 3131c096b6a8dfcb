/** Measures three controllers and a hundred workers on simulated machines; prints a table, and writes it to docs/benchmarks.md. */
import { computer, publish, table } from "./support/benchmarks-page.ts";
import { measureScale, type Taken } from "./support/scale.ts";

const { preview, first, change } = await measureScale(100);

const row = (title: string, { seconds, program }: Taken, contacted: readonly string[]) => [
  title,
  `${seconds.toFixed(1)} s`,
  `${program.cpuSeconds.toFixed(1)} s`,
  `${program.peakMiB.toFixed(0)} MiB`,
  contacted.length > 1 ? `${contacted.length}` : contacted.join("") || "none",
];
await publish(
  "A hundred workers",
  `\`make bench-scale\`, once, on ${computer}: three controllers and a hundred workers. In the updates machines and the API are simulated, and
answer at once, so that the times are those of Pulumi, its plugins and the program. The first update writes the state at its end alone.

${table(
  ["", "seconds", "the program's processor time", "its peak memory", "machines contacted"],
  row("preview of the first update", preview, []),
  row("first update", first, Object.keys(first.contacted)),
  row("another kubelet setting of worker100", change, Object.keys(change.contacted)),
)}`,
);
