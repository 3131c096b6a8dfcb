# shellcheck shell=bash disable=SC2154
# All that only a computer with version 1 control groups needs. Sourced by stack.sh.
# A machine starts in a group of its own in every hierarchy, below the group of the process that made the machine. The machine's view
# of each hierarchy begins at its group.

# cgroup_prepare UPPER: systemd-nspawn gives the machine most hierarchies read-only; a unit in it opens them for the kubelet.
cgroup_prepare() {
  local units=$1/etc/systemd/system
  mkdir -p "$units/sysinit.target.wants"
  cat >"$units/kthw-cgroup-v1.service" <<'END'
[Unit]
Description=Write access to the machine's own control groups
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for hierarchy in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$hierarchy"; done'
END
  ln -sfn ../kthw-cgroup-v1.service "$units/sysinit.target.wants/kthw-cgroup-v1.service"
}

# cgroup_start NAME LOG COMMAND…: starts the command in the machine's groups, on its own, its output going to LOG.
cgroup_start() {
  local name=$1 log=$2
  shift 2
  (
    while IFS=: read -r _ controllers own; do
      hierarchy=${controllers#name=}
      group=/sys/fs/cgroup/${hierarchy:-unified}${own%/}
      for part in "$namespace" "$name"; do
        mkdir -p "$group/$part"
        if [[ -e $group/cpuset.cpus ]]; then
          cat "$group/cpuset.cpus" >"$group/$part/cpuset.cpus"
          cat "$group/cpuset.mems" >"$group/$part/cpuset.mems"
        fi
        group=$group/$part
      done
      echo "$BASHPID" >"$group/cgroup.procs"
    done < <(cat /proc/self/cgroup)
    exec setsid "$@"
  ) </dev/null >"$log" 2>&1 &
}

# cgroup_remove [NAME]: kills all that runs in the groups of a machine, or of the whole stack, and removes them.
cgroup_remove() {
  local group groups processes
  for _ in {1..500}; do
    groups=()
    while read -r group; do
      if [[ -d $group${1:+/$1} ]]; then
        groups+=("$group${1:+/$1}")
      fi
    done < <(find /sys/fs/cgroup -type d -name "$namespace" -prune)
    ((${#groups[@]})) || return 0
    mapfile -t processes < <(find "${groups[@]}" -name cgroup.procs -exec cat {} +)
    {
      kill -KILL "${processes[@]}" || true
      find "${groups[@]}" -depth -type d -delete && return
    } 2>/dev/null
    sleep 0.02
  done
  fail "control groups that cannot be removed: ${groups[*]}"
}
