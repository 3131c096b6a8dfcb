#!/usr/bin/env bash
# Starts a domain, and the network it is in, where they do not run, and notes this start with the domain for as long as it runs.
# Environment: KTHW_URI, KTHW_NETWORK, KTHW_DOMAIN, KTHW_BOOT (the id of this start). Prints the id. Without virsh on this computer, does nothing.
set -euo pipefail

echo "$KTHW_BOOT"
command -v virsh >/dev/null || exit 0

libvirt() {
  LC_ALL=C virsh --quiet --connect "$KTHW_URI" "$@" >&2
}

ask() {
  LC_ALL=C virsh --quiet --connect "$KTHW_URI" "$@"
}

# The machines of a stack find out at the same time that their network is down.
network_active() {
  [[ $(ask net-info "$KTHW_NETWORK") =~ Active:\ +yes ]]
}
network_active || libvirt net-start "$KTHW_NETWORK" || network_active

noted=
case $(ask domstate "$KTHW_DOMAIN") in
  # With the note of another start, the domain ran while its network was down.
  running) noted=$(ask metadata "$KTHW_DOMAIN" --uri urn:kthw:boot --live 2>/dev/null || true) ;;
  paused) libvirt resume "$KTHW_DOMAIN" ;;
  *) libvirt start "$KTHW_DOMAIN" ;;
esac

# A network that was started anew has lost the cards of domains that ran meanwhile. Only root gives a card back, and only
# on this computer; otherwise the domain is started anew.
restart() {
  libvirt destroy "$KTHW_DOMAIN" && libvirt start "$KTHW_DOMAIN"
}
if [[ $KTHW_URI != qemu:///* ]]; then
  if [[ $noted == *id=* && $noted != *"$KTHW_BOOT"* ]]; then restart; fi
else
  bridge=$(ask net-info "$KTHW_NETWORK" | awk '$1 == "Bridge:" { print $2 }')
  card=$(ask domiflist "$KTHW_DOMAIN" | awk -v network="$KTHW_NETWORK" '$3 == network { print $1 }')
  if [[ -e /sys/class/net/$card && ! -e /sys/class/net/$bridge/brif/$card ]]; then
    ip link set dev "$card" master "$bridge" 2>/dev/null || restart
  fi
fi

libvirt metadata "$KTHW_DOMAIN" --uri urn:kthw:boot --key kthw --set "<boot id=\"$KTHW_BOOT\"/>" --live
