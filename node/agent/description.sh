# shellcheck shell=bash

# Each text on standard input begins with a line `kthw VERSION` and ends with a line `end`. A text that was cut off on its way has no
# end and is refused before anything changes. Texts of version 1 have neither line; they stand in the states and on the machines of
# clusters that exist, and are understood for good.
#
# A description is a list of header lines in column 0; a file's content stands below its header, indented by two spaces:
#
#   service NAME | bundle NAME      first: what this is. A bundle's files (keys, certificates) change all at the same instant.
#   requires COMMAND                succeeds on a machine that can run the service, else says why not; asked before anything is changed
#   package NAME                    a Debian package that must be installed
#   mask UNIT                       a unit that comes with one of the packages and is not wanted: masked, unless it was there before
#   user NAME                       a system user that must exist, and a group of that name
#   directory PATH MODE OWNER:GROUP
#   file PATH MODE OWNER:GROUP [live]     live: read anew at each use, so that a change restarts nothing
#   unit NAME                       the systemd unit to enable and start; timers among the files are enabled and started, too
#   reads PATH                      a file or folder whose content counts as the service's own
#   health COMMAND                  succeeds when the service is healthy
#   reload COMMAND                  checks the new files; where it succeeds they are reloaded, without a restart
#   timeout SECONDS                 how long it may take to get healthy
#   teardown COMMAND                run when the service is removed, once its unit has stopped
#   undo COMMAND                    likewise, and once the service has become one that is described without this line
#   data PATH                       made by the service itself when it runs, and of no use once it is removed
#
# The writer of descriptions is node/description.ts.

# The version of the texts that are written today.
version=2

# Sets an array to the lines on standard input between the first and the last, which are the text's version and end.
read_lines() { # ARRAY
  local -n all=$1
  mapfile -t all
  ((${#all[@]})) || fail "kthw-node: standard input is empty; nothing was changed"
  [[ ${all[0]} == 'kthw '* ]] || return 0
  [[ ${all[0]} == "kthw $version" ]] ||
    fail "kthw-node: the version on standard input must be one of 1 to $version, got ${all[0]}; nothing was changed"
  [[ ${all[-1]} == end ]] ||
    fail "kthw-node: standard input is cut off, its last line must be end, got ${all[-1]}; nothing was changed"
  all=("${all[@]:1:${#all[@]}-2}")
}

# Reads a description from standard input into the variables of the description: one for each header, an array where there may be
# several; `description` for the whole text as it is written today, and `content` for the lines between its first and its last; and
# `records` for the folder in which this program records what it does for the service.
read_description() {
  local lines line word rest path mode owner into=0
  read_lines lines
  printf -v content '%s\n' "${lines[@]}"
  printf -v description 'kthw %s\n%send\n' "$version" "$content"
  kind='' name='' unit='' health='' reload='' timeout=60
  requires=() packages=() masks=() users=() teardowns=() undos=() data=()
  reads=() paths=() modes=() owners=() live=() texts=()
  directories=() directory_modes=() directory_owners=()
  for line in "${lines[@]}"; do
    case $line in
      '  '* | '') texts[into]+=${line:2}$'\n' ;;
      *)
        read -r word rest <<<"$line"
        into=0
        case $word in
          service | bundle) kind=$word name=$rest ;;
          requires) requires+=("$rest") ;;
          package) packages+=("$rest") ;;
          mask) masks+=("$rest") ;;
          user) users+=("$rest") ;;
          teardown) teardowns+=("$rest") ;;
          undo) undos+=("$rest") ;;
          data) data+=("$rest") ;;
          unit) unit=$rest ;;
          reads) reads+=("$rest") ;;
          health) health=$rest ;;
          reload) reload=$rest ;;
          timeout) timeout=$rest ;;
          directory)
            read -r path mode owner <<<"$rest"
            directories+=("$path") directory_modes+=("$mode") directory_owners+=("$owner")
            ;;
          file)
            into=$((${#paths[@]} + 1)) # what belongs to no file goes to number 0
            read -r path mode owner word <<<"$rest"
            paths[into]=$path modes[into]=$mode owners[into]=$owner live[into]=$word texts[into]=
            ;;
          *) fail "kthw-node: unknown header in the description: $line; nothing was changed" ;;
        esac
        ;;
    esac
  done
  [[ $name =~ ^[a-z0-9][a-z0-9.-]*$ ]] || fail "kthw-node: the description names no service or bundle; nothing was changed"
  records=$state/${kind}s/$name
}
