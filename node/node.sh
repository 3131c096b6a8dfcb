#!/usr/bin/env bash
# kthw-node: puts services on this machine as a description on standard input says, and tells whether they are healthy.
#
#   kthw-node apply [--wait]   make the machine as described; with --wait until healthy, else what was applied before is put back
#   kthw-node check            name what differs from the description; exit status 1 if anything does
#   kthw-node remove           stop the service and remove what it placed and what it made itself; its users and packages stay
#   kthw-node uninstall        the rest that was placed goes, this program included, and what an apply that was cut off has left
#   kthw-node drop-chains NAME remove the packet filter's chains whose names begin so, and the rules that lead to them
#   kthw-node fetch            download, verify and unpack binaries and images
#   kthw-node import-images    give containerd the images that were fetched
#   kthw-node wait NAME...     until these services are healthy [--until COMMAND, until that succeeds too]
#
# Each text on standard input begins with a line `kthw VERSION` and ends with a line `end`, so that one that was cut off on its way is
# refused, before anything changes. Texts of version 1 have neither, and are understood for good: they stand in the states and on the
# machines of clusters that exist.
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
#   unit NAME                       the systemd unit to enable and start
#   reads PATH                      a file or folder whose content counts as the service's own
#   health COMMAND                  succeeds when the service is healthy
#   reload COMMAND                  checks the new files; where it succeeds they are reloaded, without a restart
#   timeout SECONDS                 how long health may take
#   teardown COMMAND                run when the service is removed, once its unit has stopped
#   data PATH                       what it makes itself when it runs, and nobody needs once it is removed
#
# What is read from a description stays in memory: it may hold keys. Nearly all that is asked of the machine is asked at once:
# starting programs is what takes time here.
set -euo pipefail
umask 077
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

version=2
state=/var/lib/kthw
binaries=/opt/kthw
images=$binaries/images
units=/etc/systemd/system

fail() {
  echo "$*" >&2
  exit 1
}

# Sets `lines` to what stands on standard input within its frame: between its version and its end.
read_lines() {
  local last
  mapfile -t lines
  ((${#lines[@]})) || fail "kthw-node: nothing stands on standard input; nothing was changed"
  [[ ${lines[0]} == 'kthw '* ]] || return 0
  [[ ${lines[0]} == "kthw $version" ]] ||
    fail "kthw-node: the text on standard input must be of a version from 1 to $version, got ${lines[0]}; nothing was changed"
  last=${lines[-1]}
  [[ $last == end ]] ||
    fail "kthw-node: the text on standard input is cut off: its last line must be end, got $last; nothing was changed"
  lines=("${lines[@]:1:${#lines[@]}-2}")
}

# Reads a description from standard input into variables.
parse() {
  local lines line word rest path mode owner into=0
  read_lines
  printf -v content '%s\n' "${lines[@]}"
  printf -v description 'kthw %s\n%send\n' "$version" "$content"
  kind='' name='' unit='' health='' reload='' timeout=60
  requires=() packages=() masks=() users=() teardowns=() data=()
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
          *) fail "kthw-node: unknown header in the description: $line" ;;
        esac
        ;;
    esac
  done
  [[ $name =~ ^[a-z0-9][a-z0-9.-]*$ ]] || fail "kthw-node: the description names no service or bundle"
  record=$state/${kind}s/$name
}

# One at a time for the same service: a run that was cut off may still be at work, and may have removed what it had locked.
lock() {
  until [[ $record -ef /dev/fd/8 ]]; do
    [[ -d $record ]] || (umask 066 && mkdir -p "$record")
    exec 8<"$record"
    flock 8
  done
}

# Sets `text` to what a file holds, or to nothing.
slurp() { # FILE
  text=
  [[ ! -f $1 ]] || IFS= read -r -d '' text <"$1" || true
}

save() { # FILE TEXT
  slurp "$1"
  [[ $text == "$2" ]] && return
  printf %s "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

# What there is now, by path: type, mode, owner, size, and of a link its target.
declare -A there
survey() { # PATH...
  local path rest
  there=()
  (($#)) || return 0
  while read -r path rest; do there[$path]=$rest; done < <(find "$@" -prune -printf '%p %y 0%m %u:%g %s%l\n' 2>/dev/null)
}

# Sets `found` to what differs between a described file and the one at a path that was surveyed: nothing, or a few words.
compare() { # INDEX PATH
  local text
  found=
  case ${there[$2]-} in
    "f ${modes[$1]} ${owners[$1]} ${#texts[$1]}")
      slurp "$2"
      [[ $text == "${texts[$1]}" ]] || found=content
      ;;
    "f ${modes[$1]} ${owners[$1]} "*) found=content ;;
    'f '*) found="mode or owner" ;;
    *) found=missing ;;
  esac
}

compare_directory() { # INDEX
  case ${there[${directories[$1]}]-} in
    "d ${directory_modes[$1]} ${directory_owners[$1]} "*) found= ;;
    'd '*) found="mode or owner" ;;
    *) found=missing ;;
  esac
}

