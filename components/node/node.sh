#!/usr/bin/env bash
# kthw-node: puts services on this machine as a description on standard input says, and tells whether they are healthy.
#
#   kthw-node apply [--wait]   make the machine as described; with --wait until healthy, else everything is put back as it was
#   kthw-node check            name what differs from the description; exit status 1 if anything does
#   kthw-node remove           stop the service and remove what it placed; its data stays
#   kthw-node fetch            download, verify and unpack binaries and images
#   kthw-node import-images    give containerd the images that were fetched
#   kthw-node wait NAME...     until these services are healthy [--until COMMAND, until that succeeds too]
#
# A description is a list of header lines in column 0, each with its content below it, indented by two spaces:
#
#   service NAME | bundle NAME      first: what this is. A bundle's files (keys, certificates) change all at the same instant.
#   package NAME                    a Debian package that must be installed
#   user NAME                       a system user that must exist
#   directory PATH MODE OWNER:GROUP
#   file PATH MODE OWNER:GROUP [live]     live: read anew at each use, so that a change restarts nothing
#   unit NAME                       the systemd unit to enable and start
#   reads PATH                      a file or folder whose content counts as the service's own
#   health COMMAND                  succeeds when the service is healthy
#   reload COMMAND                  checks the new files; where it succeeds they are reloaded, without a restart
#   timeout SECONDS                 how long health may take
set -euo pipefail
umask 077
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

state=/var/lib/kthw
binaries=/opt/kthw
images=$binaries/images

fail() {
  echo "$*" >&2
  exit 1
}

# Reads a description: its headers into variables, the files' contents into numbered files of a folder, and what the running
# service depends on into the file `essence` there.
parse() { # TEXT FOLDER
  local text=$1 folder=$2 line word rest
  kind='' name='' unit='' health='' reload='' timeout=60
  packages=() users=() directories=() reads=() paths=() modes=() owners=()
  rm -rf "$folder"
  mkdir -p "$folder"
  exec 3>/dev/null 4>"$folder/essence"
  while IFS= read -r line || [[ -n $line ]]; do
    case $line in
      '  '*) printf '%s\n' "${line:2}" >&3 ;;
      '') echo >&3 ;;
      *)
        exec 3>/dev/null
        read -r word rest <<<"$line"
        case $word in
          service | bundle) kind=$word name=$rest ;;
          package) packages+=("$rest") ;;
          user) users+=("$rest") ;;
          directory) directories+=("$rest") ;;
          unit) unit=$rest ;;
          reads) reads+=("$rest") ;;
          health) health=$rest ;;
          reload) reload=$rest ;;
          timeout) timeout=$rest ;;
          file)
            local path mode owner live
            read -r path mode owner live <<<"$rest"
            paths+=("$path") modes+=("$mode") owners+=("$owner")
            exec 3>"$folder/$((${#paths[@]} - 1))"
            [[ $live == live ]] || echo "$((${#paths[@]} - 1)) $rest" >&4
            ;;
          *) fail "kthw-node: unknown header in the description: $line" ;;
        esac
        ;;
    esac
  done <"$text"
  exec 3>&- 4>&-
  [[ $name =~ ^[a-z0-9][a-z0-9.-]*$ ]] || fail "kthw-node: the description names no service or bundle"
  contents=$folder
  record=$state/${kind}s/$name
}

# The hash of all that the running service depends on.
digest() {
  local index rest
  {
    echo "$unit"
    while read -r index rest; do
      echo "$rest"
      cat "$contents/$index"
    done <"$contents/essence"
    for rest in "${reads[@]}"; do
      find -L "$rest" -type f -print0 2>/dev/null | sort -z | xargs -0r sha256sum
    done
  } | sha256sum | cut -d' ' -f1
}

# What differs between a described file and the machine's: nothing, or one word.
difference() { # INDEX PATH
  local index=$1 path=$2
  if [[ ! -f $path || -L $path ]]; then
    echo missing
  elif ! cmp -s "$contents/$index" "$path"; then
    echo content
  elif [[ $(stat -c '0%a %U:%G' "$path") != "${modes[index]} ${owners[index]}" ]]; then
    echo "mode or owner"
  fi
}

make_folder() { # PATH: made with its parents, and remembered so that `remove` can take them away
  local path=$1
  [[ -d $path ]] && return
  make_folder "$(dirname "$path")"
  mkdir -m 0755 "$path"
  echo "$path" >>"$record/folders"
}

