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
      `test ! -x ${scriptPath} || ${scriptPath} down ${node.podCidr} ${podCidr}`,
      "! ip link show cni0 || ip link delete cni0",
      // The chains of the CNI plugin portmap.
      "kthw-node drop-chains CNI-",
    ],
    data: ["/var/lib/cni"],
    ownFolders: ["/var/lib/cni"],
    files: [
      {
        path: "/etc/systemd/system/pod-network.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Routes to the pods of other nodes",
            Wants: "network-online.target",
            After: "network-online.target",
            Before: "kubelet.service",
          },
          Service: {
            ExecStart: `${scriptPath} follow ${node.podCidr} ${podCidr}`,
            ExecReload: `${scriptPath} up ${node.podCidr} ${podCidr}`,
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: scriptPath, text: podRoutesScript, mode: "0755" },
      {
        path: routesPath,
        mode: "0600",
        text: others
          .map((other) => `${other.podCidr} via ${other.address} # ${other.name}\n`)
          .join(""),
      },
      {
        path: "/etc/cni/net.d/10-bridge.conflist",
        mode: "0600",
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
# pod-routes follow|up|check|down POD_RANGE ALL_PODS: routes to the pods of other nodes, kept apart by their protocol number, and a
# rule for what pods send to the outside.
set -euo pipefail
masquerade="-s $2 ! -d $3 -m comment --comment \\"pods to the outside\\" -j MASQUERADE"

wanted() {
  sed 's/ *#.*//' ${routesPath}
}

nat() { # -C|-A|-D|-S [RULE]
  eval "iptables -w 5 -t nat $1 POSTROUTING \${2-}"
}

check() {
  local differs=
  wanted >/dev/null || return 1
  diff --unchanged-line-format= --old-line-format='missing route %L' --new-line-format='superfluous route %L' \\
    <(wanted | sort) <(ip route show proto 201 | awk '{ print $1, $2, $3 }' | sort) || differs=yes
  nat -C "$masquerade" 2>/dev/null || { echo "missing rule: $masquerade" && differs=yes; }
  [[ -z $differs ]]
}

up() {
  local routes route failed=
  routes=$(wanted) || return 1
  while read -r route; do
    # shellcheck disable=SC2086 # a route is several words
    [[ -z $route ]] || ip route replace $route proto 201 || failed=yes
  done <<<"$routes"
  nat -C "$masquerade" 2>/dev/null || nat -A "$masquerade" || failed=yes
  remove_others "$routes" "$masquerade" || failed=yes
  [[ -z $failed ]]
}

# Removes routes and rules that stem from earlier settings.
remove_others() { # ROUTES RULE
  local range gateway rule
  nat -S | sed -n '/--comment "pods to the outside"/s/^-A POSTROUTING //p' | while read -r rule; do
    [[ $rule == "$2" ]] || nat -D "$rule"
  done
  ip route show proto 201 | while read -r range _ gateway _; do
    grep -qxF "$range via $gateway" <<<"$1" || ip route del "$range" proto 201
  done
}

# A link that goes down takes its routes along without a word, and announces a route of its own when it comes back. What was not
# announced, or is refused as long as the link is down, is looked at after a while.
follow() {
  exec 3< <(exec ip -4 monitor route)
  while true; do
    check >/dev/null 2>&1 || up || true
    # Without an announcement the status is above 128; below, ip has ended.
    read -r -t 15 -u 3 _ || (($? > 128))
    sleep 0.2
    while read -r -t 0.01 -u 3 _; do :; done
  done
}

case $1 in
  down) remove_others '' '' ;;
  *) "$1" ;;
esac
`;
