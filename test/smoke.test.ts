import assert from "node:assert/strict";
import { type Check, Fault, runChecks } from "../operations/smoke/check.ts";
import type { Cluster } from "../operations/smoke/cluster.ts";
import { etcdHealthy, nodesDiffer } from "../operations/smoke/control-plane.ts";
import { silent } from "../operations/smoke/drift.ts";

/** A check that runs the function given, or does nothing. */
function check(
  name: string,
  run: () => Promise<void> = async () => {},
  ...needs: readonly Check<string>[]
): Check<string> {
  return {
    name,
    needs,
    run,
    lookAt: (stack, machines) => [`${stack} at ${machines.length === 0 ? "all" : machines}`],
  };
}

const fails = (error: Error) => async () => {
  throw error;
};

describe("the checks of the smoke test", () => {
  const run = async (checks: readonly Check<string>[], controller = new AbortController()) => {
    const said: string[] = [];
    const passed = await runChecks(checks, "dev", (line) => said.push(line), controller.signal);
    return { passed, said: said.map((line) => line.replace(/^(\w+ +)\d+\.\d s/, "$1_ s")) };
  };

  it("are printed one by one, each with its time", async () => {
    const { passed, said } = await run([check("one"), check("other")]);
    assert.deepEqual(said, ["ok    _ s  one", "ok    _ s  other"]);
    assert.equal(passed, true);
  });

  it("print the error of a failed check and where to look, and go on", async () => {
    const { passed, said } = await run([
      check("one", fails(new Error("it is\nbroken"))),
      check("other", fails(new Fault("no", "worker1"))),
      check("last"),
    ]);
    assert.deepEqual(said, [
      "FAIL  _ s  one",
      "      it is",
      "      broken",
      "      look at: dev at all",
      "FAIL  _ s  other",
      "      no",
      "      look at: dev at worker1",
      "ok    _ s  last",
    ]);
    assert.equal(passed, false);
  });

  it("are skipped where a check that they need has failed or was skipped", async () => {
    const one = check("one", fails(new Error("no")));
    const other = check("other", undefined, one);
    const { passed, said } = await run([one, other, check("last", undefined, other)]);
    assert.deepEqual(said.slice(3), [
      'skip         other: only after "one"',
      'skip         last: only after "other"',
    ]);
    assert.equal(passed, false);
  });

  it("end without a line once interrupted", async () => {
    const controller = new AbortController();
    const interrupted = check("one", async () => {
      controller.abort();
      throw new Error("killed");
    });
    const { passed, said } = await run([interrupted, check("other")], controller);
    assert.deepEqual([passed, said], [false, []]);
  });
});

describe("the nodes of the smoke test", () => {
  /** What the check says of nodes with these ids of machine and board. */
  const said = (ids: Readonly<Record<string, readonly [string, string]>>) => {
    const nodes = Object.entries(ids).map(([name, [machineID, systemUUID]]) => ({
      metadata: { name },
      status: { nodeInfo: { machineID, systemUUID } },
    }));
    return nodesDiffer.run({ nodes } as unknown as Cluster).then(
      () => undefined,
      ({ message }: Error) => message,
    );
  };

  it("differ in the id of their machine or of its board", async () => {
    assert.equal(
      await said({ cp1: ["a", "x"], worker1: ["b", "x"], worker2: ["a", "y"] }),
      undefined,
    );
    assert.equal(
      await said({ cp1: ["a", "x"], worker1: ["b", "x"], worker2: ["a", "x"] }),
      "worker2 has the ids of cp1: machine a, board x",
    );
  });
});

describe("the members of etcd in the smoke test", () => {
  /** What the check says where etcdctl says this of the health of two members. */
  const said = (...errors: readonly string[]) => {
    const controllers = errors.map((_, index) => ({
      name: `cp${index + 1}`,
      address: `10.240.0.1${index + 1}`,
    }));
    const health = controllers.map(({ address }, index) => ({
      endpoint: `https://${address}:2379`,
      health: errors[index] === "",
      error: errors[index],
    }));
    const outputOn = async (_: object, script: string) =>
      JSON.stringify(script.includes(" member list") ? { members: controllers } : health);
    return etcdHealthy.run({ of: () => controllers, outputOn } as unknown as Cluster).then(
      () => undefined,
      ({ message }: Error) => message,
    );
  };

  it("are named where one is not healthy", async () => {
    assert.equal(await said("", ""), undefined);
    assert.equal(
      await said("", "context deadline exceeded"),
      "cp2's member of etcd is not healthy: context deadline exceeded",
    );
  });
  it("leave an alarm to the check of alarms", async () =>
    assert.equal(await said("Active Alarm(s): NOSPACE ", "Active Alarm(s): NOSPACE "), undefined));
});

describe("the check of APIServices", () => {
  const one = (name: string, status: object, service?: object) =>
    ({ metadata: { name }, spec: { service }, status }) as Parameters<typeof silent>[0][number];
  const available = (status: string, message = "") => ({
    conditions: [{ type: "Available", status, message }],
  });

  it("names each that does not answer, and what it points at", () => {
    const target = { namespace: "default", name: "nobody" };
    assert.deepEqual(
      silent([
        one("v1.", available("True")),
        one("v1.a.example.com", available("False", "no endpoints"), target),
        one("v1.b.example.com", {}, target),
      ]),
      [
        "the APIService v1.a.example.com (default/nobody) does not answer: no endpoints; no namespace can be deleted until it answers or is deleted",
        "the APIService v1.b.example.com (default/nobody) does not answer: it has not been tried; no namespace can be deleted until it answers or is deleted",
      ],
    );
  });
});
