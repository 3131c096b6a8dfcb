import assert from "node:assert/strict";
import { Builds } from "../stacks/builds.ts";
import { record } from "./support/record.ts";
import { changed, settings } from "./support/settings.ts";

/** What the state remembers, by the name of the record. */
type State = ReadonlyMap<string, unknown>;

describe("builds of machines", () => {
  /** An update with these generations, and the state after it. */
  const update = async (
    size: string,
    own: Record<string, number> = {},
    state: State = new Map(),
  ) => {
    const { resources, exports } = await record(
      async () =>
        await new Builds("builds", {
          settings: settings(changed({})),
          where: "cloud.machines",
          own: Object.entries(own).map(([name, generation]) => ({ name, generation })),
          today: ({ role }) => ({ size: `${size} ${role}` }),
        }).result,
      { outputs: ({ name, inputs }) => ({ output: state.get(name) ?? inputs.input }) },
    );
    const stashes = resources.filter(({ type }) => type === "pulumi:index:Stash");
    const after = stashes.map(
      ({ name, inputs }) => [name, state.get(name) ?? inputs.input] as const,
    );
    return { result: exports, state: new Map(after) };
  };
  const sizeOf = ({ result }: Awaited<ReturnType<typeof update>>, name: string) => {
    assert.ok(!("mistakes" in result), JSON.stringify(result));
    return result.get(name)!.build.size;
  };
  const mistake = (index: number, generation: number) =>
    `cloud.machines[${index}].generation: raised together with that of another controller, got ${generation}; make one controller anew in each update, since each holds a member of etcd`;

  it("stay until a generation is raised, and are of that day then", async () => {
    const first = await update("small");
    assert.equal(sizeOf(first, "cp1"), "small controller");
    const second = await update("large", { cp2: 2 }, first.state);
    assert.equal(sizeOf(second, "cp1"), "small controller");
    assert.equal(sizeOf(second, "cp2"), "large controller");
    const third = await update("huge", { cp2: 2 }, second.state);
    assert.equal(sizeOf(third, "cp2"), "large controller");
  });
  it("are not of two controllers anew in one update, but of one after another", async () => {
    const { state } = await update("small");
    const together = await update("large", { cp1: 2, cp3: 5 }, state);
    assert.deepEqual(together.result, { mistakes: [mistake(0, 2), mistake(1, 5)] });
    const one = await update("large", { cp1: 2 }, state);
    const other = await update("large", { cp1: 2, cp3: 5 }, one.state);
    assert.equal(sizeOf(other, "cp3"), "large controller");
  });
  it("are of any number of workers anew", async () => {
    const { state } = await update("small");
    const both = await update("large", { worker1: 2, worker2: 2 }, state);
    for (const name of ["worker1", "worker2"]) assert.equal(sizeOf(both, name), "large worker");
  });
  it("begin with any generation", async () => {
    const first = await update("small", { cp1: 3, cp2: 4 });
    assert.equal(sizeOf(first, "cp2"), "small controller");
  });
});
