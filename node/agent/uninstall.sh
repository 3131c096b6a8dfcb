# shellcheck shell=bash

# Removes what all services had in common. Its standard input is of no use to it, but is read, because its writer expects that.
uninstall() {
  local kind left one file masked=() users=() groups=() kept=() packages=()
  cat >/dev/null
  # Services that failed or were cut off when they were to be made: only their records tell of them.
  for kind in service bundle; do
    for left in "$state/${kind}s"/*; do
      [[ -d $left ]] || continue
      if [[ -f $left/applied ]]; then (remove) <"$left/applied"; else (remove) <<<"$kind ${left##*/}"; fi
    done
  done
  for one in masked users groups kept packages; do read_list "$one"; done
  for one in "${masked[@]}"; do
    systemctl unmask --quiet "$one" 2>/dev/null || true
    systemctl disable --quiet "$one" 2>/dev/null || true
  done
  # What was left behind by one service may have gone with another.
  ((${#kept[@]} == 0)) ||
    mapfile -t kept < <(find "${kept[@]}" -maxdepth 0 -type d ! -empty 2>/dev/null)
  for one in "${kept[@]}"; do echo "kept on $(hostname): $one"; done
  for one in "${users[@]}"; do
    file=
    ((${#kept[@]} == 0)) || file=$(find "${kept[@]}" -user "$one" -print -quit 2>/dev/null)
    if [[ -z $file ]]; then userdel "$one" || true; else echo "kept on $(hostname): the user $one, to whom $file belongs"; fi
  done
  # A group cannot be removed that is the own group of a user who stays.
  for one in "${groups[@]}"; do groupdel "$one" 2>/dev/null || true; done
  if ((${#packages[@]})); then
    apt-mark auto "${packages[@]}" >/dev/null || true
    echo "kept on $(hostname): the packages ${packages[*]}, which apt-get autoremove removes unless something else needs them"
  fi
  find /usr/local/bin -lname "$binaries/*" -delete
  rm -rf --one-file-system "$binaries" "$state"/{services,bundles,folders,masked,users,groups,kept,packages} /usr/local/bin/kthw-node
  # Machines of the host's own may be in the same folder.
  rmdir "$state" 2>/dev/null || true
}
