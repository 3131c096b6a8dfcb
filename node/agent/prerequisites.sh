# shellcheck shell=bash

# What must be on the machine before the files: packages, users and folders.

check_requirements() {
  local command said
  for command in "${requires[@]}"; do
    said=$(bash -c "$command" 2>&1) || fail "$name on $(hostname): ${said:-this fails: $command}"
  done
}

make_prerequisites() {
  local one index difference missing=() installed
  local -A found
  if ((${#packages[@]})); then
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null) || true
    for one in "${packages[@]}"; do
      [[ $'\n'$installed$'\n' == *$'\n'"installed $one"$'\n'* ]] || missing+=("$one")
    done
    ((${#missing[@]} == 0)) || exclusively install_packages "${missing[@]}"
  fi
  for one in "${users[@]}"; do
    { getent passwd "$one" && getent group "$one"; } >/dev/null || exclusively make_user "$one"
  done
  list_files found "${directories[@]}"
  for index in "${!directories[@]}"; do
    one=${directories[index]}
    compare_directory difference "$index" "${found[$one]-}"
    [[ -n $difference ]] || continue
    make_folder "$one"
    chown "${directory_owners[index]}" "$one"
    chmod "${directory_modes[index]}" "$one"
  done
}

# A machine that has just booted may be busy with updates of its own, and an earlier run may have been cut off in the middle.
install_packages() { # NAME...
  local log one give_up=$((SECONDS + 900))
  for one in "${masks[@]}"; do
    [[ -z $(systemctl show --property=FragmentPath --value "$one") ]] || continue
    add_to_list masked "$one"
    systemctl mask --quiet "$one" 2>/dev/null
  done
  for one; do add_to_list packages "$one"; done
  umask 022
  until log=$({ use_proxies; dpkg --configure -a; apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@"; } 2>&1); do
    if [[ $log != *'Could not get lock'* ]] || ((SECONDS >= give_up)); then
      fail "kthw-node: could not install $* on $(hostname): $(tail -n 5 <<<"$log")"
    fi
    sleep 1
  done
}

make_user() { # NAME, of the user and its group
  if ! getent group "$1" >/dev/null; then
    add_to_list groups "$1"
    groupadd --system "$1"
  fi
  ! id -u "$1" >/dev/null 2>&1 || return 0
  add_to_list users "$1"
  useradd --system --gid "$1" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$1"
}
