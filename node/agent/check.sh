# shellcheck shell=bash

check() {
  local index path target difference superfluous said timer timers differences=()
  local -A found
  read_description
  list_files found "${directories[@]}" "${paths[@]}" "${paths[@]/#/$records/current}"
  for index in "${!directories[@]}"; do
    path=${directories[index]}
    compare_directory difference "$index" "${found[$path]-}"
    [[ -z $difference ]] || differences+=("$path: $difference")
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
    [[ -z $difference ]] || differences+=("$path: $difference")
  done
  find_superfluous superfluous
  for path in "${superfluous[@]}"; do
    [[ ! -e $path && ! -L $path ]] || is_listed_elsewhere "$path" || differences+=("$path: superfluous")
  done
  if [[ -n $unit ]]; then
    ask_unit_state
    if ! is_running; then
      differences+=("$unit: not running")
    elif [[ -n $health ]] && ! said=$(timeout -k 1 5 bash -c "$health" 2>&1); then
      differences+=("$unit: not healthy: ${said//$'\n'/, }")
    fi
  fi
  list_timers timers
  for timer in "${timers[@]}"; do
    systemctl is-active --quiet "$timer" || differences+=("$timer: not running")
    target=${timer%.timer}.service
    if systemctl is-failed --quiet "$target"; then
      said=$(journalctl --no-pager --output=cat --lines=1 _SYSTEMD_UNIT="$target")
      differences+=("$target: failed: ${said:-its journal says nothing}")
    fi
  done
  ((${#differences[@]})) || return 0
  printf '%s\n' "${differences[@]}"
  return 1
}