is_link() { # PATH TARGET, of one that was surveyed
  [[ ${there[$1]-} == "l 0777 root:root ${#2}$2" ]]
}

# Sets `superfluous` to what an apply placed, be it one that was killed, and the description does not list.
find_superfluous() {
  local path placed=()
  superfluous=()
  [[ -f $record/placed ]] || return 0
  mapfile -t placed <"$record/placed"
  for path in "${placed[@]}"; do
    [[ " ${paths[*]} ${directories[*]} ${superfluous[*]} " == *" $path "* ]] || superfluous+=("$path")
  done
}

# Whether another service or bundle lists a path, too.
claimed() { # PATH
  local other text
  for other in "$state"/{services,bundles}/*/placed; do
    slurp "$other"
    [[ $other == "$record/placed" || $'\n'$text != *$'\n'"$1"$'\n'* ]] || return 0
  done
  return 1
}

beside() { # PATH: sets `beside` to where a file waits until it is complete
  beside=${1%/*}/.${1##*/}.kthw
}

# Folders that were made here are remembered, so that they go when they are empty and nobody needs them any more.
make_folder() { # PATH
  [[ -n $1 && ! -d $1 ]] || return 0
  make_folder "${1%/*}"
  : >"$state/folders/${1//\//%}"
  (umask 022 && mkdir -p "$1")
}

write_file() { # INDEX PATH: atomically
  local beside
  beside "$2"
  printf %s "${texts[$1]}" >"$beside"
  chown "${owners[$1]}" "$beside"
  chmod "${modes[$1]}" "$beside"
  mv -fT "$beside" "$2"
}

