#!/bin/bash
# pod-routes up|down POD_RANGE ALL_PODS: routes to the pods of other nodes, kept apart by their protocol number.
set -euo pipefail
masquerade=(POSTROUTING -s "$2" ! -d "$3" -m comment --comment "pods to the outside" -j MASQUERADE)
wanted=
if [[ $1 == up ]]; then
  wanted=$(sed 's/ *#.*//' /etc/kthw/pod-routes)
  while read -r route; do
    # shellcheck disable=SC2086 # a route is several words
    [[ -z $route ]] || ip route replace $route proto 201
  done <<<"$wanted"
  iptables -t nat -C "${masquerade[@]}" 2>/dev/null || iptables -t nat -A "${masquerade[@]}"
else
  iptables -t nat -D "${masquerade[@]}" 2>/dev/null || true
fi
ip route show proto 201 | while read -r range _ gateway _; do
  grep -qxF "$range via $gateway" <<<"$wanted" || ip route del "$range" proto 201
done
