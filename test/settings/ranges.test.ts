import { itRefuses, worker1, worker2 } from "../support/settings.ts";

describe("settings of addresses:", () => {
  describe("addresses", () =>
    itRefuses([
      ...[
        ["0.0.0.0/24", "of no host"],
        ["127.0.0.0/24", "of each machine's own loopback"],
        ["169.254.0.0/24", "of one link only"],
        ["224.0.0.0/24", "multicast or reserved"],
      ].map(
        ([range, wrong]) =>
          [
            { serviceCidr: range },
            `serviceCidr: addresses ${wrong}, got ${range}; choose a private network like 10.32.0.0/24`,
          ] as const,
      ),
      [
        { "controllers[0].address": "10.240.0.011" },
        "controllers[0].address: not an IPv4 address, got 10.240.0.011; write four numbers like 10.240.0.10",
      ],
      [
        { dnsForwarders: ["1.1.1.1", "dns.example.com"] },
        "dnsForwarders[1]: not an IPv4 address, got dns.example.com; write four numbers like 10.240.0.10",
      ],
      [
        { "controllers[1].address": "10.240.0.10" },
        "controllers[1].address: the same as loadBalancers[0].address, got 10.240.0.10; give each machine an address of its own",
      ],
      [
        { "controllers[1].address": "10.241.0.7" },
        "controllers[1].address: not in machineCidr 10.240.0.0/24, got 10.241.0.7; choose a free one in it",
      ],
      [
        { "controllers[0].address": "10.240.0.0" },
        "controllers[0].address: the address of the network itself, got 10.240.0.0; choose a free one in machineCidr 10.240.0.0/24",
      ],
      [
        { "controllers[0].address": "10.240.0.1" },
        "controllers[0].address: the address of the machines' gateway, got 10.240.0.1; choose a free one in machineCidr 10.240.0.0/24",
      ],
      [
        { [`${worker1}.address`]: "10.240.0.255" },
        `${worker1}.address: the network's broadcast address, got 10.240.0.255; choose a free one in machineCidr 10.240.0.0/24`,
      ],
      [
        { dnsAddress: "10.33.0.10" },
        "dnsAddress: not in serviceCidr 10.32.0.0/24, got 10.33.0.10; leave it out for 10.32.0.10, or choose another in between",
      ],
      [
        { dnsAddress: "10.32.0.0" },
        "dnsAddress: the address of the network itself, got 10.32.0.0; leave it out for 10.32.0.10, or choose another in between",
      ],
      [
        { dnsAddress: "10.32.0.1" },
        "dnsAddress: the address of the API's own service, got 10.32.0.1; leave it out for 10.32.0.10, or choose another in between",
      ],
      [
        { dnsAddress: "10.32.0.255" },
        "dnsAddress: the network's broadcast address, got 10.32.0.255; leave it out for 10.32.0.10, or choose another in between",
      ],
      [
        { dnsAddress: 10 },
        "dnsAddress: not an IPv4 address, got 10; write four numbers like 10.240.0.10",
      ],
    ]));

  describe("networks", () =>
    itRefuses([
      [
        { machineCidr: "10.240.0.0" },
        "machineCidr: not an IPv4 network, got 10.240.0.0; write it like 10.240.0.0/24",
      ],
      [
        { podCidr: "10.200.0.0/33" },
        "podCidr: not an IPv4 network, got 10.200.0.0/33; write it like 10.200.0.0/16",
      ],
      [
        { serviceCidr: "10.32.0.1/24" },
        "serviceCidr: not the first address of its network, got 10.32.0.1/24; write 10.32.0.0/24",
      ],
      [
        { serviceCidr: "10.200.128.0/20" },
        "serviceCidr: overlaps podCidr 10.200.0.0/16, got 10.200.128.0/20; choose networks that are apart",
      ],
      [
        { podCidr: "10.0.0.0/8" },
        "podCidr: overlaps machineCidr 10.240.0.0/24, got 10.0.0.0/8; choose networks that are apart",
        "serviceCidr: overlaps podCidr 10.0.0.0/8, got 10.32.0.0/24; choose networks that are apart",
      ],
      [
        { machineCidr: "10.240.0.8/29" },
        "machineCidr: too small for 6 machines, got 10.240.0.8/29; choose a larger network",
      ],
      [
        { podCidr: "10.200.0.0/22" },
        "podCidr: too small for the ranges of 5 machines, got 10.200.0.0/22; choose a larger network",
      ],
      [
        { serviceCidr: "10.32.0.0/29" },
        "serviceCidr: too small for services, got 10.32.0.0/29; choose at least a /28",
      ],
      [
        { machineCidr: "10.241.0.0/24" },
        "machineCidr: apart from all machines, got 10.241.0.0/24; choose one that holds 10.240.0.10 and the others",
      ],
      [
        { podCidr: "10.201.0.0/16" },
        "podCidr: apart from all machines, got 10.201.0.0/16; choose one that holds 10.200.11.0/24 and the others",
      ],
      [
        { "controllers[2].podCidr": "10.100.13.0/24" },
        "controllers[2].podCidr: not in podCidr 10.200.0.0/16, got 10.100.13.0/24; choose a free one in it",
      ],
      [
        { [`${worker1}.podCidr`]: "10.200.12.0/23" },
        `${worker1}.podCidr: overlaps controllers[1].podCidr 10.200.12.0/24, got 10.200.12.0/23; give each machine a range of its own`,
      ],
      [
        { "controllers[0].podCidr": "10.200.11.0/26" },
        "controllers[0].podCidr: too small for 110 pods, got 10.200.11.0/26; choose at least a /25, or a smaller kubelet.maxPods",
      ],
      [
        { "workerPools[0].kubelet.maxPods": 300, [`${worker2}.kubelet.maxPods`]: 253 },
        `${worker1}.podCidr: too small for 300 pods, got 10.200.21.0/24; choose at least a /23, or a smaller kubelet.maxPods`,
      ],
    ]));
});
