# shellcheck shell=bash

# The unit of a service: what systemd knows of it, and whether it is healthy.

# What systemd knew of the unit when it was last asked.
declare -A unit_state

# Not empty once files of units have changed that systemd has to read again.
units_changed=

ask_unit_state() {
  local property value
  unit_state=()
  while IFS='=' read -r property value; do unit_state[$property]=$value; done < <(
    systemctl show --property=ActiveState,SubState,UnitFileState,NRestarts,Job,ConditionResult,InvocationID,MainPID "$unit"
  )
}

is_running() {
  [[ ${unit_state[ActiveState]-} =~ ^(active|activating|reloading)$ ]]
}

# A health command that hangs is given up and asked again.
is_healthy() { # SECONDS that are left
  local most=$(($1 < 5 ? $1 : 5))
  [[ ${unit_state[ActiveState]-} == active && -z ${unit_state[Job]-} ]] || return 1
  [[ -z $health ]] || { timeout -k 1 $((most > 0 ? most : 1)) bash -c "$health"; } >/dev/null 2>&1
}

# A service that keeps falling over, or that systemd does not start, will not get healthy by waiting longer.
wait_until_healthy() { # SECONDS at which to give up, and `reloaded` if it has just been
  local first='' restarts='' times=0 enough
  while true; do
    ask_unit_state
    [[ $restarts == "${unit_state[NRestarts]-0}" ]] || times=0
    restarts=${unit_state[NRestarts]-0}
    first=${first:-$restarts}
    # That a process runs says little when it has only just been started, and after a reload the former one still answers.
    enough=1
    [[ ${unit_state[SubState]-} != running || (-n $health && ${2-} != reloaded) ]] || enough=3
    if is_healthy $(($1 - SECONDS)); then
      ((++times < enough)) || return 0
    else
      times=0
      [[ ! ${unit_state[ActiveState]-} =~ ^(failed|inactive)$ || -n ${unit_state[Job]-} ]] || return 1
      ((restarts < first + 5 && SECONDS < $1)) || return 1
    fi
    sleep 0.5
  done
}

# Prints why the service is not healthy, as far as systemd knows.
explain_unhealthy() {
  echo "$unit on $(hostname) is not healthy: ${health:-it does not run}"
  [[ -z $health ]] || timeout -k 1 5 bash -c "$health" 2>&1 || true
  systemctl status --no-pager --full --lines=0 "$unit" || true
  journalctl --sync || true
  journalctl --unit "$unit" --lines 20 --no-pager --output cat || true
}

stop_unit() { # UNIT
  systemctl disable --quiet --no-reload --now "$1" 2>/dev/null || systemctl stop "$1" 2>/dev/null || true
  ! systemctl is-active --quiet "$1" || fail "kthw-node: $1 on $(hostname) does not stop"
  units_changed=yes
}

# Sets an array to the timers among the described files.
list_timers() { # ARRAY
  local -n found_timers=$1
  local path
  found_timers=()
  for path in "${paths[@]}"; do
    [[ $path != "$units"/*.timer ]] || found_timers+=("${path##*/}")
  done
}

# Whether systemd knows the unit, and those that are described, as their files are now.
knows_units() { # UNIT... that is described
  local said one
  [[ -n $unit ]] || (($#)) || return 0
  said=$(systemctl show --property=FragmentPath,NeedDaemonReload ${unit:+"$unit"} "$@")
  [[ $said != *NeedDaemonReload=yes* ]] || return 1
  for one; do [[ $'\n'$said$'\n' == *$'\n'"FragmentPath=$units/$one"$'\n'* ]] || return 1; done
}

# Timers that run already go by their new text from the reload on.
start_timers() {
  local all
  list_timers all
  ((${#all[@]} == 0)) || systemctl enable --quiet --no-reload --now "${all[@]}"
}
