# shellcheck shell=bash disable=SC2154
# A computer with version 2 control groups, which is what current distributions have. Sourced by stack.sh.
# The computer's systemd gives each machine a service of its own and hands the group over to it. Written after
# systemd-nspawn@.service; not yet proven by a run.

# cgroup_prepare UPPER: the machine's group is already its own to write.
cgroup_prepare() {
  :
}

# cgroup_start NAME LOG COMMAND…: starts the command as a service, its output going to LOG.
cgroup_start() {
  local name=$1 log=$2
  shift 2
  systemd-run --quiet --collect --unit="$namespace:$name" --slice=machine \
    --property=Delegate=yes --property=TasksMax=infinity --property=KillMode=mixed \
    --property="StandardOutput=truncate:$log" --property=StandardError=inherit \
    --setenv=KTHW_STACK --setenv=KTHW_NAME --setenv=KTHW_BOOT --setenv=KTHW_MIRROR "$@"
}

# cgroup_remove [NAME]: ends the service of a machine, or all of the stack.
cgroup_remove() {
  local unit=$namespace:${1:-*}.service
  systemctl kill --signal=KILL "$unit" 2>/dev/null || true
  systemctl stop "$unit" 2>/dev/null || true
}
