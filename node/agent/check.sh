# shellcheck shell=bash

check() {
  local differences
  read_description
  find_differences differences
  ((${#differences[@]})) || return 0
  printf '%s\n' "${differences[@]}"
  return 1
}

# Puts right what check names, and says what was started anew for it.
repair() {
  local differences difference before
  read_description
  lock_records
  find_differences differences
  # What is not healthy for a moment alone, such as after a restart of what it needs, mends itself.
  if [[ "${differences[*]}" == *': not healthy: '* ]] && wait_until_healthy $((SECONDS + 5)); then
    find_differences differences
  fi
  ((${#differences[@]})) || return 0
  before=${unit_state[InvocationID]-}
  for difference in "${differences[@]}"; do
    # What runs, but not as it should, is started anew although its files are as they were.
    [[ ! $difference =~ ^[^/].*': '(not healthy|runs another) ]] || { rm -f "$records/started" && reload=''; }
  done
  apply_description --wait
  # What a timer has started and has failed is tried again; a check names it if it fails again.
  for difference in "${differences[@]}"; do
    [[ ! $difference =~ ^([^/: ]+[.]service)': failed: ' ]] || timeout 600 systemctl start "${BASH_REMATCH[1]}" || true
  done
  [[ -n $unit ]] || return 0
  ask_unit_state
  [[ ${unit_state[InvocationID]-} == "$before" ]] || echo "$unit: started anew"
}

# Sets an array to what differs from the description that has been read.
find_differences() { # ARRAY
  local -n differing=$1
  local index path target difference superfluous said timer timers
  local -A found
  differing=()
  list_files found "${directories[@]}" "${paths[@]}" "${paths[@]/#/$records/current}"
  for index in "${!directories[@]}"; do
    path=${directories[index]}
    compare_directory difference "$index" "${found[$path]-}"
    [[ -z $difference ]] || differing+=("$path: $difference")
  done
  for index in "${!paths[@]}"; do
    path=${paths[index]} target=$records/current${paths[index]}
    if [[ $kind == service ]]; then
      compare_file difference "$index" "$path" "${found[$path]-}"
    elif is_link_to "$target" "${found[$path]-}"; then
      compare_file difference "$index" "$target" "${found[$target]-}"
    else
      difference=missing
    fi
    [[ -z $difference ]] || differing+=("$path: $difference")
  done
  find_superfluous superfluous
  for path in "${superfluous[@]}"; do
    [[ ! -e $path && ! -L $path ]] || is_listed_elsewhere "$path" || differing+=("$path: superfluous")
  done
  [[ -n $unit ]] || return 0
  ask_unit_state
  [[ ${unit_state[UnitFileState]-} != disabled ]] || differing+=("$unit: disabled")
  if ! is_running; then
    differing+=("$unit: not running")
  elif [[ -n $health ]] && ! said=$(timeout -k 1 5 bash -c "$health" 2>&1); then
    differing+=("$unit: not healthy: ${said//$'\n'/, }")
  fi
  list_timers timers
  for timer in "${timers[@]}"; do
    systemctl is-active --quiet "$timer" || differing+=("$timer: not running")
    target=${timer%.timer}.service
    if systemctl is-failed --quiet "$target"; then
      said=$(journalctl --no-pager --output=cat --lines=1 _SYSTEMD_UNIT="$target")
      differing+=("$target: failed: ${said:-its journal says nothing}")
    fi
  done
  compare_program difference
  [[ -z $difference ]] || differing+=("$unit: $difference")
}

# Sets a variable to how the program that runs differs from the binary that is at its path now: nothing, or a few words.
compare_program() { # VARIABLE
  local program='' process=/proc/${unit_state[MainPID]-0}/exe
  printf -v "$1" ''
  [[ ! -e $process ]] || program=$(readlink "$process")
  [[ $program == "$binaries"/*' (deleted)' ]] || return 0
  program=${program% (deleted)}
  cmp -s "$process" "$program" || printf -v "$1" %s "runs another $program"
}
