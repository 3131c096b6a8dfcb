#!/usr/bin/env bash
# An alarm of etcd that two builds of the same etcdctl write with other spaces.
#
# Versions: Go modules go.etcd.io/etcd/etcdctl/v3 v3.6.14 and v3.7.3, google.golang.org/protobuf v1.36.11.
#
# `etcdctl alarm list` prints an alarm as Go prints the message. Up to etcd 3.6 the message is gogo's, with a space after each field. From
# 3.7 on it is one of google.golang.org/protobuf, which writes one space between two fields or two, by a checksum of the program's own file:
# one program always writes the same, another build of the same source may not. What looks for `memberID:… alarm:NOSPACE` calls a full etcd
# sound after an upgrade, or with the binaries of another distributor.
# The script calls etcdctl's own printers, in a program and copies of its file with up to twenty bytes more at the end, as another build
# might have.
#
# Seen, with | for the end of a line:
#   3.6.14: "AlarmType" : NOSPACE|
#   3.6.14: memberID:10501334649042878790 alarm:NOSPACE |
#   3.7.3: "AlarmType" : NOSPACE|
#   3.7.3: memberID:10501334649042878790  alarm:NOSPACE|
#   3.7.3: memberID:10501334649042878790 alarm:NOSPACE|
#
# So ask with --write-out=fields, or read any number of spaces.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

alarm() { # VERSION RESPONSE
  cat >go.mod <<EOF
module finding

go 1.26

require (
	go.etcd.io/etcd/api/v3 v$1
	go.etcd.io/etcd/client/v3 v$1
	go.etcd.io/etcd/etcdctl/v3 v$1
)
EOF
  cat >main.go <<EOF
package main

import (
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdctl/v3/ctlv3/command"
)

func main() {
	alarm := &etcdserverpb.AlarmMember{MemberID: 10501334649042878790, Alarm: etcdserverpb.AlarmType_NOSPACE}
	response := clientv3.AlarmResponse{Header: &etcdserverpb.ResponseHeader{}, Alarms: []*etcdserverpb.AlarmMember{alarm}}
	command.NewPrinter("simple", false).Alarm($2)
	command.NewPrinter("fields", false).Alarm($2)
}
EOF
  rm -f go.sum
  GOWORK=off GOFLAGS=-mod=mod go build -o program .
  for _ in {0..20}; do
    ./program | sed -n "/NOSPACE/s/.*/$1: &|/p"
    cp program other
    printf ' ' >>other
    mv other program
  done | LC_ALL=C sort -u
}

{ alarm 3.6.14 response && alarm 3.7.3 '&response'; } >seen
cat seen
diff - seen <<'EOF' || { echo "the behaviour has changed" >&2; exit 1; }
3.6.14: "AlarmType" : NOSPACE|
3.6.14: memberID:10501334649042878790 alarm:NOSPACE |
3.7.3: "AlarmType" : NOSPACE|
3.7.3: memberID:10501334649042878790  alarm:NOSPACE|
3.7.3: memberID:10501334649042878790 alarm:NOSPACE|
EOF
