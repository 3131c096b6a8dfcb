# shellcheck shell=bash

apply() { # [--wait]
  read_description
  lock_records
  apply_description "${1-}"
}

# Makes the machine as the description that has been read says.
apply_description() { # [--wait]
  local before failed problem
  check_requirements
  read_file before "$records/applied"
  renew_digest
  place
  if [[ $kind == bundle ]] || start problem "${1-}"; then
    undo_former "$before"
    record
    return
  fi
  rm -f "$records/started"
  echo "${problem:-$(explain_unhealthy 2>&1)}" >&2
  [[ -n $before && $before != "$content" && $before != "$description" ]] || exit 1
  failed=$content
  read_description <"$records/applied"
  place
  start problem --wait || fail "The previous files are back, but the service is not healthy with them either."
  undo_former "$failed"
  record
  fail "The previous files are back, and the service is healthy with them."
}

# Makes the machine's files as described, and forgets with what the service was started where that is not what it reads now.
place() {
  local former listed
  make_prerequisites
  units_changed=
  list_placed listed
  read_file former "$records/placed"
  # Both, until this apply has succeeded.
  [[ $former == "$listed" ]] || printf %s "$listed" >>"$records/placed"
  "place_$kind"
}

# Undoes what the service did by another description and does not by the one that it runs with.
undo_former() { # DESCRIPTION
  local former line
  mapfile -t former < <(sed -n '/^undo /p' <<<"$1")
  for line in "${former[@]}"; do
    [[ $'\n'$content == *$'\n'"$line"$'\n'* ]] || tear_down "${line#undo }"
  done
}

# Records what an apply that succeeded has placed.
record() {
  local listed
  list_placed listed
  write_record "$records/placed" "$listed"
  [[ $kind == bundle ]] || write_record "$records/applied" "$description"
}

# Sets a variable to the paths that the description lists, one a line.
list_placed() { # VARIABLE
  printf -v "$1" '%s\n' "${paths[@]}" "${directories[@]}"
}

place_service() {
  local path one own=() unknown=()
  for path in "${paths[@]}"; do
    one=${path#"$units"/}
    [[ $one != */* ]] || continue
    own+=("$one")
    [[ -e $path || ($one != "$unit" && $one != *.timer) ]] || unknown+=("$one")
  done
  place_files ''
  remove_superfluous
  # What is new is enabled before systemd is asked about it, since systemd remembers its answer.
  ((${#unknown[@]} == 0)) || systemctl enable --quiet --no-reload "${unknown[@]}"
  [[ -z $unit ]] || ask_unit_state
  if [[ -n $unit && ${unit_state[UnitFileState]-} =~ ^(disabled)?$ ]]; then
    systemctl enable --quiet "$unit"
  elif [[ -n $units_changed ]] || ! knows_units "${own[@]}"; then
    systemctl daemon-reload
  fi
  start_timers
}

# All of a bundle's paths are links through `current`, so that turning that one link changes them together.
place_bundle() {
  local path hash
  local -A found
  hash=$(printf %s "$content" | sha256sum) # a here-document may go through a file
  hash=${hash%% *}
  place_files "$records/$hash"
  if [[ ! $records/current -ef $records/$hash ]]; then
    ln -sfn "$hash" "$records/next"
    mv -fT "$records/next" "$records/current"
  fi
  list_files found "${paths[@]}"
  for path in "${paths[@]}"; do
    ! is_link_to "$records/current$path" "${found[$path]-}" || continue
    make_folder "${path%/*}"
    ln -sfn "$records/current$path" "$path"
  done
  remove_superfluous
  for path in "$records"/*; do
    [[ ${path##*/} =~ ^(current|placed|$hash)$ ]] || rm -rf "$path"
  done
}

