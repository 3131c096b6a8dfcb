#!/usr/bin/env bash
# The port of the API on 127.0.0.1 leads to a load balancer; of those that share an address, new connections go to the address. Open ones
# stay where they are.
#   endpoint.sh create    lets new connections go to the address
#   endpoint.sh delete    lets new connections go again where the port leads
# Environment: KTHW_STACK; KTHW_API_TARGET (where the port leads, 10.240.0.10:6443); KTHW_ADDRESS (10.240.0.5); KTHW_BOOT (an id, written
# down with the network's namespace).
set -euo pipefail
# shellcheck source=SCRIPTDIR/stack.sh
. "$(dirname "$0")/stack.sh"

# This computer may lack the program, the machines have it.
filter() { nsenter --net="/run/netns/$namespace" chroot "$("$here/rootfs.sh" path)" nft --file -; }

# The rule stays when it is passed by: it is what keeps connections with the address that went there, since without it the kernel
# follows no connections. Where it is new, the kernel meets open connections in their middle, for which the rule is not meant.
turn() { # RULE before it, if any
  filter <<END
add table ip kthw
add chain ip kthw output { type nat hook output priority -100; }
flush chain ip kthw output
$1
add rule ip kthw output ip daddr ${KTHW_API_TARGET%:*} tcp dport ${KTHW_API_TARGET#*:} tcp flags & (syn | ack) == syn dnat to $KTHW_ADDRESS
END
}

case ${1:-} in
  create)
    turn ""
    echo "$KTHW_BOOT $(namespace_id)" >"$state/endpoint"
    ;;
  delete)
    [[ ! -e /run/netns/$namespace ]] || turn "add rule ip kthw output accept"
    rm -f "$state/endpoint"
    ;;
  *) fail "usage: endpoint.sh create|delete" ;;
esac
