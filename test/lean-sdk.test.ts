import { strict as assert } from "node:assert";
import { type Told, tellEngine } from "./support/engine.ts";

describe("the SDK without what the program has no use for", function () {
  this.timeout(120_000);

  let lean: Told;
  before(async () => {
    lean = await tellEngine("small");
    assert.equal(lean.code, 0, lean.said);
  });

  it("registers the same resources as the whole SDK", async () => {
    const whole = await tellEngine("small", { KTHW_WHOLE_SDK: "true" });
    assert.equal(whole.code, 0, whole.said);
    // Only the whole SDK loads these, and notes where a resource was made.
    assert.ok(whole.modules.some((file) => file.startsWith("typescript/")));
    assert.match(whole.resources.join("\n"), /"sourceposition":\{/);
    assert.ok((whole.calls.log ?? 0) > whole.resources.length);
    assert.deepEqual(lean.resources.map(comparable), whole.resources.map(comparable));
  });

  it("loads no library that machines on this computer do not need", () => {
    const loaded = (library: string) => lean.modules.filter((file) => file.startsWith(library));
    for (const library of [
      "@pulumi/pulumi/automation/",
      "@npmcli/arborist/",
      "typescript/",
      "@pulumi/aws/",
      "@pulumi/libvirt/",
      "execa/",
    ])
      assert.deepEqual(loaded(library), [], library);
    assert.ok(lean.modules.length <= 620, `${lean.modules.length} modules`);
  });

  it("asks the engine once for each resource and for the outputs of each component", () => {
    const { registerResource, registerResourceOutputs, supportsFeature, ...others } = lean.calls;
    const components = lean.resources.filter((text) => !JSON.parse(text).custom);
    assert.equal(registerResource, lean.resources.length);
    assert.equal(registerResourceOutputs, components.length);
    assert.deepEqual(others, { setRootResource: 1, invoke: 1, signalAndWaitForShutdown: 1 });
  });
});

/** A resource without where it was made, without the ids that each run makes anew, and with what it waits for in one order. */
function comparable(resource: string): unknown {
  const { sourceposition, stacktrace, dependenciesList, propertydependenciesMap, ...all } =
    JSON.parse(resource.replaceAll(/"[0-9a-f]{32}"/g, '"an id"'));
  const properties = propertydependenciesMap.map(
    ([name, { urnsList }]: [string, { urnsList: string[] }]) => [name, urnsList.sort()],
  );
  return { ...all, dependencies: dependenciesList.sort(), properties };
}
