#!/usr/bin/env bash
# A Corefile without `forward`: what CoreDNS answers for names outside of the cluster, and a catch-all that takes away the cluster's.
#
# Version: Go module github.com/coredns/coredns v1.14.2.
#
# In a server block for `.`, the plugins `hosts` and `kubernetes` answer a name outside of their zones with SERVFAIL and an error in the
# log ("no next plugin found"), where the plugin `file` answers REFUSED. Resolvers take SERVFAIL for a server in trouble, and ask again.
# A `template` at the end of the block, as a catch-all, answers NXDOMAIN instead, to every name: CoreDNS asks plugins in the order of
# its own list, never in that of the Corefile, and `template` stands before `hosts` and `kubernetes` there.
# The script has `hosts` for `kubernetes`, which needs an API: both end in plugin.NextOrFailure, and both come after `template`.
#
# Seen:
#   hosts in .                   web.cluster.local. NOERROR  example.org. SERVFAIL
#   file in .                    web.cluster.local. NOERROR  example.org. REFUSED
#   hosts, then template, in .   web.cluster.local. NXDOMAIN example.org. NXDOMAIN
#   hosts in cluster.local       web.cluster.local. NOERROR  example.org. REFUSED
#   the same, and template in .  web.cluster.local. NOERROR  example.org. NXDOMAIN
#
# So give the catch-all a server block of its own.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >zone <<'EOF'
$ORIGIN cluster.local.
@ 60 IN SOA ns admin 1 60 60 60 60
@ 60 IN NS ns
ns 60 IN A 10.32.0.10
web 60 IN A 10.32.0.20
EOF
cat >go.mod <<'EOF'
module finding

go 1.26

require github.com/coredns/coredns v1.14.2
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/coredns/caddy"
	_ "github.com/coredns/coredns/core"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/template"
	"github.com/miekg/dns"
)

const (
	hosts = "hosts hosts cluster.local"
	file  = "file zone cluster.local"
	deny  = "template ANY ANY {\n rcode NXDOMAIN\n}"
)

func main() {
	caddy.Quiet = true
	show("hosts in .", map[string][]string{".": {hosts}})
	show("file in .", map[string][]string{".": {file}})
	show("hosts, then template, in .", map[string][]string{".": {hosts, deny}})
	show("hosts in cluster.local", map[string][]string{"cluster.local": {hosts}})
	show("the same, and template in .", map[string][]string{"cluster.local": {hosts}, ".": {deny}})
}

// show starts a server with the plugins of each zone, and prints what the server answers.
func show(title string, plugins map[string][]string) {
	port := freePort()
	var corefile strings.Builder
	for zone, lines := range plugins {
		fmt.Fprintf(&corefile, "%s:%d {\nbind 127.0.0.1\nerrors\n%s\n}\n", zone, port, strings.Join(lines, "\n"))
	}
	instance, err := caddy.Start(caddy.CaddyfileInput{Contents: []byte(corefile.String()), ServerTypeName: "dns"})
	if err != nil {
		panic(err)
	}
	defer instance.Stop()
	fmt.Printf("%-28s", title)
	for _, name := range []string{"web.cluster.local.", "example.org."} {
		answer, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			panic(err)
		}
		fmt.Printf(" %s %-8s", name, dns.RcodeToString[answer.Rcode])
	}
	fmt.Println()
}

func freePort() int {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer socket.Close()
	return socket.LocalAddr().(*net.UDPAddr).Port
}
EOF
echo "10.32.0.20 web.cluster.local" >hosts

# The server says on its standard output where it listens; its log tells the error.
GOWORK=off GOFLAGS=-mod=mod go run . >output 2>log || { cat output log >&2; exit 1; }
grep -q 'plugin/hosts: no next plugin found' log || grep -q 'plugin/hosts: no next plugin found' output ||
  { echo "the behaviour has changed: no error in the log" >&2; exit 1; }
grep 'example\.org\. [A-Z]* *$' output | sed 's/ *$//' >seen
cat seen
diff - seen <<'EOF' || { echo "the behaviour has changed" >&2; exit 1; }
hosts in .                   web.cluster.local. NOERROR  example.org. SERVFAIL
file in .                    web.cluster.local. NOERROR  example.org. REFUSED
hosts, then template, in .   web.cluster.local. NXDOMAIN example.org. NXDOMAIN
hosts in cluster.local       web.cluster.local. NOERROR  example.org. REFUSED
the same, and template in .  web.cluster.local. NOERROR  example.org. NXDOMAIN
EOF
