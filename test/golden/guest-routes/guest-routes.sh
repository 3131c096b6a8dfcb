#!/bin/bash
# Routes to the pods of other nodes, as the cluster knows them, kept apart by their protocol number. On a guest it makes the bridge
# of the node's own pods too.
# Environment: KUBECONFIG; NODES (a selector; all where empty); on a guest NODE_NAME and ALL_PODS (the range of all pods).
set -euo pipefail
conflist=/etc/cni/net.d/10-bridge.conflist
fields='{range .items[*]}{.metadata.name},{.spec.podCIDR},{.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{end}'

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
  iptables -t nat -C "${masquerade[@]}" 2>/dev/null || iptables -t nat -A "${masquerade[@]}"
  text=$(sed "s|POD_RANGE|$1|" "${BASH_SOURCE[0]%/*}/10-bridge.conflist")
  if [[ $(cat "$conflist" 2>/dev/null) != "$text" ]]; then
    echo "$text" >"$conflist.new"
    mv "$conflist.new" "$conflist"
  fi
}

update() {
  local nodes name range addresses others present wanted='' own=''
  present=$(ip route show proto 202 | while read -r range _ gateway _; do echo "$range via $gateway"; done)
  nodes=$(kube get nodes --selector="${NODES-}" --output=jsonpath="$fields") || return 0
  while IFS=, read -r name range addresses; do
    if [[ $name && $name == "${NODE_NAME-}" ]]; then
      own=$range
    elif [[ $range && $addresses ]]; then
      others=$(ip route show "$range" | grep --invert-match 'proto 202' || true)
      if [[ $others ]]; then
        echo "$name: its range $range is another node's: $others" >&2
      elif grep -qxF "$range via ${addresses%% *}" <<<"$present" || ip route replace "$range" via "${addresses%% *}" proto 202; then
        wanted+="$range via ${addresses%% *}"$'\n'
      fi
    fi
  done <<<"$nodes"
  ip route show proto 202 | while read -r range _ gateway _; do
    grep -qxF "$range via $gateway" <<<"$wanted" || ip route del "$range" proto 202
  done
  if [[ $own ]]; then
    bridge "$own"
  elif [[ ${NODE_NAME-} ]]; then
    # It has left: if it comes back, no pod may get an address out of the range that it had.
    rm -f "$conflist"
  fi
}

while true; do
  update
  # Every change of a Node or of a route is a line, and many at once are one update. A link that goes down takes its routes along.
  {
    ip -4 monitor route &
    kube get nodes --selector="${NODES-}" --watch --output='jsonpath={.metadata.name}{"\n"}' || true
    kill "$!" || true
  } |
    while read -r _; do
      while read -r -t 0.2 _; do :; done
      update
    done
  sleep 1
done
