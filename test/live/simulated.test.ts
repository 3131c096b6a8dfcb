import assert from "node:assert/strict";
import { measureScale } from "./support/scale.ts";

describe("a cluster on simulated machines", function () {
  this.timeout(300_000);

  it("is made and changed, and only the machine of a changed setting is contacted", async () => {
    const { first, change } = await measureScale(3);
    const machines = ["cp1", "cp2", "cp3", "lb", "worker1", "worker2", "worker3"];
    assert.deepEqual(Object.keys(first.contacted).sort(), machines);
    assert.deepEqual(change.contacted, { worker3: 1 });
    for (const { program } of [first, change]) {
      assert.ok(program.cpuSeconds > 0.5, `${program.cpuSeconds}`);
      assert.ok(program.peakMiB > 100, `${program.peakMiB}`);
    }
  });
});
