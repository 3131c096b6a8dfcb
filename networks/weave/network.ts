import type { Network } from "../pod-network.ts";
import { weaveImages } from "./manifests.ts";
import { weaveService } from "./service.ts";
import { type WithWeave, weaveGroup } from "./settings.ts";

/** Weave Net: an overlay that hands out the addresses of pods itself, with network policies. */
export const weave: Network<WithWeave> & { readonly group: typeof weaveGroup } = {
  group: weaveGroup,
  secrets: ["password"],
  rangePerMachine: false,
  routed: false,
  // In mode nftables, the rules of kube-proxy and those of Weave Net have no order between them, which network policies need.
  kubeProxyModes: ["iptables", "ipvs"],
  // A bridge on a machine keeps the datapath with which it was made.
  unchanged: ({ weave }) => ({ "weave.fastDatapath": `${weave.fastDatapath}` }),
  images: weaveImages,
  service: (facts, _node, { weave }) => weaveService(facts, weave),
  // Its pods run on every node, whoever made the node.
  guests: () => ({ services: [], workloads: [] }),
  place: async (name, args) => new (await import("./weave-net.ts")).WeaveNet(name, args),
};