place_files() { # FOLDER below which their paths are, or nothing
  local index path draft difference drafts=()
  local -A found
  list_files found "${paths[@]/#/$1}"
  for index in "${!paths[@]}"; do
    path=$1${paths[index]}
    draft_of draft "$path"
    [[ ! -e $draft ]] || rm -f "$draft"
    compare_file difference "$index" "$path" "${found[$path]-}"
    [[ -n $difference ]] || continue
    # A running service is not affected by the mode or owner of a file that it has read.
    [[ -n ${live[index]} || $difference == 'mode or owner' || ! -e $records/started ]] || rm -f "$records/started"
    if [[ -z $1 ]]; then
      make_folder "${path%/*}"
    elif [[ ! -d ${path%/*} ]]; then
      (umask 066 && mkdir -p "${path%/*}")
    fi
    printf %s "${texts[index]}" >"$draft"
    drafts[index]=$draft
    # Systemd reads a new unit without being told when it is first asked about it.
    [[ $path != "$units"/* || (-z ${found[$path]-} && ${path#"$units"/} != */*) ]] || units_changed=yes
  done
  give_rights drafts
  # Each takes its place in one instant.
  for index in "${!drafts[@]}"; do mv -fT "${drafts[index]}" "$1${paths[index]}"; done
}

remove_superfluous() {
  local path superfluous
  find_superfluous superfluous
  for path in "${superfluous[@]}"; do remove_file "$path"; done
}

# Brings the running service up to what is on the machine. Returns 1 if that does not succeed, and may then set a variable to the reason.
start() { # VARIABLE [--wait]
  local now former said reloaded='' started='' give_up=$((SECONDS + timeout))
  printf -v "$1" ''
  [[ -n $unit ]] || return 0
  now=$(digest)
  read_file former "$records/started"
  if is_running && { [[ $former == "$now" ]] || reads_less "$former"; }; then
    :
  elif [[ -n $reload && ${unit_state[ActiveState]-} =~ ^(active|reloading)$ && ${unit_state[SubState]-} != exited ]]; then
    if ! said=$(timeout -k 1 "$timeout" bash -c "$reload" 2>&1); then
      printf -v "$1" %s "$unit on $(hostname) cannot use its new files: ${said:-$reload}"
      return 1
    fi
    reloaded=reloaded
    timeout "$timeout" systemctl reload "$unit" || return 1
  else
    systemctl reset-failed "$unit" 2>/dev/null || true
    if [[ ${2-} == --wait ]]; then
      ! timeout "$timeout" systemctl restart "$unit" 2>/dev/null || started=yes
    else
      systemctl restart --no-block "$unit" || return 1
    fi
  fi
  write_record "$records/started" "$now"
  [[ ${2-} == --wait ]] || return 0
  if [[ -n $started ]]; then
    ask_unit_state
    # A condition in the unit itself holds it back.
    [[ ${unit_state[ActiveState]-} != inactive || ${unit_state[ConditionResult]-} != no ]] || return 0
  fi
  wait_until_healthy "$give_up" "$reloaded"
}

# Whether the running service differs from the description in nothing but paths that it has read when it started and need not read anew:
# a newer program knows of them that the service reads them at each use.
reads_less() { # DIGEST with which it was started
  local path former now own
  mapfile -t former < <(sed -n 's/^reads //p' "$records/applied" 2>/dev/null)
  for path in "${reads[@]}"; do
    [[ " ${former[*]} " == *" $path "* ]] || return 1
  done
  own=("${reads[@]}")
  reads=("${former[@]}")
  now=$(digest)
  reads=("${own[@]}")
  [[ $1 == "$now" ]]
}

# Prints the digest of all that the running service depends on; with `modes`, as an earlier agent did.
digest() { # [modes]
  local index hash
  hash=$({
    echo "$unit"
    for index in "${!paths[@]}"; do
      [[ -n ${live[index]} ]] || printf '%s\n%s' "${paths[index]}${1:+ ${modes[index]} ${owners[index]}}" "${texts[index]}"
    done
    ((${#reads[@]} == 0)) || find -L "${reads[@]}" -type f -exec sha256sum {} + 2>/dev/null | sort
  } | sha256sum)
  printf %s "${1:-texts }${hash%% *}"
}

# Where the service was started with what was last applied, the digest of an earlier agent becomes one of today.
renew_digest() {
  local former
  read_file former "$records/started"
  [[ -n $former && $former != 'texts '* && -e $records/applied ]] || return 0
  (
    read_description <"$records/applied"
    [[ "modes$former" != "$(digest modes)" ]] || write_record "$records/started" "$(digest)"
  )
}
