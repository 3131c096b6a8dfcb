#!/usr/bin/env bash
# kthw-node: puts services on this machine as a description on standard input says, and tells whether they are healthy.
#
#   kthw-node apply [--wait]   make the machine as described; with --wait until healthy, else what was applied before is put back
#   kthw-node check            name what differs from the description; exit status 1 if anything does
#   kthw-node check-fetched    name the binaries, images and links that are not as they were fetched; exit status 1 if any is
#   kthw-node repair           make the machine as described if check names anything, and say what was started anew for it
#   kthw-node repair-fetched   fetch what check-fetched names again, and give containerd the images that it lacks
#   kthw-node remove           stop the service and remove what it placed and what it made itself; its users and packages stay
#   kthw-node uninstall        remove the rest that was placed, this program included, and what an apply that was cut off has left
#   kthw-node drop-chains NAME remove the packet filter's chains whose names begin with NAME, and the rules that lead to them
#   kthw-node fetch            download, verify and unpack binaries and images
#   kthw-node import-images    give containerd the images that were fetched
#   kthw-node wait NAME...     until these services are healthy [--within SECONDS --until COMMAND: and until the command succeeds]
#
# What is read from a description stays in memory: it may hold keys. Nearly everything that is asked of the machine is asked in one
# go, because starting programs is what takes time here. For the same reason functions do not print what they find out: they set the
# variable whose name is their first argument.
set -euo pipefail
umask 077
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

state=/var/lib/kthw
binaries=/opt/kthw
images=$binaries/images
proxies=/etc/kthw/proxy.env
units=/etc/systemd/system

fail() { # MESSAGE
  echo "$*" >&2
  exit 1
}
