# shellcheck shell=bash

remove() {
  local path command superfluous
  read_description
  lock_records
  units_changed=
  [[ -z $unit ]] || is_listed_elsewhere "$units/$unit" || stop_unit "$unit"
  for command in "${teardowns[@]}" "${undos[@]}"; do tear_down "$command"; done
  for path in "${data[@]}"; do remove_data "$path"; done
  # Two that go at the same time would each leave to the other what both have.
  exec 9<"$state"
  flock 9
  find_superfluous superfluous
  for path in "${paths[@]}" "${directories[@]}" "${superfluous[@]}"; do remove_file "$path"; done
  # What is a service's own and not listed as data outlives it: it may be worth something.
  for path in "${directories[@]}"; do
    [[ ! -d $path || -z $(find "$path" -mindepth 1 -print -quit) ]] || is_listed_elsewhere "$path" || add_to_list kept "$path"
  done
  rm -rf "$records"
  exec 9<&-
  [[ -n $units_changed ]] || return 0
  systemctl daemon-reload
  systemctl reset-failed "$unit" 2>/dev/null || true
}

# What a command stops may take its time, and may be busy.
tear_down() { # COMMAND
  local said attempt
  for attempt in 1 2 3; do
    ! said=$(timeout -k 1 60 bash -c "$1" 2>&1) || return 0
    sleep "$attempt"
  done
  fail "kthw-node: still failing on $(hostname): $1"$'\n'"$(tail -n 20 <<<"$said")"
}

# Removes a file, or a folder with all that is in it, but not what is mounted there. What others list stays, and so does an empty
# folder that is a mount or has been listed itself: it may have been there before.
remove_data() { # PATH
  local mounts=() mount index
  [[ -e $1 || -L $1 ]] || return 0
  mapfile -t mounts < <(cut -d' ' -f2 /proc/self/mounts | grep -F "$1/" | grep "^$1/" | sort)
  for ((index = ${#mounts[@]} - 1; index >= 0; index--)); do
    printf -v mount %b "${mounts[index]}"
    umount "$mount" 2>/dev/null || umount --lazy "$mount"
  done
  if [[ ! -d $1 || -L $1 ]]; then
    is_listed_elsewhere "$1" || rm -f "$1"
  elif [[ " ${directories[*]} " == *" $1 "* ]] || is_listed_elsewhere "$1" || mountpoint -q "$1"; then
    find "$1" -xdev -mindepth 1 -delete
  else
    # Another service may be putting something there at this moment, which then takes it away itself.
    rm -rf --one-file-system "$1" 2>/dev/null || rm -rf --one-file-system "$1" 2>/dev/null || [[ -d $1 ]]
  fi
}
