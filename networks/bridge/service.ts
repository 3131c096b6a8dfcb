import type { ClusterFacts, NodeFacts } from "../../services/cluster-facts.ts";
import type { Service } from "../../services/service.ts";
import { unit } from "../../services/systemd.ts";
import { podNetwork } from "../pod-network.ts";

const routesPath = "/etc/kthw/pod-routes";
const scriptPath = "/usr/local/libexec/kthw/pod-routes";

/** The bridge of one node's pods, and the routes to the pods of other nodes. */
export function bridgeNetwork({ nodes, podCidr }: ClusterFacts, node: NodeFacts): Service {
  const others = nodes.filter(({ name }) => name !== node.name);
  return {
    name: podNetwork,
    packages: ["iptables"],
    unit: "pod-network.service",
    reload: `test -r ${routesPath}`,
    health: `${scriptPath} check ${node.podCidr} ${podCidr}`,
    teardown: [
      "! ip link show cni0 || ip link delete cni0",
      // The chains of the CNI plugin portmap.
      "kthw-node drop-chains CNI-",
    ],
    data: ["/var/lib/cni"],
    ownFolders: ["/var/lib/cni"],
    files: [
      {
        path: "/etc/systemd/system/pod-network.service",
        text: unit({
          Unit: {
            Description: "Routes to the pods of other nodes",
            Wants: "network-online.target",
            After: "network-online.target",
            Before: "kubelet.service",
          },
          Service: {
            Type: "oneshot",
            RemainAfterExit: "yes",
            ExecStart: `${scriptPath} up ${node.podCidr} ${podCidr}`,
            ExecReload: `${scriptPath} up ${node.podCidr} ${podCidr}`,
            ExecStop: `${scriptPath} down ${node.podCidr} ${podCidr}`,
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: scriptPath, text: podRoutesScript, mode: "0755" },
      {
        path: routesPath,
        text: others
          .map((other) => `${other.podCidr} via ${other.address} # ${other.name}\n`)
          .join(""),
      },
      {
        path: "/etc/cni/net.d/10-bridge.conflist",
        text: bridgeConflist(node.podCidr!),
        live: true,
      },
    ],
  };
}

/** https://www.cni.dev/plugins/current/main/bridge/; pod-network.service masquerades the traffic that leaves the range of all pods. */
export function bridgeConflist(podCidr: string): string {
  const list = {
    cniVersion: "1.0.0",
    name: "bridge",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: podCidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

const podRoutesScript = `#!/bin/bash
# pod-routes up|check|down POD_RANGE ALL_PODS: routes to the pods of other nodes, kept apart by their protocol number.
set -euo pipefail
masquerade="-s $2 ! -d $3 -m comment --comment \\"pods to the outside\\" -j MASQUERADE"
wanted='' kept=''
if [[ $1 == check ]]; then
  diff --unchanged-line-format= --old-line-format='missing route %L' --new-line-format='superfluous route %L' \\
    <(sed 's/ *#.*//' ${routesPath} | sort) <(ip route show proto 201 | awk '{ print $1, $2, $3 }' | sort)
  eval "iptables -t nat -C POSTROUTING $masquerade" 2>/dev/null || { echo "missing rule: $masquerade" && exit 1; }
  exit
fi
if [[ $1 == up ]]; then
  wanted=$(sed 's/ *#.*//' ${routesPath})
  while read -r route; do
    # shellcheck disable=SC2086 # a route is several words
    [[ -z $route ]] || ip route replace $route proto 201
  done <<<"$wanted"
  eval "iptables -t nat -C POSTROUTING $masquerade" 2>/dev/null || eval "iptables -t nat -A POSTROUTING $masquerade"
  kept=$masquerade
fi
# A rule for another range stems from earlier settings.
iptables -t nat -S POSTROUTING | sed -n '/--comment "pods to the outside"/s/^-A POSTROUTING //p' | while read -r rule; do
  [[ $rule == "$kept" ]] || eval "iptables -t nat -D POSTROUTING $rule"
done
ip route show proto 201 | while read -r range _ gateway _; do
  grep -qxF "$range via $gateway" <<<"$wanted" || ip route del "$range" proto 201
done
`;
