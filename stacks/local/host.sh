#!/usr/bin/env bash
# Prints what this computer lacks to make machines, one thing a line with how to get it; exits 1 if anything is lacking.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
lacking=0
lack() {
  printf '  %s\n' "$1"
  lacking=1
}

program() {
  if ! command -v "$1" >/dev/null; then
    lack "the program $1: apt-get install $2"
  fi
}

if [[ $(id -u) != 0 ]]; then
  lack "root: containers, network namespaces and mounts need it; run Pulumi as root"
fi
program systemd-nspawn systemd-container
program systemd-socket-activate systemd
program ip iproute2
program ssh-keygen openssh-client
program nsenter util-linux
program pkill procps
if [[ ! -x /lib/systemd/systemd-socket-proxyd ]]; then
  lack "the program /lib/systemd/systemd-socket-proxyd: apt-get install systemd"
fi
if [[ $(stat --file-system --format=%T /sys/fs/cgroup) == cgroup2fs && ! -d /run/systemd/system ]]; then
  lack "systemd as its first process, which gives each machine a control group"
fi
if [[ ! -c /dev/kmsg ]]; then
  lack "the kernel's log /dev/kmsg: give it to the container that this is"
fi
base=$("$here/rootfs.sh" path)
if [[ ! -d $base ]]; then
  lack "the machines' root file system $base: make install"
fi
# The kernel's abilities are found out by trials that leave nothing behind.
if ((!lacking)); then
  folder=/var/lib/kthw/.probe.$$
  trap 'rm -rf "$folder"' EXIT
  mkdir -p "$folder"/{upper,work,root}
  unshare --mount mount -t overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" \
    probe "$folder/root" 2>/dev/null ||
    lack "overlayfs on /var/lib/kthw: a kernel with it, and a folder of a real file system there"
  unshare --net sh -c 'ip link add br0 type bridge && ip link add veth0 type veth peer name veth1' 2>/dev/null ||
    lack "bridges and veth pairs: a kernel with them (modules bridge, veth)"
  unshare --net chroot "$base" nft add table ip probe 2>/dev/null ||
    lack "nftables: a kernel with them (module nf_tables)"
fi
exit "$lacking"
