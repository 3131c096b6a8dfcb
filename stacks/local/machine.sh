#!/usr/bin/env bash
# One machine of a stack: a container with its own disk, network namespace and SSH port on 127.0.0.1.
#   machine.sh create    makes it with an empty disk, whatever there was, and boots it
#   machine.sh update    boots it unless it runs as it should; the disk stays
#   machine.sh delete    removes it
# Environment: KTHW_STACK; KTHW_NAME; KTHW_ADDRESS (10.240.0.11/24); KTHW_GATEWAY (10.240.0.1/24); KTHW_SSH_PORT (on
# 127.0.0.1); KTHW_MIRROR (a folder of artifacts, or empty); KTHW_DISK (the disk's id); KTHW_BOOT (an id, written down when all
# is up). Standard input, to create and update: the operator's public key on one line, then the machine's private host key.
set -euo pipefail
# shellcheck source=SCRIPTDIR/stack.sh
. "$(dirname "$0")/stack.sh"

name=$KTHW_NAME
machine=$state/machines/$name
own=$namespace:$name

# The machine's MAC address follows from its IP address, so that other machines reach a rebooted machine at once.
digits() { tr . ' ' <<<"${KTHW_ADDRESS%/*}" | xargs printf "$1"; }
link() { digits 'm%02x%02x%02x%02x'; }

make_disk() {
  local disk=$machine/disk upper=$machine/disk/upper base binaries
  base=$("$here/rootfs.sh" path)
  [[ -d $base ]] || fail "$name: there is no root file system in $base; run: make install"
  mkdir -p "$disk"/{upper,work,containerd,kubelet,etcd} "$upper/etc"
  binaries=$("$here/binaries.sh" path "$KTHW_MIRROR")
  [[ ! -d $binaries ]] || base=$binaries:$base
  echo "$base" >"$disk/base"
  echo "$name" >"$upper/etc/hostname"
  echo "$KTHW_DISK" >"$upper/etc/machine-id"
  cgroup_prepare "$upper"
  echo "$KTHW_DISK" >"$disk/id"
}

# The parameters of a boot: a machine with other parameters must be booted again.
how() {
  echo "$KTHW_ADDRESS $KTHW_GATEWAY $KTHW_MIRROR $(namespace_id)"
}

boot() {
  local base
  while read -r -d : base; do
    [[ -d $base ]] ||
      fail "$name: its files in $base are gone; to make the machine anew, remove $machine/disk and run pulumi up"
  done <<<"$(<"$machine/disk/base"):"
  [[ -z $KTHW_MIRROR || -d $KTHW_MIRROR ]] || fail "$name: there is no mirror of artifacts in $KTHW_MIRROR"
  ip netns add "$own"
  ip -n "$namespace" link add "$(link)" type veth \
    peer name eth0 address "$(digits '02:00:%02x:%02x:%02x:%02x')" netns "$own"
  ip -n "$namespace" link set "$(link)" master machines up
  ip -n "$own" link set lo up
  ip -n "$own" address add "$KTHW_ADDRESS" dev eth0
  ip -n "$own" link set eth0 up
  ip -n "$own" route add default via "${KTHW_GATEWAY%/*}"
  mkdir -p "$machine/root"
  how >"$machine/how"
  # The machine's mounts are in a namespace of their own, and end with the machine.
  cgroup_start "$name" "$machine/console.log" unshare --mount --propagation slave "$here/machine.sh" run "$machine/root" 7>&-
}

run() {
  local disk=$machine/disk mirror=()
  mount -t overlay -o "lowerdir=$(<"$disk/base"),upperdir=$disk/upper,workdir=$disk/work" \
    "kthw:$name" "$machine/root"
  if [[ $KTHW_MIRROR ]]; then
    mirror=(--bind-ro="$KTHW_MIRROR:/opt/kthw-mirror")
  fi
  echo $$ >"$machine/machine.pid"
  # containerd's overlays do not work on an overlay, so that containerd gets a folder of the real file system. So do the kubelet and
  # etcd, which write much.
  SYSTEMD_NSPAWN_API_VFS_WRITABLE=network exec systemd-nspawn --quiet --boot --console=pipe \
    --machine="kthw-$(<"$disk/id")" --hostname="$name" -D "$machine/root" \
    --register=no --keep-unit --link-journal=no --resolv-conf=off --timezone=off \
    --network-namespace-path="/run/netns/$own" \
    --capability=all --system-call-filter="@keyring bpf @raw-io @cpu-emulation @mount @privileged @resources @debug" \
    --bind-ro=/dev/kmsg --bind-ro="$state/hosts:/etc/hosts" --bind-ro="$machine/ssh:/etc/ssh/kthw" \
    --bind="$disk/containerd:/var/lib/containerd" --bind="$disk/kubelet:/var/lib/kubelet" \
    --bind="$disk/etcd:/var/lib/etcd" "${mirror[@]}"
}

