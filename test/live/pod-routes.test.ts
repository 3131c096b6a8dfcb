import assert from "node:assert/strict";
import { bridgeNetwork } from "../../networks/bridge/service.ts";
import { placed } from "../../services/service.ts";
import { cluster, worker } from "../support/facts.ts";
import {
  apply,
  applyAndWait,
  describeOnMachine,
  done,
  machine,
  node,
} from "./support/node-tests.ts";

/** The service of the machine, whose pods have that range, beside another node. */
const withRange = (podCidr: string) =>
  placed(
    bridgeNetwork(
      cluster({
        nodes: [
          { name: "worker1", address: "10.240.0.11", podCidr },
          { name: "worker2", address: "10.240.0.22", podCidr: "10.200.22.0/24" },
        ],
      }),
      worker({ address: "10.240.0.11", podCidr }),
    ),
  );
const rules = async () =>
  (await machine.output("iptables -t nat -S POSTROUTING"))
    .split("\n")
    .filter((rule) => rule.includes("pods to the outside"));

describeOnMachine("the routes to pods", () => {
  it("come with one rule for what leaves the range of all pods", async () => {
    await apply(withRange("10.200.21.0/24"));
    await applyAndWait(withRange("10.200.21.0/24"));
    assert.match(await machine.output("ip route"), /^10\.200\.22\.0\/24 via 10\.240\.0\.22 /m);
    assert.deepEqual(await rules(), [
      '-A POSTROUTING -s 10.200.21.0/24 ! -d 10.200.0.0/16 -m comment --comment "pods to the outside" -j MASQUERADE',
    ]);
  });

  it("leave no rule of another range behind", async () => {
    await applyAndWait(withRange("10.200.31.0/24"));
    assert.deepEqual(await rules(), [
      '-A POSTROUTING -s 10.200.31.0/24 ! -d 10.200.0.0/16 -m comment --comment "pods to the outside" -j MASQUERADE',
    ]);
  });

  it("go with their service", async () => {
    await done(node("remove", withRange("10.200.31.0/24")));
    assert.deepEqual(await rules(), []);
    assert.doesNotMatch(await machine.output("ip route"), /10\.200\./);
  });
});
