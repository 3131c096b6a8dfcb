#!/usr/bin/env bash
# The network of a stack's machines: a namespace with a bridge, which nothing leads out of, and the way to the API on 127.0.0.1.
#   network.sh create    makes it, after removing whatever an interrupted run left of it; refused where the stack has machines
#   network.sh update    mends what is missing of it
# Environment: KTHW_STACK; KTHW_GATEWAY (the namespace's own address, 10.240.0.1/24); KTHW_API_PORT (on 127.0.0.1);
# KTHW_API_TARGET (10.240.0.10:6443); KTHW_BOOT (an id, written down when all is up).
# Standard input: the operator's private key.
set -euo pipefail
# shellcheck source=SCRIPTDIR/stack.sh
. "$(dirname "$0")/stack.sh"

operator_key=$(cat)
inside() { nsenter --net="/run/netns/$namespace" "$@"; }

lacking=$("$here/host.sh") || fail "this computer lacks what machines on it need:
$lacking"
if [[ ${1:-} == create ]]; then
  # No machine is made before the network: those that are there belong to a state that is lost, or to another folder's.
  machines=
  [[ ! -d $state/machines ]] || machines=$(ls "$state/machines")
  [[ -z $machines ]] ||
    fail "stack $stack: this computer has machines of a stack of this name, which this state does not know, got ${machines//$'\n'/ }; use the state that they belong to or another STACK, or remove them: make clean STACK=$stack"
  "$here/clean.sh"
fi
mkdir -p "$state/machines"
rm -f "$state/boot"
raise_limit

if [[ ! -e /run/netns/$namespace ]]; then
  ip netns add "$namespace"
fi
inside ip link set lo up
# A packet to anywhere else is answered "unreachable" at once instead of being lost.
inside sysctl --quiet --write net.ipv4.ip_forward=1
if ! inside ip link show machines >/dev/null 2>&1; then
  inside ip link add machines address 02:00:00:00:00:01 type bridge
fi
inside ip address flush dev machines scope global
inside ip address add "$KTHW_GATEWAY" dev machines
inside ip link set machines up

(umask 077 && cat <<<"$operator_key" >"$state/operator-key")
cat >"$state/ssh_config" <<END
IdentityFile $state/operator-key
IdentitiesOnly yes
User root
Include $state/machines/*/ssh_config
END
if [[ ! -e $state/hosts ]]; then
  echo "127.0.0.1 localhost" >"$state/hosts"
fi
forward "$state/api-port" "$KTHW_API_PORT" "$KTHW_API_TARGET"
echo "$KTHW_BOOT" >"$state/boot"