unplace() { # PATH
  local path=$1 beside
  ! claimed "$path" || return 0
  if [[ ! -d $path || -L $path ]]; then
    [[ $path != "$units"/* || ${path#"$units"/} == */* ]] || stop "${path##*/}"
    beside "$path"
    rm -f "$path" "$beside"
    path=${path%/*}
  fi
  while [[ -n $path && -e $state/folders/${path//\//%} ]] && ! claimed "$path"; do
    [[ ! -d $path ]] || rmdir "$path" 2>/dev/null || break
    rm -f "$state/folders/${path//\//%}"
    path=${path%/*}
  done
}

# What systemd knows of the unit.
declare -A unit_is
look() {
  local key value
  unit_is=()
  while IFS='=' read -r key value; do unit_is[$key]=$value; done < <(
    systemctl show --property=ActiveState,SubState,UnitFileState,NeedDaemonReload,NRestarts,Job,ConditionResult "$unit"
  )
}

running() {
  [[ ${unit_is[ActiveState]-} =~ ^(active|activating|reloading)$ ]]
}

stop() { # UNIT
  systemctl disable --quiet --no-reload --now "$1" 2>/dev/null || systemctl stop "$1" 2>/dev/null || true
  ! systemctl is-active --quiet "$1" || fail "kthw-node: $1 on $(hostname) does not stop"
  reload_systemd=yes
}

prerequisites() {
  local one index missing=() installed
  if ((${#packages[@]})); then
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null) || true
    for one in "${packages[@]}"; do
      [[ $'\n'$installed$'\n' == *$'\n'"installed $one"$'\n'* ]] || missing+=("$one")
    done
    ((${#missing[@]} == 0)) || alone install_packages "${missing[@]}"
  fi
  for one in "${users[@]}"; do
    { getent passwd "$one" && getent group "$one"; } >/dev/null || alone make_user "$one"
  done
  survey "${directories[@]}"
  for index in "${!directories[@]}"; do
    compare_directory "$index"
    [[ -n $found ]] || continue
    one=${directories[index]}
    make_folder "$one"
    chown "${directory_owners[index]}" "$one"
    chmod "${directory_modes[index]}" "$one"
  done
}

alone() { # COMMAND...: while no other service does the like
  (flock 9 && "$@") 9<"$state"
}

# A machine that has just booted may be busy with updates of its own, and an earlier run may have been cut off in the middle.
install_packages() { # NAME...
  local log one give_up=$((SECONDS + 300))
  for one in "${masks[@]}"; do
    [[ -z $(systemctl show --property=FragmentPath --value "$one") ]] || continue
    remember masked "$one"
    systemctl mask --quiet "$one" 2>/dev/null
  done
  for one; do remember packages "$one"; done
  umask 022
  until log=$({ dpkg --configure -a; apt-get update -qq; apt-get install -y -qq --no-install-recommends "$@"; } 2>&1); do
    if [[ $log != *'Could not get lock'* ]] || ((SECONDS >= give_up)); then
      fail "kthw-node: could not install $* on $(hostname): $(tail -n 5 <<<"$log")"
    fi
    sleep 1
  done
}

# Writes down what was not there before, so that it can go in the end.
remember() { # LIST WORD
  grep -qxF "$2" "$state/$1" 2>/dev/null || echo "$2" >>"$state/$1"
}

make_user() { # NAME, of the user and its group
  if ! getent group "$1" >/dev/null; then
    remember groups "$1"
    groupadd --system "$1"
  fi
  ! id -u "$1" >/dev/null 2>&1 || return 0
  remember users "$1"
  useradd --system --gid "$1" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$1"
}

# Makes the machine's files as described, and forgets what the service was started with where that is not what it reads now.
place() {
  local path
  prerequisites
  printf -v listed '%s\n' "${paths[@]}" "${directories[@]}"
  slurp "$record/placed"
  [[ $text == "$listed" ]] || printf %s "$listed" >>"$record/placed"
  find_superfluous
  reload_systemd=
  "place_$kind"
}

place_files() { # FOLDER that their paths are below, or nothing
  local index path beside
  survey "${paths[@]/#/$1}"
  for index in "${!paths[@]}"; do
    path=$1${paths[index]}
    beside "$path"
    [[ ! -e $beside ]] || rm -f "$beside"
    compare "$index" "$path"
    [[ -n $found ]] || continue
    [[ -n ${live[index]} || ! -e $record/started ]] || rm -f "$record/started"
    if [[ -n $1 ]]; then (umask 066 && mkdir -p "${path%/*}"); else make_folder "${path%/*}"; fi
    write_file "$index" "$path"
    [[ $path != "$units"/* ]] || reload_systemd=yes
  done
}

place_service() {
  local path
  place_files ''
  for path in "${superfluous[@]}"; do unplace "$path"; done
  [[ -z $unit ]] || look
  if [[ -n $unit && ${unit_is[UnitFileState]-} =~ ^(disabled)?$ ]]; then
    systemctl enable --quiet "$unit"
  elif [[ -n $reload_systemd || ${unit_is[NeedDaemonReload]-} == yes ]]; then
    systemctl daemon-reload
  fi
}

# All of a bundle's paths are links through `current`, so that turning that one link changes them together.
place_bundle() {
  local path digest
  digest=$(printf %s "$content" | sha256sum) # a here-document may go through a file
  digest=${digest%% *}
  place_files "$record/$digest"
  if [[ ! $record/current -ef $record/$version ]]; then
    ln -sfn "$digest" "$record/next"
    mv -fT "$record/next" "$record/current"
  fi
  survey "${paths[@]}"
  for path in "${paths[@]}"; do
    ! is_link "$path" "$record/current$path" || continue
    make_folder "${path%/*}"
    ln -sfn "$record/current$path" "$path"
  done
  for path in "${superfluous[@]}"; do unplace "$path"; done
  for path in "$record"/*; do
    [[ ${path##*/} =~ ^(current|placed|$digest)$ ]] || rm -rf "$path"
  done
}

