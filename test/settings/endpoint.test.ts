import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { hosts } from "../../stacks/hosts/platform.ts";
import { local } from "../../stacks/local/platform.ts";
import { type Change, changed, itRefuses, mistakes, settings } from "../support/settings.ts";

/** The operator's key. */
const key = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
}).privateKey;
const alone: Change = {
  loadBalancers: [],
  "controllers[2]": undefined,
  "controllers[1]": undefined,
};
const onHosts: Change = { platform: "hosts", "hosts.privateKeyFile": "/keys/openssh" };

describe("settings of the endpoint", () => {
  const machinesReach = (change: Change) => local.endpoint(settings(changed(change))).fromMachines;

  it("leave it to the load balancer, or to the only controller", () => {
    assert.deepEqual(machinesReach({}), { host: "10.240.0.10", port: 6443 });
    assert.deepEqual(machinesReach(alone), { host: "10.240.0.11", port: 6443 });
  });
  it("name a load balancer of others, with its port", () => {
    const change = { ...onHosts, loadBalancers: [] };
    const reached = (endpoint: object) => {
      const raw = changed({ ...change, endpoint });
      return hosts.endpoint(settings(raw, { read: () => key }));
    };
    const named = { host: "api.example.com", port: 443 };
    assert.deepEqual(reached(named), { fromMachines: named, fromOperator: named });
    assert.deepEqual(reached({ host: "192.0.2.9" }).fromMachines, {
      host: "192.0.2.9",
      port: 6443,
    });
  });

  describe("that lead nowhere", () =>
    itRefuses([
      [
        { loadBalancers: undefined },
        "loadBalancers: no machine in front of 3 controllers, got nothing; list one, or write endpoint.host",
      ],
      [
        { loadBalancers: [], "endpoint.host": "192.0.2.9" },
        "endpoint.host: out of reach for machines on this computer, got 192.0.2.9; list load balancers instead, or one controller and no load balancer",
      ],
    ]));

  describe("that lead to several places", () => {
    itRefuses([
      [
        { "loadBalancers[1]": { name: "lb2", address: "10.240.0.9" } },
        "loadBalancers: more than one machine, got 2; list one",
      ],
    ]);
    const refuses = (change: Change, ...expected: string[]) =>
      it(expected[0]!, () =>
        assert.deepEqual(
          mistakes(changed({ ...onHosts, ...change }), { read: () => key }),
          expected,
        ),
      );
    refuses(
      { "endpoint.host": "api.example.com" },
      "loadBalancers: machines in front of the API beside endpoint.host, got 1; list none, or leave endpoint out",
    );
    refuses(
      { loadBalancers: [], "endpoint.host": "10.240.0.11" },
      "endpoint.host: the same as controllers[0].address, got 10.240.0.11; write the address of a load balancer of others, or leave endpoint out",
    );
  });
});
