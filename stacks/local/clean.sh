#!/usr/bin/env bash
# Removes all that a stack has on this computer: clean.sh STACK, or KTHW_STACK in the environment. Nothing happens if there is
# nothing, and no other stack is touched.
set -euo pipefail
export KTHW_STACK=${1:-${KTHW_STACK:?the name of the stack}}
# shellcheck source=SCRIPTDIR/stack.sh
. "$(dirname "$0")/stack.sh"

# Processes that an interrupted run left behind have KTHW_STACK and KTHW_BOOT in their environment. The callers of this script may have
# both, too, and are spared.
spared=" $$ "
for ((pid = PPID; pid > 1; )); do
  spared+="$pid "
  read -r _ pid < <(grep '^PPid:' "/proc/$pid/status")
done
ended=1
while [[ $ended ]]; do
  # Repeated until there is none: each process may have started another one at the last moment.
  ended=
  mapfile -t marked < <(grep --files-with-matches --null-data --line-regexp --fixed-strings \
    "KTHW_STACK=$stack" /proc/[0-9]*/environ 2>/dev/null)
  for file in "${marked[@]}"; do
    pid=${file//[!0-9]/}
    if [[ $spared != *" $pid "* ]] && grep --quiet --null-data '^KTHW_BOOT=' "$file" 2>/dev/null; then
      kill -KILL "$pid" 2>/dev/null || true
      ended=1
    fi
  done
done

for machine in "$state"/machines/*/; do
  halt "${machine%/}" &
done
wait
cgroup_remove ""
for file in /run/netns/"$namespace" /run/netns/"$namespace":*; do
  if [[ -e $file ]]; then
    ip netns delete "${file##*/}"
  fi
done
# `ip netns` leaves its folder mounted on itself; it mounts it again when it needs it.
if mountpoint --quiet /run/netns && [[ -z $(ls /run/netns) ]]; then
  umount /run/netns 2>/dev/null || true
fi
rm -rf --one-file-system "$state"
restore_limit