# Ends all processes of the machine and removes its network, also after an incomplete start.
stop() {
  halt "$machine"
  cgroup_remove "$name"
  rm -f "$machine/machine.pid"
  ip -n "$namespace" link delete "$(link)" 2>/dev/null || true
  ip netns delete "$own" 2>/dev/null || true
}

# The machine's API server, if there is one, stops while clients go elsewhere: a load balancer takes some time to see that a machine is
# gone. Its etcd hands over the lead, and answers what other API servers have asked it, while they go elsewhere.
leave() {
  if alive "$machine/machine.pid" "$machine/root" && inside systemctl is-active --quiet kube-apiserver.service; then
    inside systemctl stop --no-block kube-apiserver.service etcd-leaving.service || true
    sleep 3
    inside systemctl kill etcd.service || true
    sleep 1
  fi
}

inside() {
  timeout 10 nsenter --all --target="$(pgrep --parent "$(<"$machine/machine.pid")")" "$@"
}

# place FILE: puts standard input there if it differs; says whether it did.
place() {
  local text
  text=$(cat)
  if [[ -e $1 && $(<"$1") == "$text" ]]; then
    return 1
  fi
  (umask 077 && cat <<<"$text" >"$1.new" && mv "$1.new" "$1")
}

keys() {
  local operator
  mkdir -p "$machine/ssh"
  read -r operator
  place "$machine/ssh/authorized_keys" <<<"$operator" || true
  if place "$machine/ssh/host_key" && alive "$machine/machine.pid" "$machine/root"; then
    inside systemctl reload ssh.service
  fi
  echo "[127.0.0.1]:$KTHW_SSH_PORT $(ssh-keygen -y -f "$machine/ssh/host_key")" >"$machine/known_hosts"
  cat >"$machine/ssh_config" <<END
Host $name
  HostName 127.0.0.1
  Port $KTHW_SSH_PORT
  UserKnownHostsFile $machine/known_hosts
END
}

# known [ADDRESS]: writes the machine's address into the file of hosts, or takes the machine out of the file. All machines have the
# file mounted, so that it is written in place.
known() {
  local others
  exec 9>>"$state/hosts"
  flock 9
  others=$(grep --invert-match " $name\$" "$state/hosts")
  printf '%s\n' "$others" "${@/%/ $name}" >"$state/hosts"
  exec 9>&-
}

# An answer takes half a second; three minutes are for a busy computer.
answers() {
  local banner until=$((SECONDS + 180))
  while ((SECONDS < until)); do
    if { exec 8<>"/dev/tcp/127.0.0.1/$KTHW_SSH_PORT"; } 2>/dev/null; then
      read -r -t 2 -u 8 banner || true
      exec 8>&-
      [[ $banner == SSH-* ]] && return
    fi
    [[ ! -s $machine/machine.pid ]] || alive "$machine/machine.pid" "$machine/root" || break
    sleep 0.05
  done
  fail "$name: it does not answer to SSH; the last lines of its console:
$(tail -n 20 "$machine/console.log")"
}

up() {
  rm -f "$machine/boot"
  [[ $(cat "$machine/disk/id" 2>/dev/null) == "$KTHW_DISK" ]] ||
    fail "$name: its disk in $machine/disk is gone or another one; run pulumi up again"
  keys
  if ! alive "$machine/machine.pid" "$machine/root" || [[ $(<"$machine/how") != "$(how)" ]]; then
    stop
    boot
  fi
  known "${KTHW_ADDRESS%/*}"
  forward "$machine/ssh-port" "$KTHW_SSH_PORT" "${KTHW_ADDRESS%/*}:22"
  answers
  echo "$KTHW_BOOT" >"$machine/boot"
}

remove() {
  stop
  unforward "$machine/ssh-port"
  if [[ -e $state/hosts ]]; then
    known
  fi
  rm -rf --one-file-system "$machine"
}

# A script of a run that was cut off may still be at it.
lock() {
  mkdir -p "$state"
  exec 7>>"$state/$name.lock"
  flock 7
}

case ${1:-} in
  create | update | delete) lock ;;
esac
case ${1:-} in
  create)
    remove
    make_disk
    up
    ;;
  update) up ;;
  delete)
    leave
    remove
    ;;
  run) run ;;
  *) fail "usage: machine.sh create|update|delete" ;;
esac
