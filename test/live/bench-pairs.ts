/** Measures this build beside that of another commit, in turn: `bench-pairs.ts <commit> <runs>`; writes the table to docs/benchmarks.md. */
import { argv } from "node:process";
import { computer, publish, table } from "./support/benchmarks-page.ts";
import { withBuildOf } from "./support/earlier-build.ts";
import { type Build, LiveStack, thisBuild } from "./support/live-stack.ts";
import {
  bootMachines,
  commandsPerMachine,
  createCluster,
  joinWorker,
  updateWithoutChange,
} from "./support/measures.ts";
import { output, step, succeeded } from "./support/run.ts";
import { measureScale } from "./support/scale.ts";
import { forgetShared, memoryOf, writtenByMachine } from "./support/weight.ts";

/** Measures the default stack of a build, from nothing to a worker that joins. */
async function measureCluster(build: Build) {
  const stack = await LiveStack.create(build);
  try {
    await forgetShared(stack);
    const booting = await bootMachines(stack);
    const creation = await createCluster(stack);
    const written = writtenByMachine(stack);
    const commands = await commandsPerMachine(stack);
    const { resources } = (await stack.export()).deployment;
    const same = await updateWithoutChange(stack);
    const smoke = () => stack.script("operations/smoke/run-smoke.ts");
    succeeded(await step("smoke test", smoke));
    const memory = await memoryOf(stack);
    const join = await joinWorker(stack, "certificates", 3);
    return {
      booting,
      creation,
      written,
      commands,
      resources: resources.length,
      same: { seconds: same.seconds, logins: same.logins },
      memory,
      join: join.seconds,
    };
  } finally {
    await stack.remove();
  }
}

const measure = async (build: Build) => ({
  scale: await measureScale(100, build),
  cluster: await measureCluster(build),
});

type Measured = Awaited<ReturnType<typeof measure>>;

interface Row {
  readonly title: string;
  /** The largest ratio of this build to the other that is good enough. */
  readonly bar?: number;
  readonly unit?: "s" | "MiB";
  readonly of: (measured: Measured) => number;
}

const rows: readonly Row[] = [
  {
    title: "booted, empty machines to all nodes Ready and DNS from a pod",
    bar: 0.6,
    unit: "s",
    of: ({ cluster }) => cluster.creation,
  },
  { title: "booting them", unit: "s", of: ({ cluster }) => cluster.booting },
  {
    title: "`up --skip-preview` of the default stack without a change",
    bar: 0.65,
    unit: "s",
    of: ({ cluster }) => cluster.same.seconds,
  },
  { title: "its SSH connections", of: ({ cluster }) => cluster.same.logins },
  {
    title: "`preview` of 3 controllers and 100 workers",
    bar: 0.5,
    unit: "s",
    of: ({ scale }) => scale.preview.seconds,
  },
  {
    title: "its program's peak memory",
    bar: 0.5,
    unit: "MiB",
    of: ({ scale }) => scale.preview.program.peakMiB,
  },
  {
    title: "its program's processor time",
    unit: "s",
    of: ({ scale }) => scale.preview.program.cpuSeconds,
  },
  {
    title: "their first update, simulated",
    unit: "s",
    of: ({ scale }) => scale.first.seconds,
  },
  {
    title: "one changed kubelet setting of one worker among them, simulated",
    bar: 0.5,
    unit: "s",
    of: ({ scale }) => scale.change.seconds,
  },
  {
    title: "its program's processor time",
    unit: "s",
    of: ({ scale }) => scale.change.program.cpuSeconds,
  },
  {
    title: "machines that it contacts",
    of: ({ scale }) => Object.keys(scale.change.contacted).length,
  },
  {
    title: "a worker joins by `certificates`, boot included",
    bar: 0.75,
    unit: "s",
    of: ({ cluster }) => cluster.join,
  },
  {
    title: "memory of the default stack after the smoke test",
    bar: 0.7,
    unit: "MiB",
    of: ({ cluster }) => cluster.memory.processes + cluster.memory.files,
  },
  { title: "its processes", unit: "MiB", of: ({ cluster }) => cluster.memory.processes },
  { title: "its pages of files", unit: "MiB", of: ({ cluster }) => cluster.memory.files },
  {
    title: "written to disk by a controller of a new cluster, on average",
    unit: "MiB",
    of: ({ cluster }) => averageOf("cp", cluster.written),
  },
  {
    title: "written to disk by a worker, the test's image included",
    unit: "MiB",
    of: ({ cluster }) => averageOf("worker", cluster.written),
  },
  { title: "commands on a controller", of: ({ cluster }) => cluster.commands.cp1! },
  { title: "commands on a worker", of: ({ cluster }) => cluster.commands.worker1! },
  { title: "resources of the default stack", of: ({ cluster }) => cluster.resources },
];

function averageOf(start: string, byMachine: Readonly<Record<string, number>>): number {
  const values = Object.entries(byMachine).flatMap(([name, value]) =>
    name.startsWith(start) ? [value] : [],
  );
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** The cells of a row: medians with the least and the most, their ratio, and its bar. */
function cells({ title, bar, unit, of }: Row): string[] {
  const shown = (value: number) =>
    unit === undefined ? `${value}` : value.toFixed(unit === "s" ? 1 : 0);
  const [earlier, now] = [before, after].map((measured) => measured.map(of)) as [
    number[],
    number[],
  ];
  const spread = (values: number[]) =>
    `${shown(median(values))}${unit === undefined ? "" : ` ${unit}`} (${shown(Math.min(...values))} to ${shown(Math.max(...values))})`;
  const ratio = median(earlier) === 0 ? "" : (median(now) / median(earlier)).toFixed(2);
  return [title, spread(earlier), spread(now), ratio, bar === undefined ? "" : `<= ${bar}`];
}

const [, , commit = "HEAD", runs = "5"] = argv;
const before: Measured[] = [];
const after: Measured[] = [];
await withBuildOf(commit, async (earlier) => {
  for (let run = 1; run <= Number(runs); run++)
    for (const [title, build, all] of [
      [commit, earlier, before],
      ["this build", thisBuild, after],
    ] as const) {
      console.log(`\n  run ${run} of ${runs}: ${title}`);
      all.push(await measure(build));
      console.log(`    ${JSON.stringify(all.at(-1))}`);
    }
});
const short = (name: string) =>
  output("git", ["-C", thisBuild.root, "rev-parse", "--short=12", name]).then((id) => id.trim());
await publish(
  "Beside an earlier build",
  `\`make bench BEFORE=${await short(commit)} RUNS=${runs}\`, on ${computer}: that build and ${await short("HEAD")} in turn, N = ${runs}. Shown are medians,
with the least and the most. What machines may share was not in memory when they were made, so that all pages of files are theirs.

${table(["measure", "before", "now", "ratio", "bar"], ...rows.map(cells))}`,
);
