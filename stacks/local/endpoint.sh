#!/usr/bin/env bash
# The way on 127.0.0.1 to the API leads on to the address that the load balancers share: connections that are open stay where they are.
#   endpoint.sh create    lets new connections go there
#   endpoint.sh delete    lets new connections go again where the network's port leads
# Environment: KTHW_STACK; KTHW_ADDRESS (10.240.0.5); KTHW_BOOT (an id, written down with the network's namespace).
set -euo pipefail
# shellcheck source=SCRIPTDIR/stack.sh
. "$(dirname "$0")/stack.sh"

# This computer may lack the program, the machines have it.
filter() { nsenter --net="/run/netns/$namespace" chroot "$("$here/rootfs.sh" path)" nft --file -; }

case ${1:-} in
  create)
    filter <<END
add table ip kthw
delete table ip kthw
table ip kthw {
  chain output {
    type nat hook output priority dstnat
    tcp dport 6443 dnat to $KTHW_ADDRESS
  }
}
END
    echo "$KTHW_BOOT $(namespace_id)" >"$state/endpoint"
    ;;
  delete)
    [[ ! -e /run/netns/$namespace ]] || filter <<<"delete table ip kthw"
    rm -f "$state/endpoint"
    ;;
  *) fail "usage: endpoint.sh create|delete" ;;
esac
