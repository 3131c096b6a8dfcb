#!/usr/bin/env bash
# The root file system that all machines on this computer share, read-only: a small Debian.
#   rootfs.sh         builds it, unless it is there
#   rootfs.sh path    prints the folder where it lies, whether or not it has been built
set -euo pipefail

packages=(
  systemd-sysv dbus openssh-server ca-certificates curl sudo procps kmod openssl
  iproute2 iptables nftables conntrack socat ipset ebtables ethtool libseccomp2
  keepalived nginx libnginx-mod-stream
)

# Neither the container's surroundings nor its network are the machine's own business.
masked=(
  systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket
  systemd-udev-trigger.service systemd-networkd.service systemd-networkd.socket
  systemd-resolved.service systemd-timesyncd.service systemd-logind.service
  systemd-modules-load.service systemd-remount-fs.service systemd-journal-flush.service
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-sysusers.service
  console-getty.service
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_reap.service modprobe@.service
)

cache=${KTHW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kthw}
# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
digest=$({ cat "${BASH_SOURCE[0]}" && echo "$codename" && uname -m; } | sha256sum | cut -c1-12)
target=$cache/rootfs/$digest

# The distribution's own sources among this computer's, as one-line entries.
sources() {
  local origin
  # shellcheck source=/dev/null
  origin=$(. /etc/os-release && echo "${NAME%% *}")
  apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    "Created-By: Packages" "Origin: $origin" "Architecture: $(dpkg --print-architecture)" | sort -u
}

customize() {
  local root=$1
  systemctl --quiet --root="$root" mask "${masked[@]}"
  systemctl --quiet --root="$root" disable keepalived.service nginx.service
  # Each machine has its own keys, identity and name.
  rm -f "$root"/etc/ssh/ssh_host_*_key* "$root/etc/hostname"
  : >"$root/etc/machine-id"
  : >"$root/etc/resolv.conf"
  # Pulumi opens a connection for each command, many at once.
  cat >"$root/etc/ssh/sshd_config.d/10-kthw.conf" <<'END'
HostKey /etc/ssh/kthw/host_key
AuthorizedKeysFile /etc/ssh/kthw/authorized_keys
MaxStartups 100:30:200
UseDNS no
END
  # These are settings of the whole computer, not of a machine on it.
  for file in "$root"/usr/lib/sysctl.d/*.conf; do
    ln -sf /dev/null "$root/etc/sysctl.d/${file##*/}"
  done
  cat >"$root/etc/systemd/system/kthw-container.service" <<'END'
[Unit]
Description=What Kubernetes expects of a machine, in a container
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/kthw-container

[Install]
WantedBy=sysinit.target
END
  cat >"$root/usr/local/sbin/kthw-container" <<'END'
#!/bin/sh
set -eu
# The kubelet wants these values, and they are the whole computer's: it is shown them, and the computer keeps its own.
mkdir -p /run/kthw-sysctl
show() {
  echo "$2" >"/run/kthw-sysctl/$1"
  mount --bind "/run/kthw-sysctl/$1" "/proc/sys/$(echo "$1" | tr . /)"
}
show vm.overcommit_memory 1
show vm.panic_on_oom 0
show kernel.panic 10
show kernel.panic_on_oops 1
show kernel.keys.root_maxkeys 1000000
show kernel.keys.root_maxbytes 25000000
# What the kubelet mounts must be seen by containers that run already.
mount --make-rshared /
END
  chmod 0755 "$root/usr/local/sbin/kthw-container"
  systemctl --quiet --root="$root" enable kthw-container.service
}

build() {
  local entries options partial=$target.partial
  mkdir -p "$cache/rootfs"
  exec 9>"$cache/rootfs/.lock"
  flock 9
  if [[ -d $target ]]; then
    return
  fi
  entries=$(sources)
  if [[ -z $entries ]]; then
    apt-get --quiet --quiet update
    entries=$(sources)
  fi
  echo "building the machines' root file system in $target: about a minute" >&2
  rm -rf --one-file-system "$partial"
  options=$(mktemp)
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -f '$options'" EXIT
  apt-config dump Acquire >"$options"
  # shellcheck disable=SC2016 # mmdebstrap's shell expands it
  mmdebstrap --mode=root --format=directory --variant=minbase --aptopt="$options" \
    --include="$(IFS=, && echo "${packages[*]}")" \
    --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
    "$codename" "$partial" - <<<"$entries" 9>&-
  customize "$partial"
  mv -T "$partial" "$target"
}

case ${1:-} in
  '') build ;;
  path) echo "$target" ;;
  *)
    echo "usage: rootfs.sh [path]" >&2
    exit 2
    ;;
esac
