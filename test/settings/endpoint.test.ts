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
const kinds = "write address for one that load balancers share, or host for one behind another";
const second = { "loadBalancers[1]": { name: "lb2", address: "10.240.0.9" } };
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
  it("name an address that two load balancers share", () =>
    assert.deepEqual(machinesReach({ ...second, "endpoint.address": "10.240.0.5" }), {
      host: "10.240.0.5",
      port: 6443,
    }));
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
        "loadBalancers: no machine in front of 3 controllers, got nothing; list one, or two with endpoint.address, or write endpoint.host",
      ],
      [
        second,
        "endpoint.address: none for 2 load balancers, got nothing; choose a free address in machineCidr that they share",
      ],
      [{ endpoint: {} }, `endpoint: neither an address nor a host, got nothing; ${kinds}`],
      [
        { loadBalancers: [], "endpoint.address": "10.240.0.5" },
        "endpoint.address: no load balancer has it, got 10.240.0.5; list two, or write endpoint.host for one behind another load balancer",
      ],
      [
        { "endpoint.address": "10.240.0.5" },
        "endpoint.address: one load balancer has nobody to share it with, got 10.240.0.5; list another, or leave it out",
      ],
      [
        { loadBalancers: [], "endpoint.host": "192.0.2.9" },
        "endpoint.host: out of reach for machines on this computer, got 192.0.2.9; list load balancers instead, or one controller and no load balancer",
      ],
    ]));

  describe("that lead to several places", () => {
    itRefuses([
      [
        { ...second, "endpoint.address": "10.240.0.5", "endpoint.port": 443 },
        "endpoint.port: only for endpoint.host, got 443; leave it out for 6443",
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
      "loadBalancers: machines in front of the API beside endpoint.host, got 1; list none, or leave endpoint.host out",
    );
    refuses(
      { loadBalancers: [], endpoint: { address: "10.240.0.5", host: "192.0.2.9" } },
      `endpoint.host: another beside endpoint.address, got 192.0.2.9; ${kinds}`,
    );
    refuses(
      { loadBalancers: [], "endpoint.host": "10.240.0.11" },
      "endpoint.host: the same as controllers[0].address, got 10.240.0.11; choose an address that no machine has",
    );
  });

  describe("with an address that cannot be shared", () => {
    const free = "choose a free one in machineCidr 10.240.0.0/24";
    const at = (address: string, wrong: string, todo = free) =>
      [
        { ...second, endpoint: { address } },
        `endpoint.address: ${wrong}, got ${address}; ${todo}`,
      ] as const;
    itRefuses([
      at(
        "10.240.0.9",
        "the same as loadBalancers[1].address",
        "choose an address that no machine has",
      ),
      at("10.241.0.5", "not in machineCidr 10.240.0.0/24"),
      at("10.240.0.255", "the network's broadcast address"),
      at("10.240.0.1", "the address of the machines' gateway"),
      at("10.240.0.500", "not an IPv4 address", "write four numbers like 10.240.0.10"),
    ]);
  });
});
