# shellcheck shell=bash

# Files and folders: how they are read, compared with the description, written and removed, and what is recorded of them. Below
# $state are
#   services/NAME/, bundles/NAME/   placed: the paths that an apply has placed, be it one that was cut off;
#                                   applied: the last description that was applied, of a service;
#                                   started: the digest with which the service was started, after the word `texts`; without
#                                   the word, the digest is an earlier agent's, of modes and owners, too;
#                                   current: the link to the folder of a bundle's files, which is named by a hash
#   folders/                        a file for each folder that was made here, with % for / in its name
#   masked, users, groups, packages, kept   one name a line: what was not there before, and folders that outlived their service

# One run at a time for the same service: a run whose connection was cut off may still be at work, or may have removed what it had locked.
lock_records() {
  until [[ $records -ef /dev/fd/8 ]]; do
    [[ -d $records ]] || (umask 066 && mkdir -p "$records")
    exec 8<"$records"
    flock 8
  done
}

# Runs a command while no other service runs one this way.
exclusively() { # COMMAND...
  (flock 9 && "$@") 9<"$state"
}

# Sets a variable to what a file holds, or to nothing.
read_file() { # VARIABLE FILE
  printf -v "$1" ''
  [[ ! -f $2 ]] || IFS= read -r -d '' "$1" <"$2" || true
}

write_record() { # FILE TEXT
  local former
  read_file former "$1"
  [[ $former == "$2" ]] && return
  printf %s "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

# Adds what was not there before to a list, so that it can go in the end.
add_to_list() { # LIST WORD
  grep -qxF "$2" "$state/$1" 2>/dev/null || echo "$2" >>"$state/$1"
}

# Sets the array of a list's name to what the list holds.
read_list() { # LIST
  mapfile -t "$1" < <(cat "$state/$1" 2>/dev/null)
}

# Sets an associative array to what there is at each path: type, mode, owner, size, and of a link its target.
list_files() { # ARRAY PATH...
  local -n listed=$1
  local path rest
  listed=()
  shift
  (($#)) || return 0
  # shellcheck disable=SC2004 # it is an associative array
  while read -r path rest; do listed[$path]=$rest; done < <(find "$@" -prune -printf '%p %y 0%m %u:%g %s%l\n' 2>/dev/null)
}

# Sets a variable to how the file at a path, of which list_files found this, differs from a described file: nothing, or a few words.
compare_file() { # VARIABLE INDEX PATH FOUND
  local held
  case $4 in
    'f '*" ${#texts[$2]}")
      read_file held "$3"
      if [[ $held != "${texts[$2]}" ]]; then
        printf -v "$1" content
      elif [[ $4 == "f ${modes[$2]} ${owners[$2]} "* ]]; then
        printf -v "$1" ''
      else
        printf -v "$1" 'mode or owner'
      fi
      ;;
    'f '*) printf -v "$1" content ;;
    *) printf -v "$1" missing ;;
  esac
}

compare_directory() { # VARIABLE INDEX FOUND
  case $3 in
    "d ${directory_modes[$2]} ${directory_owners[$2]} "*) printf -v "$1" '' ;;
    'd '*) printf -v "$1" 'mode or owner' ;;
    *) printf -v "$1" missing ;;
  esac
}

is_link_to() { # TARGET FOUND
  [[ $2 == "l 0777 root:root ${#1}$1" ]]
}

# Sets an array to what an apply has placed, be it one that was cut off, and the description does not list.
find_superfluous() { # ARRAY
  local -n surplus=$1
  local path placed=()
  surplus=()
  [[ -f $records/placed ]] || return 0
  mapfile -t placed <"$records/placed"
  for path in "${placed[@]}"; do
    [[ " ${paths[*]} ${directories[*]} ${surplus[*]} " == *" $path "* ]] || surplus+=("$path")
  done
}

# Whether another service or bundle lists a path, too.
is_listed_elsewhere() { # PATH
  local other placed
  for other in "$state"/{services,bundles}/*/placed; do
    read_file placed "$other"
    [[ $other == "$records/placed" || $'\n'$placed != *$'\n'"$1"$'\n'* ]] || return 0
  done
  return 1
}

# Folders that are made here are recorded, so that they go when they are empty and no description lists them any more.
make_folder() { # PATH
  [[ -n $1 && ! -d $1 ]] || return 0
  make_folder "${1%/*}"
  : >"$state/folders/${1//\//%}"
  (umask 022 && mkdir -p "$1")
}

# Sets a variable to the path at which a file is written before it is renamed to its own.
draft_of() { # VARIABLE PATH
  printf -v "$1" %s "${2%/*}/.${2##*/}.kthw"
}

# Gives files the owners and modes of described files, all that are alike in one go.
give_rights() { # ARRAY of files by the indices of the described files
  local -n given=$1
  local index rights alike
  local -A kinds=()
  for index in "${!given[@]}"; do kinds["${owners[index]} ${modes[index]}"]=; done
  for rights in "${!kinds[@]}"; do
    alike=()
    for index in "${!given[@]}"; do
      [[ "${owners[index]} ${modes[index]}" != "$rights" ]] || alike+=("${given[index]}")
    done
    chown "${rights% *}" "${alike[@]}"
    chmod "${rights#* }" "${alike[@]}"
  done
}

# Removes a file or an empty folder that was placed here, the unit that it is, and the folders above it that were made for it.
remove_file() { # PATH
  local path=$1 draft
  ! is_listed_elsewhere "$path" || return 0
  if [[ ! -d $path || -L $path ]]; then
    [[ $path != "$units"/* || ${path#"$units"/} == */* ]] || stop_unit "${path##*/}"
    draft_of draft "$path"
    rm -f "$path" "$draft"
    path=${path%/*}
  fi
  while [[ -n $path && -e $state/folders/${path//\//%} ]] && ! is_listed_elsewhere "$path"; do
    [[ ! -d $path ]] || rmdir "$path" 2>/dev/null || break
    rm -f "$state/folders/${path//\//%}"
    path=${path%/*}
  done
}
