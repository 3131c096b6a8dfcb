# shellcheck shell=bash

# What fetch reads is framed as a description is, with these lines in it:
#
#   artifact NAME VERSION URL SUM   binaries for $binaries/NAME/VERSION, each in a line below it:
#     MEMBER BINARY                 its path in the archive, or - for a download that is no archive, and its name
#   image NAME URL SUM              an archive of an image for containerd
#   link PATH TARGET
#
# SUM is `sha256:HEX`, or the address of a file that holds it: alone, or in lines of sums and file names. The writer is node/downloads.ts.

# The folder of downloads that are not complete.
work=

# Fetches what stands on standard input, and each failure is told.
fetch() {
  local lines
  read_lines lines
  fetch_lines
}

# Fetches what `lines` say: side by side, or one after another where services run, which the disk and the processors are for.
fetch_lines() {
  local line words wanted=() links=() jobs=() job failed='' is_in_use=
  for line in "${lines[@]}"; do
    case $line in
      'artifact '* | 'image '*) wanted+=("$line") ;;
      '  '*) wanted[-1]+=$line ;;
      'link '*) links+=("$line") ;;
      '') ;;
      *) fail "kthw-node: unknown line in the list of downloads: $line; nothing was changed" ;;
    esac
  done
  for line in "$binaries"/.work.*; do # of a run that was cut off
    [[ -d /proc/${line##*.} ]] || rm -rf "$line"
  done
  work=$binaries/.work.$$
  trap 'rm -rf "$work"' EXIT
  install -d -m 0755 "$binaries"
  mkdir "$work"
  for line in "${links[@]}"; do
    read -ra words <<<"$line"
    # A program of the host's own stays what it is.
    [[ -e ${words[1]} && $(readlink "${words[1]}") != "$binaries"/* ]] || ln -sfn "${words[2]}" "${words[1]}"
  done
  ! compgen -G "$state/services/*/applied" >/dev/null || is_in_use=yes
  for line in "${wanted[@]}"; do
    read -ra words <<<"$line"
    "fetch_${words[0]}" "${words[@]:1}" &
    if [[ -n $is_in_use ]]; then
      wait $! || failed=yes
    else
      jobs+=($!)
    fi
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=yes; done
  [[ -z $failed ]]
}

fetch_artifact() { # NAME VERSION URL SUM MEMBER BINARY...
  local folder=$binaries/$1/$2 url=$3 sum=$4 fetched said member former fresh=yes
  local -A members=()
  shift 4
  while (($#)); do
    members[$1]=$2
    read_file former "$folder/.$2.sum"
    [[ -x $folder/$2 && $former == "$sum" ]] || fresh=
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
  local file=$images/${2##*/} fetched former
  read_file former "$file.sum"
  [[ $former != "$3" || ! -f $file ]] || return 0
  fetched=$(mktemp "$work/XXXXXX")
  download "$2" "$3" "$fetched"
  install -d -m 0755 "$binaries" "$images"
  mv -fT "$fetched" "$file"
  echo "$1" >"$file.name"
  printf %s "$3" >"$file.sum"
  [[ ! -S /run/containerd/containerd.sock ]] || import_image "$file"
}

# Downloads a file and verifies it.
download() { # URL SUM FILE
  local expected=${2#sha256:} actual
  case $1 in
    file://*) cp --reflink=auto "${1#file://}" "$3" || fail "kthw-node: could not read $1" ;;
    *) request "$1" "$3" ;;
  esac
  [[ $2 == sha256:* ]] || expected=$(request "$2" - | sum_of "${1##*/}")
  # openssl is several times faster, but not everywhere
  actual=$(openssl dgst -sha256 -r "$3" 2>/dev/null || sha256sum "$3")
  [[ ${actual%% *} == "${expected%% *}" ]] ||
    fail "kthw-node: $1: checksum differs, expected ${expected%% *}, got ${actual%% *}; nothing of it was installed"
}

# Prints the sum from the text of a checksum file: a bare sum, or that in the line of a file.
sum_of() { # FILE
  awk -v file="$1" '!found && (NF == 1 || $2 == file || $2 == "*" file) { print $1; found = 1 }'
}

request() { # URL FILE
  (
    use_proxies
    curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 60 --output "$2" "$1"
  ) || fail "kthw-node: could not download $1"
}

# Lets what is run after it go through the machine's proxies, where there are any.
use_proxies() {
  [[ -f $proxies ]] || return 0
  set -a
  # shellcheck source=/dev/null
  . "$proxies"
  set +a
}

# Gives containerd the images that were fetched and that it does not have.
import_images() {
  local file known
  known=$("$(containerd_client)" --namespace k8s.io images ls --quiet 2>/dev/null) || true
  for file in "$images"/*.name; do
    [[ -f $file ]] || continue
    grep -qxF "$(cat "$file")" <<<"$known" || import_image "${file%.name}"
  done
}

# The kubelet removes unused images from a disk that gets full, but none that is pinned: nobody else may have this one.
import_image() { # FILE
  local said
  said=$("$(containerd_client)" --namespace k8s.io images import --local --no-unpack --label io.cri-containerd.pinned=pinned "$1" 2>&1) ||
    fail "kthw-node: containerd did not take the image $1: $said"
}

# Prints the path of the containerd client that was fetched last.
containerd_client() {
  find "$binaries/containerd" -name ctr -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2
}

# Names the binaries, images and links of the list on standard input that are missing, or were changed since they were fetched.
check_fetched() {
  local lines differences sums
  read_lines lines
  find_fetched_differences
  ((${#differences[@]})) || return 0
  printf '%s\n' "${differences[@]}"
  return 1
}

# Puts right what check-fetched names.
repair_fetched() {
  local lines differences sums
  read_lines lines
  find_fetched_differences
  ((${#differences[@]})) || return 0
  # Without the record of its sum, a file is fetched again.
  ((${#sums[@]} == 0)) || rm -f "${sums[@]}"
  fetch_lines
  [[ ! -S /run/containerd/containerd.sock ]] || import_images
}

# Sets `differences` to what differs from what `lines` say, and `sums` to the records of the files that do.
find_fetched_differences() {
  local line words file='' sum='' known='' asked='' difference
  differences=() sums=()
  [[ ! -S /run/containerd/containerd.sock ]] || ! known=$("$(containerd_client)" --namespace k8s.io images ls --quiet 2>/dev/null) || asked=yes
  for line in "${lines[@]}"; do
    read -ra words <<<"$line"
    case $line in
      'artifact '*) file=$binaries/${words[1]}/${words[2]} sum=${words[4]} ;;
      '  '*) compare_fetched "$file/${words[1]}" "$file/.${words[1]}.sum" "$sum" ;;
      'image '*)
        file=$images/${words[2]##*/}
        compare_fetched "$file" "$file.sum" "${words[3]}"
        [[ -z $asked ]] || grep -qxF "${words[1]}" <<<"$known" || differences+=("image ${words[1]}: missing")
        ;;
      'link '*)
        # A program of the host's own stays what it is.
        [[ $(readlink "${words[1]}") == "${words[2]}" || (-e ${words[1]} && $(readlink "${words[1]}") != "$binaries"/*) ]] ||
          differences+=("${words[1]}: missing")
        ;;
    esac
  done
}

# Adds to `differences` and `sums` if a fetched file differs. The record of its sum is written last, so that nothing but a change
# makes the file newer than the record.
compare_fetched() { # FILE RECORD SUM
  local record
  read_file record "$2"
  if [[ ! -f $1 ]]; then
    differences+=("$1: missing")
  elif [[ $record != "$3" || -n $(find "$1" -cnewer "$2") ]]; then
    differences+=("$1: content")
  else
    return 0
  fi
  sums+=("$2")
}
