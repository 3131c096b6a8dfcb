#!/bin/bash
# Removes the interfaces and packet filter rules that the pods of Weave Net made on this machine.
set -euo pipefail
# Only Weave Net's own program removes a datapath of Open vSwitch.
if [[ -e /sys/class/net/datapath && -x /opt/cni/bin/weave-plugin-2.9.0 ]]; then
  /opt/cni/bin/weave-plugin-2.9.0 delete-datapath datapath
fi
ip -o link show | sed -n 's/^[0-9]*: \(weave\|vethwe[^:@]*\|vxlan-6784\)[:@].*/\1/p' | while read -r name; do
  # The other end of a pair may have gone with the first.
  ip link delete "$name" 2>/dev/null || [[ ! -e /sys/class/net/$name ]]
done
# The chains go by `kthw-node drop-chains`.
iptables-save | sed -nE '/^\*|^COMMIT/p; / -[io] weave |"Block non-local access to Weave Net control port"/s/^-A/-D/p' | iptables-restore --noflush
