#!/bin/bash
# pod-routes up|check|down POD_RANGE ALL_PODS: routes to the pods of other nodes, kept apart by their protocol number.
set -euo pipefail
masquerade="-s $2 ! -d $3 -m comment --comment \"pods to the outside\" -j MASQUERADE"
wanted='' kept=''
if [[ $1 == check ]]; then
  diff --unchanged-line-format= --old-line-format='missing route %L' --new-line-format='superfluous route %L' \
    <(sed 's/ *#.*//' /etc/kthw/pod-routes | sort) <(ip route show proto 201 | awk '{ print $1, $2, $3 }' | sort)
  eval "iptables -t nat -C POSTROUTING $masquerade" 2>/dev/null || { echo "missing rule: $masquerade" && exit 1; }
  exit
fi
if [[ $1 == up ]]; then
  wanted=$(sed 's/ *#.*//' /etc/kthw/pod-routes)
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
