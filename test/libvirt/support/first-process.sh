#!/usr/bin/env bash
# The first process of namespaces of its own, in which a libvirt runs that knows nothing of the computer's own, and from which no packet gets out.
#   unshare --mount --net --pid --fork --kill-child --mount-proc first-process.sh FOLDER ADDRESS
# FOLDER holds what libvirt writes. ADDRESS is this computer's own, beside 127.0.0.1. Once libvirt answers, there is FOLDER/ready.
set -euo pipefail
folder=$1 address=$2

mount --make-rprivate /
mkdir -p "$folder"/{lib,cache,log/qemu} /var/{lib,cache,log}/libvirt
for kind in lib cache log; do mount --bind "$folder/$kind" "/var/$kind/libvirt"; done
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/libvirt
# This one shows the interfaces of these namespaces.
mount -t sysfs sysfs /sys
# The control groups of the computer are not libvirt's to change.
mount -t tmpfs tmpfs /sys/fs/cgroup
# The machines are emulated. Where KVM is root's alone, libvirt would ask QEMU for its abilities again before each step, which takes half a minute.
touch "$folder/no-kvm"
chmod 000 "$folder/no-kvm"
[ ! -e /dev/kvm ] || mount --bind "$folder/no-kvm" /dev/kvm
cat >/etc/libvirt/qemu.conf <<'END'
security_driver = "none"
cgroup_controllers = []
namespaces = []
END
ip link set lo up
ip address add "$address/32" dev lo
virtlogd --daemon
libvirtd --daemon
virsh --connect qemu:///system version
touch "$folder/ready"
# bash cares for the processes whose parents have ended. All ends with who holds the other end of the standard input.
read -r _ || true
