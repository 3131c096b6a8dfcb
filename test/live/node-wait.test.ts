import assert from "node:assert/strict";
import {
  apply,
  describeOnMachine,
  done,
  exists,
  fails,
  machine,
  service,
} from "./support/node-tests.ts";

describeOnMachine("kthw-node wait", () => {
  it("is done when all are healthy and the command succeeds", async () => {
    for (const name of ["waited-1", "waited-2"]) {
      const ExecStart = `/bin/sh -c 'sleep 0.5; touch /run/${name}; exec sleep infinity'`;
      await apply(service(name, [], { health: `test -e /run/${name}`, Service: { ExecStart } }));
    }
    const until = "test -e /run/waited-1 && test -e /run/waited-2 && test -e /run/until";
    await done(
      machine.run(
        `(sleep 1; touch /run/until) & kthw-node wait waited-1 waited-2 --within 20 --until '${until}'`,
      ),
    );
    assert.equal(await exists("/run/until"), true);
  });

  it("fails with the journal of a service that keeps falling over, long before its timeout", async () => {
    const ExecStart = "/bin/sh -c 'echo it crashes because; exit 3'";
    const { health: _, ...unsteady } = service("unsteady", [], { Service: { ExecStart } });
    await apply(unsteady);
    await fails(
      machine.run("kthw-node wait unsteady"),
      /^unsteady\.service on m1 is not healthy: it does not run$/m,
      /^it crashes because$/m,
      /status=3/,
    );
  });

  it("fails at its timeout", async () => {
    await apply(service("ill", [], { health: "false", timeoutSeconds: 1 }));
    await fails(machine.run("kthw-node wait ill"), /^ill\.service on m1 is not healthy: false$/m);
  });

  it("fails for a service that is not there", async () => {
    await fails(machine.run("kthw-node wait nobody"), /there is no service nobody on m1/);
  });

  it("fails at once where its command says that it will not succeed", async () => {
    await fails(
      machine.run("kthw-node wait --within 60 --until 'echo not like this; exit 78'"),
      /^not like this$/m,
    );
  });

  it("fails with what its command says, at its limit", async () => {
    await fails(
      machine.run("kthw-node wait --within 1 --until 'echo busy; false'"),
      /^kthw-node: still failing on m1 after 1 s: echo busy; false\nbusy$/m,
    );
  });

  it("runs no command without a limit", async () => {
    await fails(
      machine.run("kthw-node wait --until 'touch /run/unlimited'"),
      /wait --until needs --within SECONDS, got none/,
    );
    assert.equal(await exists("/run/unlimited"), false);
  });
});
