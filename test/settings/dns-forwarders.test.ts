import assert from "node:assert/strict";
import { changed, itRefuses, mistakes } from "../support/settings.ts";

const none = "leave it out for names of the cluster only";
const todo = `write the address of a DNS server outside the cluster, or ${none}`;
const first = (address: string) => ({ dnsForwarders: [address] });

describe("DNS servers for names outside the cluster", () => {
  it("may be public, on a machine's network, or a link's", () => {
    const dnsForwarders = ["1.1.1.1", "9.9.9.9", "10.240.0.1", "192.168.1.1", "169.254.169.253"];
    assert.deepEqual(mistakes(changed({ dnsForwarders })), []);
  });

  itRefuses([
    ...["127.0.0.1", "127.0.0.53", "127.255.0.1"].map(
      (address) =>
        [
          first(address),
          `dnsForwarders[0]: the loopback of the DNS server's own pod, got ${address}; write the server that /run/systemd/resolve/resolv.conf or /etc/resolv.conf names on a machine, or ${none}`,
        ] as const,
    ),
    [
      { dnsForwarders: Array.from({ length: 16 }, (_, index) => `192.0.2.${index}`) },
      "dnsForwarders: more than CoreDNS forwards to, got 16; list at most 15",
    ],
    [
      first("10.32.0.10"),
      `dnsForwarders[0]: the cluster's own DNS server, which would ask itself, got 10.32.0.10; ${todo}`,
    ],
    [
      { ...first("10.32.0.53"), dnsAddress: "10.32.0.53" },
      `dnsForwarders[0]: the cluster's own DNS server, which would ask itself, got 10.32.0.53; ${todo}`,
    ],
    [
      { ...first("10.32.0.10"), dnsAddress: "10.32.0.53" },
      `dnsForwarders[0]: the address of a service, in serviceCidr 10.32.0.0/24, got 10.32.0.10; ${todo}`,
    ],
    [
      first("10.200.21.2"),
      `dnsForwarders[0]: the address of a pod, which comes and goes, in podCidr 10.200.0.0/16, got 10.200.21.2; ${todo}`,
    ],
    [first("0.0.0.0"), `dnsForwarders[0]: the address of no host, got 0.0.0.0; ${todo}`],
    [first("224.0.0.251"), `dnsForwarders[0]: a multicast address, got 224.0.0.251; ${todo}`],
    [
      first("255.255.255.255"),
      `dnsForwarders[0]: a broadcast or reserved address, got 255.255.255.255; ${todo}`,
    ],
    [
      first("10.240.0.255"),
      `dnsForwarders[0]: the first or last address of machineCidr 10.240.0.0/24, which no host has, got 10.240.0.255; ${todo}`,
    ],
    [
      { dnsForwarders: ["1.1.1.1", "9.9.9.9", "1.1.1.1"] },
      "dnsForwarders[2]: the same as dnsForwarders[0], got 1.1.1.1; list each once",
    ],
  ]);
});
