import assert from "node:assert/strict";
import { Builds } from "../stacks/builds.ts";
import { record } from "./support/record.ts";
import { type Change, changed, settings } from "./support/settings.ts";

/** What the state remembers, by the name of the record. */
type State = ReadonlyMap<string, unknown>;

describe("builds of machines", () => {
  /** An update with these generations, and the state after it. */
  const update = async (
    size: string,
    own: Record<string, number> = {},
    state: State = new Map(),
    change: Change = {},
  ) => {
    const { resources, exports } = await record(
      async () =>
        await new Builds("builds", {
          settings: settings(changed(change)),
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
  const mistake = (place: string, generation: number) =>
    `cloud.machines${place}: changed together with that of another controller, got ${generation}; make one controller anew in each update, since each holds a member of etcd`;

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
    assert.deepEqual(together.result, {
      mistakes: [mistake("[0].generation", 2), mistake("[1].generation", 5)],
    });
    const one = await update("large", { cp1: 2 }, state);
    const other = await update("large", { cp1: 2, cp3: 5 }, one.state);
    assert.equal(sizeOf(other, "cp3"), "large controller");
  });
  it("are not of all controllers anew because their generations were put back", async () => {
    let { state } = await update("small");
    const own: Record<string, number> = {};
    for (const name of ["cp1", "cp2", "cp3"]) {
      own[name] = 2;
      const next = await update("large", own, state);
      assert.equal(sizeOf(next, name), "large controller");
      state = next.state;
    }
    assert.equal(sizeOf(await update("huge", own, state), "cp1"), "large controller");
    const tidied = await update("huge", {}, state);
    const places = ["cp1", "cp2", "cp3"].map((name) => ` (${name}, generation)`);
    assert.deepEqual(tidied.result, { mistakes: places.map((place) => mistake(place, 1)) });
    const one = await update("huge", { cp2: 2, cp3: 2 }, state);
    assert.equal(sizeOf(one, "cp1"), "huge controller");
  });
  it("are not of the only controller anew, which has all of etcd", async () => {
    const alone = { "controllers[2]": undefined, "controllers[1]": undefined };
    const { state } = await update("small", {}, new Map(), alone);
    assert.deepEqual((await update("large", { cp1: 2 }, state, alone)).result, {
      mistakes: [
        "cloud.machines[0].generation: changed for the only controller, whose disk holds all of etcd, got 2; put it back, or add two controllers first",
      ],
    });
    assert.equal(sizeOf(await update("large", {}, state, alone), "cp1"), "small controller");
  });
  it("tell which machines an earlier update made", async () => {
    const made = ({ result }: Awaited<ReturnType<typeof update>>) => {
      assert.ok(!("mistakes" in result));
      return [...result].filter(([, { isMade }]) => isMade).map(([name]) => name);
    };
    const first = await update("small");
    assert.deepEqual(made(first), []);
    const second = await update("small", { cp2: 2 }, first.state);
    assert.deepEqual(made(second), ["lb", "cp1", "cp3", "worker1", "worker2"]);
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
