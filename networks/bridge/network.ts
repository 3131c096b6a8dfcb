import { type Network, podNetwork } from "../pod-network.ts";
import { guestNetworkFiles, guestNetworkPodSpec, guestRoutes } from "./guests.ts";
import { bridgeNetwork } from "./service.ts";

/** Bridges, one per node, and routes between the nodes. */
export const bridge: Network = {
  rangePerMachine: true,
  routed: true,
  kubeProxyModes: ["iptables", "nftables", "ipvs"],
  service: bridgeNetwork,
  guests: (facts) => ({
    services: [guestRoutes(facts)],
    workloads: [
      { name: podNetwork, podSpec: guestNetworkPodSpec(facts), files: guestNetworkFiles() },
    ],
  }),
  place: async (name, args) => new (await import("./bridge-network.ts")).BridgeNetwork(name, args),
};