# Writes down what an apply that succeeded has placed.
settle() {
  save "$record/placed" "$listed"
  [[ $kind == bundle ]] || save "$record/applied" "$description"
}

# The hash of all that the running service depends on.
digest() {
  local index
  {
    echo "$unit"
    for index in "${!paths[@]}"; do
      [[ -n ${live[index]} ]] || printf '%s\n%s' "${paths[index]} ${modes[index]} ${owners[index]}" "${texts[index]}"
    done
    ((${#reads[@]} == 0)) || find -L "${reads[@]}" -type f -exec sha256sum {} + 2>/dev/null | sort
  } | sha256sum
}

# A health command that hangs is given up and asked again.
healthy() { # SECONDS that are left
  local most=$(($1 < 5 ? $1 : 5))
  [[ ${unit_is[ActiveState]-} == active && -z ${unit_is[Job]-} ]] || return 1
  [[ -z $health ]] || { timeout -k 1 $((most > 0 ? most : 1)) bash -c "$health"; } >/dev/null 2>&1
}

# A service that keeps falling over, or that systemd does not start, will not get healthy by waiting longer.
wait_healthy() { # SECONDS at which to give up
  local first='' restarts='' well=0 enough
  while true; do
    look
    [[ $restarts == "${unit_is[NRestarts]-0}" ]] || well=0
    restarts=${unit_is[NRestarts]-0}
    first=${first:-$restarts}
    # That a process runs says little when it has only just been started, and after a reload the former one still answers.
    enough=1
    [[ ${unit_is[SubState]-} != running || (-n $health && -z $reloaded) ]] || enough=3
    if healthy $(($1 - SECONDS)); then
      ((++well < enough)) || return 0
    else
      well=0
      [[ ! ${unit_is[ActiveState]-} =~ ^(failed|inactive)$ || -n ${unit_is[Job]-} ]] || return 1
      ((restarts < first + 5 && SECONDS < $1)) || return 1
    fi
    sleep 0.5
  done
}

complaint() {
  echo "$unit on $(hostname) is not healthy: ${health:-it does not run}"
  systemctl status --no-pager --full --lines=0 "$unit" || true
  journalctl --sync || true
  journalctl --unit "$unit" --lines 20 --no-pager --output cat || true
}

# Brings the running service up to what is on the machine; 1 if it did not get there, and then `problem` may say why.
start() { # --wait or nothing
  local now text started='' give_up=$((SECONDS + timeout))
  [[ -n $unit ]] || return 0
  problem='' reloaded=''
  read -r now _ < <(digest)
  slurp "$record/started"
  if running && [[ $text == "$now" ]]; then
    :
  elif [[ -n $reload && ${unit_is[ActiveState]-} =~ ^(active|reloading)$ ]]; then
    if ! problem=$(timeout -k 1 "$timeout" bash -c "$reload" 2>&1); then
      problem="$unit on $(hostname) cannot use its new files: ${problem:-$reload}"
      return 1
    fi
    problem='' reloaded=yes
    timeout "$timeout" systemctl reload "$unit" || return 1
  else
    systemctl reset-failed "$unit" 2>/dev/null || true
    if [[ ${1-} == --wait ]]; then
      ! timeout "$timeout" systemctl restart "$unit" 2>/dev/null || started=yes
    else
      systemctl restart --no-block "$unit" || return 1
    fi
  fi
  save "$record/started" "$now"
  [[ ${1-} == --wait ]] || return 0
  if [[ -n $started ]]; then
    look
    # Its time has not come, as its own unit says.
    [[ ${unit_is[ActiveState]-} != inactive || ${unit_is[ConditionResult]-} != no ]] || return 0
  fi
  wait_healthy "$give_up"
}

meet_requirements() {
  local one said
  for one in "${requires[@]}"; do
    said=$(bash -c "$one" 2>&1) || fail "$name on $(hostname): ${said:-this fails: $one}"
  done
}

apply() { # [--wait]
  local text before
  parse
  lock
  meet_requirements
  slurp "$record/applied"
  before=$text
  place
  if [[ $kind == bundle ]] || start "${1-}"; then
    settle
    return
  fi
  rm -f "$record/started"
  [[ -n $problem ]] || problem=$(complaint 2>&1)
  echo "$problem" >&2
  [[ -n $before && $before != "$description" && $before != "$content" ]] || exit 1
  parse <"$record/applied"
  place
  start --wait || fail "The previous files are back, but the service is not healthy with them either."
  settle
  fail "The previous files are back, and the service is healthy with them."
}

check() {
  local index path target differs=0
  parse
  report() {
    echo "$1: $2"
    differs=1
  }
  survey "${directories[@]}" "${paths[@]}" "${paths[@]/#/$record/current}"
  for index in "${!directories[@]}"; do
    compare_directory "$index"
    [[ -z $found ]] || report "${directories[index]}" "$found"
  done
  for index in "${!paths[@]}"; do
    path=${paths[index]} target=$record/current${paths[index]}
    if [[ $kind == service ]]; then
      compare "$index" "$path"
    elif is_link "$path" "$target"; then
      compare "$index" "$target"
    else
      found=missing
    fi
    [[ -z $found ]] || report "$path" "$found"
  done
  find_superfluous
  for path in "${superfluous[@]}"; do
    if [[ -e $path || -L $path ]] && ! claimed "$path"; then report "$path" superfluous; fi
  done
  if [[ -n $unit ]]; then
    look
    running || report "$unit" "not running"
  fi
  return $differs
}

remove() {
  local path command
  parse
  lock
  reload_systemd=
  [[ -z $unit ]] || claimed "$units/$unit" || stop "$unit"
  for command in "${teardowns[@]}"; do tear_down "$command"; done
  for path in "${data[@]}"; do discard "$path"; done
  # Two that go at the same time would each leave to the other what both have.
  exec 9<"$state"
  flock 9
  find_superfluous
  for path in "${paths[@]}" "${directories[@]}" "${superfluous[@]}"; do unplace "$path"; done
  # What is a service's own and not listed as data outlives it: it may be worth something.
  for path in "${directories[@]}"; do
    [[ ! -d $path || -z $(find "$path" -mindepth 1 -print -quit) ]] || claimed "$path" || remember kept "$path"
  done
  rm -rf "$record"
  exec 9<&-
  [[ -n $reload_systemd ]] || return 0
  systemctl daemon-reload
  systemctl reset-failed "$unit" 2>/dev/null || true
}

# What it stops may take its time, and may be busy.
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
discard() { # PATH
  local mounts=() mount index
  [[ -e $1 || -L $1 ]] || return 0
  mapfile -t mounts < <(cut -d' ' -f2 /proc/self/mounts | grep -F "$1/" | grep "^$1/" | sort)
  for ((index = ${#mounts[@]} - 1; index >= 0; index--)); do
    printf -v mount %b "${mounts[index]}"
    umount "$mount" 2>/dev/null || umount --lazy "$mount"
  done
  if [[ ! -d $1 || -L $1 ]]; then
    claimed "$1" || rm -f "$1"
  elif [[ " ${directories[*]} " == *" $1 "* ]] || claimed "$1" || mountpoint -q "$1"; then
    find "$1" -xdev -mindepth 1 -delete
  else
    # Another service may be putting something there at this moment, which then takes it away itself.
    rm -rf --one-file-system "$1" 2>/dev/null || rm -rf --one-file-system "$1" 2>/dev/null || [[ -d $1 ]]
  fi
}

# Sets an array to the words that were remembered.
recall() { # LIST
  mapfile -t "$1" < <(cat "$state/$1" 2>/dev/null)
}

# Removes what all services had in common. Its standard input is of no use to it, but who writes it wants it to be read.
uninstall() {
  local kind left one file masked=() users=() groups=() kept=() packages=()
  cat >/dev/null
  # Nobody else knows of what failed or was cut off when it was to be made.
  for kind in service bundle; do
    for left in "$state/${kind}s"/*; do
      [[ -d $left ]] || continue
      if [[ -f $left/applied ]]; then (remove) <"$left/applied"; else (remove) <<<"$kind ${left##*/}"; fi
    done
  done
  for one in masked users groups kept packages; do recall "$one"; done
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
  # One that a user who stays has as its own cannot be removed.
  for one in "${groups[@]}"; do groupdel "$one" 2>/dev/null || true; done
  if ((${#packages[@]})); then
    apt-mark auto "${packages[@]}" >/dev/null || true
    echo "kept on $(hostname): the packages ${packages[*]}, which apt-get autoremove removes unless something else needs them"
  fi
  find /usr/local/bin -lname "$binaries/*" -delete
  rm -rf --one-file-system "$binaries" "$state"/{services,bundles,folders,masked,users,groups,kept,packages} /usr/local/bin/kthw-node
  # Machines of the host's own may be beside it.
  rmdir "$state" 2>/dev/null || true
}

drop_chains() { # NAME
  local family
  for family in iptables ip6tables; do
    ! command -v "$family" >/dev/null || "$family-save" 2>/dev/null | awk -v name="$1" '
      /^\*/ { print; count = 0 }
      /^:/ { chain = substr($1, 2); if (index(chain, name) == 1) chains[++count] = chain }
      /^-A/ && index($2, name) != 1 {
        rule = $0
        gsub(/"(\\.|[^"\\])*"/, "", rule) # comments
        if (index(rule, " -j " name) || index(rule, " -g " name)) { sub(/^-A/, "-D"); print }
      }
      /^COMMIT/ {
        for (i = 1; i <= count; i++) print "-F", chains[i]
        for (i = 1; i <= count; i++) print "-X", chains[i]
        print
      }' | "$family-restore" --noflush
  done
}

await() { # NAME... [--until COMMAND]
  local said='' attempt status give_up reloaded=
  while (($#)) && [[ $1 != --until ]]; do
    [[ -f $state/services/$1/applied ]] || fail "kthw-node: there is no service $1 on $(hostname)"
    parse <"$state/services/$1/applied"
    [[ -z $unit ]] || wait_healthy $((SECONDS + timeout)) || fail "$(complaint 2>&1)"
    shift
  done
  (($#)) || return 0
  give_up=$((SECONDS + 120))
  until attempt=$(timeout $((give_up > SECONDS ? give_up - SECONDS : 1)) bash -c "$2" 2>&1); do
    status=$?
    # What was cut off tells less than the attempt before it.
    [[ $status == 124 && -n $said ]] || said=$attempt
    ((SECONDS < give_up)) || fail "kthw-node: still failing on $(hostname) after 120 s: $2"$'\n'"$(tail -n 20 <<<"$said")"
    sleep 0.5
  done
}

get() { # URL FILE
  curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 60 --output "$2" "$1" ||
    fail "kthw-node: could not download $1"
}

# Downloads a file and verifies it: its sum is `sha256:HEX`, or the address of a file that holds it.
download() { # URL SUM FILE
  local expected=${2#sha256:} actual
  case $1 in
    file://*) cp --reflink=auto "${1#file://}" "$3" || fail "kthw-node: could not read $1" ;;
    *) get "$1" "$3" ;;
  esac
  [[ $2 == sha256:* ]] || expected=$(get "$2" -)
  # openssl is several times faster, but not everywhere
  actual=$(openssl dgst -sha256 -r "$3" 2>/dev/null || sha256sum "$3")
  [[ ${actual%% *} == "${expected%% *}" ]] ||
    fail "kthw-node: $1: checksum differs, expected ${expected%% *}, got ${actual%% *}; nothing of it was installed"
}

fetch_artifact() { # NAME VERSION URL SUM MEMBER BINARY...
  local folder=$binaries/$1/$2 url=$3 sum=$4 fetched said member text fresh=yes
  local -A members=()
  shift 4
  while (($#)); do
    members[$1]=$2
    slurp "$folder/.$2.sum"
    [[ -x $folder/$2 && $text == "$sum" ]] || fresh=
    shift 2
  done
  [[ -z $fresh ]] || return 0
  fetched=$(mktemp -d "$work/XXXXXX")
  download "$url" "$sum" "$fetched/-" # what is no archive has this one member
  [[ -v members[-] ]] || said=$(tar -xf "$fetched/-" -C "$fetched" --no-same-owner -- "${!members[@]}" 2>&1) ||
    fail "kthw-node: could not unpack $url: $said"
  install -d -m 0755 "$binaries" "${folder%/*}" "$folder"
  for member in "${!members[@]}"; do
    chmod 0755 "$fetched/$member"
    mv -fT "$fetched/$member" "$folder/${members[$member]}"
    printf %s "$sum" >"$folder/.${members[$member]}.sum"
  done
}

fetch_image() { # NAME URL SUM
  local file=$images/${2##*/} fetched text
  slurp "$file.sum"
  [[ $text != "$3" || ! -f $file ]] || return 0
  fetched=$(mktemp "$work/XXXXXX")
  download "$2" "$3" "$fetched"
  install -d -m 0755 "$binaries" "$images"
  mv -fT "$fetched" "$file"
  echo "$1" >"$file.name"
  printf %s "$3" >"$file.sum"
  [[ ! -S /run/containerd/containerd.sock ]] || import_image "$file"
}

import_image() { # FILE
  "$(containerd_client)" --namespace k8s.io images import --local --no-unpack "$1" >/dev/null || fail "kthw-node: containerd did not take the image $1"
}

containerd_client() {
  find "$binaries/containerd" -name ctr -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2
}

# Lines are `artifact NAME VERSION URL SUM`, its binaries below it as `  MEMBER BINARY` (member - is a download that is no archive);
# `image NAME URL SUM`; `link PATH TARGET`. Downloads run side by side; each that fails is told.
fetch() {
  local lines line words wanted=() jobs=() job failed=
  read_lines
  for line in "$binaries"/.work.*; do # of a run that was cut off
    [[ -d /proc/${line##*.} ]] || rm -rf "$line"
  done
  work=$binaries/.work.$$
  trap 'rm -rf "$work"' EXIT
  install -d -m 0755 "$binaries"
  mkdir "$work"
  for line in "${lines[@]}"; do
    read -ra words <<<"$line"
    case $line in
      'artifact '* | 'image '*) wanted+=("$line") ;;
      '  '*) wanted[-1]+=$line ;;
      'link '*)
        # A program of the host's own stays what it is.
        [[ -e ${words[1]} && $(readlink "${words[1]}") != "$binaries"/* ]] || ln -sfn "${words[2]}" "${words[1]}"
        ;;
      '') ;;
      *) fail "kthw-node: unknown line: $line" ;;
    esac
  done
  for line in "${wanted[@]}"; do
    read -ra words <<<"$line"
    "fetch_${words[0]}" "${words[@]:1}" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=yes; done
  [[ -z $failed ]]
}

import_images() {
  local file known
  known=$("$(containerd_client)" --namespace k8s.io images ls --quiet)
  for file in "$images"/*.name; do
    [[ -f $file ]] || continue
    grep -qxF "$(cat "$file")" <<<"$known" || import_image "${file%.name}"
  done
}

if [[ ! -d $state/folders ]]; then
  install -d -m 0711 "$state" "$state/bundles"
  mkdir -p "$state/services" "$state/folders"
fi
verb=${1-}
shift || true
case $verb in
  apply) apply "$@" ;;
  check) check ;;
  remove) remove ;;
  uninstall) uninstall ;;
  drop-chains) drop_chains "$@" ;;
  fetch) fetch ;;
  import-images) import_images ;;
  wait) await "$@" ;;
  *) fail "usage: kthw-node apply [--wait] | check | remove | uninstall | drop-chains NAME | fetch | import-images | wait NAME..." ;;
esac
