import assert from "node:assert/strict";
import { founded } from "./support/left.ts";
import { firstUpdate, type Graph, type LocalSettings, runProgram } from "./support/program.ts";

/** What a program asks of Pulumi. */
interface Weight {
  readonly resources: number;
  readonly commands: number;
  /** The inputs of all resources, which are in the state as well. */
  readonly kibibytes: number;
}

function weightOf({ graph }: { readonly graph: Graph }): Weight {
  const { resources } = graph;
  const bytes = resources.reduce((sum, { inputs }) => sum + JSON.stringify(inputs).length, 0);
  return {
    resources: resources.length,
    commands: graph.commands().length,
    kibibytes: bytes / 1024,
  };
}

const machine = (name: string, last: number) => ({
  name,
  address: `10.240.0.${last}`,
  podCidr: `10.200.${last}.0/24`,
});

/** What changed settings ask for beyond the default stack's, for each of `count` machines. */
async function added(count: number, settings: (settings: LocalSettings) => void): Promise<Weight> {
  const before = weightOf(await firstUpdate());
  const after = weightOf(await runProgram({ settings }));
  const each = (of: (weight: Weight) => number) => (of(after) - of(before)) / count;
  return {
    resources: each(({ resources }) => resources),
    commands: each(({ commands }) => commands),
    kibibytes: each(({ kibibytes }) => kibibytes),
  };
}

/** More than this makes every update slower. Where it becomes less, the numbers of the test go down, too. */
function assertAtMost(weight: Weight, most: Weight): void {
  for (const [name, limit] of Object.entries(most) as [keyof Weight, number][])
    assert.ok(weight[name] <= limit, `${name}: ${weight[name]}, and not more than ${limit}`);
}

describe("the weight", () => {
  it("of the default stack does not rise", async () => {
    assertAtMost(weightOf(await firstUpdate()), { resources: 249, commands: 66, kibibytes: 460 });
  });
  it("of a further worker does not rise", async () => {
    const weight = await added(2, ({ workerPools }) => {
      workerPools[0]!.machines.push(machine("worker3", 23), machine("worker4", 24));
    });
    assertAtMost(weight, { resources: 25, commands: 8, kibibytes: 55 });
  });
  it("of a further controller does not rise", async () => {
    const weight = await added(2, ({ controllers }) => {
      controllers.push(machine("cp4", 14), machine("cp5", 15));
    });
    assertAtMost(weight, { resources: 43, commands: 16, kibibytes: 102 });
  });
  it("of an update after the first does not come from workers that depend on something else", async () => {
    const [first, later] = [await firstUpdate(), await runProgram({ state: founded })].map(
      ({ graph }) =>
        Object.fromEntries(
          graph.commands("worker2").map(({ name, dependsOn }) => [name, dependsOn.toSorted()]),
        ),
    );
    assert.deepEqual(later, first);
  });
});
