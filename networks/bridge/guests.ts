import type { ClusterFacts } from "../../services/cluster-facts.ts";
import {
  kubeProxyPath,
  nodeName,
  onGuests,
  unmanagedNodes,
  xtablesLock,
} from "../../services/guest-nodes.ts";
import type { Service } from "../../services/service.ts";
import { unit } from "../../services/systemd.ts";
import { bridgeConflist } from "./service.ts";

const scriptPath = "/usr/local/libexec/kthw/guest-routes";

/** Routes on a machine of the settings to the pods of guests, which join and leave without an update. */
export function guestRoutes({ folders }: ClusterFacts): Service {
  return {
    name: "guest-routes",
    unit: "guest-routes.service",
    teardown: ["ip route flush proto 202"],
    files: [
      {
        path: "/etc/systemd/system/guest-routes.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Routes to the pods of nodes that joined by themselves",
            Wants: "network-online.target",
            After: "network-online.target",
          },
          Service: {
            Environment: [
              `PATH=${folders.kubernetes}:/usr/sbin:/usr/bin:/sbin:/bin`,
              "KUBECONFIG=/etc/kubernetes/kube-proxy.conf",
              `NODES=${unmanagedNodes}`,
            ],
            ExecStart: scriptPath,
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: scriptPath, text: nodeRoutesScript, mode: "0755" },
    ],
  };
}

const podNetworkPath = "/etc/pod-network";

/** The files of the pod network on guests: texts by file name. */
export function guestNetworkFiles(): Record<string, string> {
  return { "node-routes": nodeRoutesScript, "10-bridge.conflist": bridgeConflist("POD_RANGE") };
}

/**
 * The pod network's pod on a guest. No image has bash, ip, iptables and kubectl, so that the pod runs the programs of the guest: every
 * machine that runs kubeadm has them.
 */
export function guestNetworkPodSpec({ images, podCidr }: ClusterFacts) {
  const programs = ["/usr", "/lib", "/lib64", "/etc/alternatives"].map((path) => ({
    name: path.slice(1).replaceAll("/", "-"),
    path,
  }));
  return {
    ...onGuests,
    containers: [
      {
        name: "node-routes",
        image: images.pause,
        imagePullPolicy: "IfNotPresent",
        command: ["/usr/bin/bash", `${podNetworkPath}/node-routes`],
        env: [
          nodeName,
          { name: "ALL_PODS", value: podCidr },
          { name: "KUBECONFIG", value: `${kubeProxyPath}/kubeconfig.conf` },
          { name: "PATH", value: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" },
        ],
        securityContext: { privileged: true, runAsUser: 0 },
        volumeMounts: [
          ...programs.map(({ name, path }) => ({ name, mountPath: path, readOnly: true })),
          { name: "pod-network", mountPath: podNetworkPath },
          { name: "kube-proxy", mountPath: kubeProxyPath },
          { name: "cni", mountPath: "/etc/cni/net.d" },
          { name: "xtables-lock", mountPath: "/run/xtables.lock" },
        ],
      },
    ],
    volumes: [
      ...programs.map(({ name, path }) => ({ name, hostPath: { path } })),
      { name: "pod-network", configMap: { name: "pod-network" } },
      { name: "kube-proxy", configMap: { name: "kube-proxy" } },
      { name: "cni", hostPath: { path: "/etc/cni/net.d", type: "DirectoryOrCreate" } },
      xtablesLock,
    ],
  };
}

const nodeRoutesScript = `#!/bin/bash
# Routes to the pods of other nodes, as the cluster knows them, kept apart by their protocol number. On a guest it makes the bridge
# of the node's own pods too.
# Environment: KUBECONFIG; NODES (a selector; all where empty); on a guest NODE_NAME and ALL_PODS (the range of all pods).
set -euo pipefail
conflist=/etc/cni/net.d/10-bridge.conflist
fields='{range .items[*]}{.metadata.name},{.spec.podCIDR},{.status.addresses[?(@.type=="InternalIP")].address}{"\\n"}{end}'

kube() {
  # A cache would stay on the machine.
  kubectl --cache-dir=/dev/null "$@"
}

bridge() { # RANGE
  local text masquerade=(POSTROUTING -s "$1" ! -d "$ALL_PODS" -m comment --comment "pods to the outside" -j MASQUERADE)
  # One of an earlier membership has another address.
  if ip link show cni0 >/dev/null 2>&1 && [[ -z $(ip -4 -o address show dev cni0 to "$1") ]]; then
    ip link delete cni0
  fi
  iptables -t nat -C "\${masquerade[@]}" 2>/dev/null || iptables -t nat -A "\${masquerade[@]}"
  text=$(sed "s|POD_RANGE|$1|" "\${BASH_SOURCE[0]%/*}/10-bridge.conflist")
  if [[ $(cat "$conflist" 2>/dev/null) != "$text" ]]; then
    echo "$text" >"$conflist.new"
    mv "$conflist.new" "$conflist"
  fi
}

update() {
  local nodes name range addresses others present wanted='' own=''
  present=$(ip route show proto 202 | while read -r range _ gateway _; do echo "$range via $gateway"; done)
  nodes=$(kube get nodes --selector="\${NODES-}" --output=jsonpath="$fields") || return 0
  while IFS=, read -r name range addresses; do
    if [[ $name && $name == "\${NODE_NAME-}" ]]; then
      own=$range
    elif [[ $range && $addresses ]]; then
      others=$(ip route show "$range" | grep --invert-match 'proto 202' || true)
      if [[ $others ]]; then
        echo "$name: its range $range is another node's: $others" >&2
      elif grep -qxF "$range via \${addresses%% *}" <<<"$present" || ip route replace "$range" via "\${addresses%% *}" proto 202; then
        wanted+="$range via \${addresses%% *}"$'\\n'
      fi
    fi
  done <<<"$nodes"
  ip route show proto 202 | while read -r range _ gateway _; do
    grep -qxF "$range via $gateway" <<<"$wanted" || ip route del "$range" proto 202
  done
  if [[ $own ]]; then
    bridge "$own"
  elif [[ \${NODE_NAME-} ]]; then
    # It has left: if it comes back, no pod may get an address out of the range that it had.
    rm -f "$conflist"
  fi
}

while true; do
  update
  # Every change of a Node or of a route is a line, and many at once are one update. A link that goes down takes its routes along.
  {
    ip -4 monitor route &
    kube get nodes --selector="\${NODES-}" --watch --output='jsonpath={.metadata.name}{"\\n"}' || true
    kill "$!" || true
  } |
    while read -r _; do
      while read -r -t 0.2 _; do :; done
      update
    done
  sleep 1
done
`;
