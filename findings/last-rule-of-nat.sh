#!/usr/bin/env bash
# An established connection that breaks when the rule goes that had translated its first packet.
#
# Versions: Debian 12's packages nftables 1.0.6-2+deb12u2 and iptables 1.8.9-2, Linux 6.18.44.
#
# A rule of NAT sees the first packet of a connection alone. The others are translated by what the kernel remembers of the connection, so
# that one takes a rule away for new connections and expects the open ones to go on. But the kernel follows the connections of a network
# namespace only while some rule of that namespace needs it: `dnat`, `masquerade`, `ct`. With the last of them, the open connections go
# untranslated. A computer that runs anything else with a stateful rule does not show it; a namespace of its own does.
#
# Seen of an open connection to 127.0.0.1:80, which the rule leads to port 8080, and of a new one:
#   nft, the rule deleted               reset refused
#   nft, the rule passed by             answers refused
#   nft, the rule deleted, ct remains   answers refused
#   iptables, the rule deleted          reset refused
#
# So leave the rule where it is and let an `accept` before it take new connections past it, until the open ones have ended.
set -euo pipefail

# All of it happens in a network namespace of its own, which goes with the script.
[[ ${1-} == within ]] || exec unshare --net "$0" within
ip link set lo up

after() { # COMMAND: what an open connection and a new one do after the command
  python3 - "$1" <<'EOF'
import socket, subprocess, sys, threading

server = socket.create_server(("127.0.0.1", 8080))
def echo():
    while True:
        peer = server.accept()[0]
        threading.Thread(target=lambda: [peer.sendall(said) for said in iter(lambda: peer.recv(9), b"")], daemon=True).start()

threading.Thread(target=echo, daemon=True).start()

def connect():
    client = socket.create_connection(("127.0.0.1", 80), timeout=3)
    ask(client)
    return client
def ask(client):
    client.sendall(b"hello")
    assert client.recv(9) == b"hello"

client = connect()
subprocess.run(sys.argv[1], shell=True, check=True)
for how in (lambda: ask(client)), connect:
    try:
        how()
        print("answers", end=" ")
    except ConnectionResetError:
        print("reset", end=" ")
    except ConnectionRefusedError:
        print("refused", end=" ")
EOF
}

seen() { # WHAT EXPECTED COMMAND
  local found
  found=$(after "$3")
  printf '%-36s%s\n' "$1" "$found"
  [[ $found == "$2 " ]] || { echo "expected $2" >&2 && exit 1; }
  nft flush ruleset
}

table='add table ip nat; add chain ip nat output { type nat hook output priority -100; }'
rule='add rule ip nat output tcp dport 80 dnat to 127.0.0.1:8080'

nft "$table; $rule"
seen 'nft, the rule deleted' 'reset refused' 'nft flush chain ip nat output'
nft "$table; $rule"
seen 'nft, the rule passed by' 'answers refused' 'nft insert rule ip nat output accept'
nft "$table; $rule; add table ip other; add chain ip other input { type filter hook input priority 0; }; add rule ip other input ct state established accept"
seen 'nft, the rule deleted, ct remains' 'answers refused' 'nft flush chain ip nat output'
iptables-nft -t nat -A OUTPUT -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8080
seen 'iptables, the rule deleted' 'reset refused' 'iptables-nft -t nat -F OUTPUT'