write_file() { # INDEX PATH: atomically
  local index=$1 path=$2 beside
  beside=$(dirname "$path")/.$(basename "$path").kthw
  cp "$contents/$index" "$beside"
  chown "${owners[index]}" "$beside"
  chmod "${modes[index]}" "$beside"
  mv -fT "$beside" "$path"
}

# The paths of files that the record names and the description in force does not.
superfluous() {
  [[ -f $record/applied ]] || return 0
  comm -23 <(sed -n 's/^file \([^ ]*\) .*/\1/p' "$record/applied" | sort) <(printf '%s\n' "${paths[@]}" | sort)
}

prerequisites() {
  local one path mode owner missing=()
  for one in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$one" 2>/dev/null) == installed ]] || missing+=("$one")
  done
  if ((${#missing[@]})); then
    (
      flock 9
      apt-get update -qq
      apt-get install -y -qq --no-install-recommends "${missing[@]}"
    ) 9>"$state/packages.lock" >"$state/packages.log" 2>&1 || fail "kthw-node: could not install ${missing[*]}:" "$(tail -n 5 "$state/packages.log")"
  fi
  for one in "${users[@]}"; do
    id -u "$one" >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$one"
  done
  for one in "${directories[@]}"; do
    read -r path mode owner <<<"$one"
    make_folder "$path"
    chmod "$mode" "$path"
    chown "$owner" "$path"
  done
}

place_service() {
  local index path reload_units=
  prerequisites
  for index in "${!paths[@]}"; do
    path=${paths[index]}
    [[ -n $(difference "$index" "$path") ]] || continue
    make_folder "$(dirname "$path")"
    write_file "$index" "$path"
    [[ $path != /etc/systemd/system/* ]] || reload_units=yes
  done
  while IFS= read -r path; do
    rm -f "$path"
    [[ $path != /etc/systemd/system/* ]] || reload_units=yes
  done < <(superfluous)
  if [[ -n $unit ]] && ! systemctl is-enabled --quiet "$unit" 2>/dev/null; then
    systemctl enable --quiet "$unit" 2>/dev/null
  elif [[ -n $reload_units || ( -n $unit && $(systemctl show -P NeedDaemonReload "$unit") == yes ) ]]; then
    systemctl daemon-reload
  fi
}

# All of a bundle's paths are links through `current`, so that turning that one link changes them together.
place_bundle() {
  local index path version folder=$state/bundles/$name
  version=$(sha256sum <"$work/wanted" | cut -d' ' -f1)
  prerequisites
  mkdir -p "$folder"
  chmod 0711 "$state/bundles" "$folder"
  for index in "${!paths[@]}"; do
    path=$folder/$version${paths[index]}
    [[ -n $(difference "$index" "$path") ]] || continue
    install -d -m 0711 "$folder/$version"
    (umask 022 && mkdir -p "$(dirname "$path")")
    write_file "$index" "$path"
  done
  ln -sfn "$version" "$folder/next"
  mv -fT "$folder/next" "$folder/current"
  for path in "${paths[@]}"; do
    [[ $(readlink "$path") != "$folder/current$path" ]] || continue
    make_folder "$(dirname "$path")"
    ln -sfn "$folder/current$path" "$path"
  done
  while IFS= read -r path; do rm -f "$path"; done < <(superfluous)
  find "$folder" -mindepth 1 -maxdepth 1 -type d ! -name "$version" -exec rm -rf {} +
}

running() {
  [[ $(systemctl is-active "$unit") =~ ^(active|activating|reloading)$ ]]
}

healthy() {
  systemctl is-active --quiet "$unit" && { [[ -z $health ]] || bash -c "$health" >/dev/null 2>&1; }
}

# A service that keeps falling over will not get healthy by waiting longer.
wait_healthy() {
  local deadline=$((SECONDS + timeout))
  until healthy; do
    ((SECONDS < deadline)) || return 1
    (($(systemctl show -P NRestarts "$unit") < 5)) || return 1
    sleep 0.2
  done
}

complaint() {
  echo "$unit on $(hostname) is not healthy: ${health:-it does not run}"
  systemctl status --no-pager --full --lines=0 "$unit" || true
  journalctl --unit "$unit" --lines 20 --no-pager --output cat || true
}

# Brings the running service up to what is on the machine; 1 if it did not get there.
start() { # --wait or nothing
  local now
  [[ -n $unit ]] || return 0
  now=$(digest)
  if running && [[ $(cat "$record/started" 2>/dev/null) == "$now" ]]; then
    :
  elif [[ -n $reload ]] && running; then
    problem=$(bash -c "$reload" 2>&1) || return 1
    problem=
    systemctl reload "$unit" || return 1
  elif [[ ${1-} == --wait ]]; then
    systemctl reset-failed "$unit" 2>/dev/null || true
    timeout "$timeout" systemctl restart "$unit" || true
  else
    systemctl restart --no-block "$unit"
  fi
  echo "$now" >"$record/started"
  [[ ${1-} != --wait ]] || wait_healthy
}

apply() { # [--wait]
  local problem=
  cat >"$work/wanted"
  parse "$work/wanted" "$work/contents"
  mkdir -p "$record" "$state/bundles"
  chmod 0711 "$state"
  exec 8>"$record/lock"
  flock 8
  if [[ $kind == bundle ]]; then
    place_bundle
    grep -v '^  ' "$work/wanted" >"$record/applied.new"
    mv -f "$record/applied.new" "$record/applied"
    return
  fi
  place_service
  if ! start "${1-}"; then
    [[ -n $problem ]] || problem=$(complaint 2>&1)
    rm -f "$record/started"
    if [[ -f $record/applied ]]; then
      put_back && problem+=$'\nThe previous files are back, and the service is healthy with them.' ||
        problem+=$'\nThe previous files are back, but the service is not healthy with them either.'
    fi
    fail "$problem"
  fi
  cp "$work/wanted" "$record/applied.new"
  mv -f "$record/applied.new" "$record/applied"
}

# Undoes a change that did not get healthy: what was applied before is applied again.
put_back() {
  local problem
  cp "$record/applied" "$work/before"
  cp "$work/wanted" "$record/applied" # so that files which only the failed change had are removed
  parse "$work/before" "$work/contents"
  place_service
  cp "$work/before" "$record/applied"
  start --wait
}

check() {
  local index path found differs=0
  cat >"$work/wanted"
  parse "$work/wanted" "$work/contents"
  report() { echo "$1: $2"; differs=1; }
  for index in "${!paths[@]}"; do
    path=${paths[index]}
    if [[ $kind == bundle ]]; then
      [[ $(readlink "$path") == "$state/bundles/$name/current$path" ]] || { report "$path" missing; continue; }
      found=$(difference "$index" "$state/bundles/$name/current$path")
    else
      found=$(difference "$index" "$path")
    fi
    [[ -z $found ]] || report "$path" "$found"
  done
  while IFS= read -r path; do
    [[ ! -e $path ]] || report "$path" superfluous
  done < <(superfluous)
  [[ -z $unit ]] || running || report "$unit" "not running"
  return $differs
}

remove() {
  local path
  cat >"$work/wanted"
  parse "$work/wanted" "$work/contents"
  if [[ -n $unit && -n $(systemctl cat "$unit" 2>/dev/null) ]]; then
    systemctl disable --quiet --now "$unit" 2>/dev/null || systemctl stop "$unit"
  fi
  while IFS= read -r path; do rm -f "$path"; done < <(printf '%s\n' "${paths[@]}"; paths=(); superfluous)
  if [[ -f $record/folders ]]; then
    tac "$record/folders" | while IFS= read -r path; do rmdir "$path" 2>/dev/null || true; done
  fi
  rm -rf "$record"
  [[ -n $unit ]] || return 0
  systemctl daemon-reload
  systemctl reset-failed "$unit" 2>/dev/null || true
}

await() { # NAME... [--until COMMAND]
  local one until='' deadline=$((SECONDS + 120))
  while (($#)); do
    one=$1
    shift
    if [[ $one == --until ]]; then
      until=$1
      break
    fi
    [[ -f $state/services/$one/applied ]] || fail "kthw-node: there is no service $one on $(hostname)"
    parse "$state/services/$one/applied" "$work/contents"
    wait_healthy || fail "$(complaint 2>&1)"
  done
  [[ -n $until ]] || return 0
  until bash -c "$until" >"$work/said" 2>&1; do
    ((SECONDS < deadline)) || fail "kthw-node: still failing on $(hostname) after 120 s: $until"$'\n'"$(tail -n 20 "$work/said")"
    sleep 0.2
  done
}

download() { # URL FILE
  case $1 in
    file://*)
      [[ -r ${1#file://} ]] || fail "kthw-node: ${1#file://} is not there"
      ln -s "${1#file://}" "$2"
      ;;
    *) curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --output "$2" "$1" || fail "kthw-node: could not download $1" ;;
  esac
}

# `sha256:HEX`, or the address of a file that holds the sum.
verify() { # URL SUM FILE
  local expected=${2#sha256:} actual
  if [[ $2 != sha256:* ]]; then
    expected=$(curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 "$2" | cut -d' ' -f1) || fail "kthw-node: could not download $2"
  fi
  actual=$(sha256sum <"$3" | cut -d' ' -f1)
  [[ $actual == "$expected" ]] || fail "kthw-node: $1: checksum differs, expected $expected, got $actual; nothing of it was installed"
}

# One artifact: its headers `artifact NAME VERSION URL SUM`, and `member -> binary` lines for an archive.
fetch_artifact() { # NAME VERSION URL SUM, members on stdin
  local folder=$binaries/$1/$2 url=$3 sum=$4 temporary one member binary members=() fresh=yes
  while read -r member binary; do
    members+=("$member $binary")
    [[ $(cat "$folder/.$binary.sum" 2>/dev/null) == "$sum" && -x $folder/$binary ]] || fresh=
  done
  [[ -z $fresh ]] || return 0
  temporary=$(mktemp -d "$work/fetch.XXXXXX")
  download "$url" "$temporary/file"
  verify "$url" "$sum" "$temporary/file"
  install -d -m 0755 "$binaries" "$binaries/$1" "$folder"
  for one in "${members[@]}"; do
    read -r member binary <<<"$one"
    if [[ $member == - ]]; then
      cp --reflink=auto "$temporary/file" "$folder/.$binary.new"
    else
      tar -xOf "$temporary/file" "$member" >"$folder/.$binary.new" || fail "kthw-node: $url holds no $member"
    fi
    chmod 0755 "$folder/.$binary.new"
    mv -fT "$folder/.$binary.new" "$folder/$binary"
    echo "$sum" >"$folder/.$binary.sum"
  done
  rm -rf "$temporary"
}

fetch_image() { # NAME URL SUM
  local file temporary
  file=$images/$(basename "$2")
  [[ $(cat "$file.sum" 2>/dev/null) != "$3" || ! -f $file ]] || return 0
  temporary=$(mktemp -d "$work/fetch.XXXXXX")
  download "$2" "$temporary/file"
  verify "$2" "$3" "$temporary/file"
  install -d -m 0755 "$binaries" "$images"
  cp --reflink=auto "$temporary/file" "$file.new"
  mv -fT "$file.new" "$file"
  echo "$1" >"$file.name"
  echo "$3" >"$file.sum"
  [[ ! -S /run/containerd/containerd.sock ]] || import_image "$file"
}

import_image() { # FILE
  "$(containerd_client)" --namespace k8s.io images import "$1" >/dev/null || fail "kthw-node: containerd did not take the image $1"
}

containerd_client() {
  find "$binaries/containerd" -name ctr -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2
}

# Downloads run side by side; each that fails is told.
fetch() {
  local line word rest one two three four pending=() jobs=() job failed=
  while IFS= read -r line || [[ -n $line ]]; do
    read -r word rest <<<"$line"
    case $line in
      'artifact '*)
        read -r one two three four <<<"$rest"
        exec 3>"$work/members.${#pending[@]}"
        pending+=("fetch_artifact $one $two $three $four")
        ;;
      'image '*)
        read -r one two three <<<"$rest"
        exec 3>"$work/members.${#pending[@]}"
        pending+=("fetch_image $one $two $three")
        ;;
      'link '*)
        read -r one two <<<"$rest"
        ln -sfn "$two" "$one"
        ;;
      '  '*) echo "$word $rest" >&3 ;;
      '') ;;
      *) fail "kthw-node: unknown line: $line" ;;
    esac
  done
  exec 3>&-
  for job in "${!pending[@]}"; do
    # shellcheck disable=SC2086 # the words of a line are its arguments
    (${pending[job]} <"$work/members.$job") &
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

mkdir -p "$state" "$state/services"
chmod 0711 "$state"
for left in "$state"/work.*; do # by an interrupted run
  [[ -d /proc/${left##*.} ]] || rm -rf "$left"
done
work=$state/work.$$
mkdir "$work"
trap 'rm -rf "$work"' EXIT
verb=${1-}
shift || true
case $verb in
  apply) apply "$@" ;;
  check) check ;;
  remove) remove ;;
  fetch) fetch ;;
  import-images) import_images ;;
  wait) await "$@" ;;
  *) fail "usage: kthw-node apply [--wait] | check | remove | fetch | import-images | wait NAME..." ;;
esac
