#!/usr/bin/env bash
# The binaries of a mirror, unpacked once for all machines on this computer: a folder with opt/kthw in it, below each machine's own
# files. A machine fetches only what it does not find there with the right checksum.
#   binaries.sh make MIRROR    unpacks those that `kthw-node fetch` verifies, unless they are there
#   binaries.sh path MIRROR    prints the folder where they lie, whether or not they have been unpacked
# Environment, to make: KTHW_AGENT (the script kthw-node). Standard input, to make: what `kthw-node fetch` reads, with MIRROR as
# /opt/kthw-mirror.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
usage() {
  echo "usage: binaries.sh make|path MIRROR" >&2
  exit 2
}

(($# == 2)) || usage
mirror=$2
cache=${KTHW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kthw}
[[ -f $mirror/SHA256SUMS ]] || exit 0 # not a mirror
target=$(realpath -m "$cache")/binaries/$(sha256sum <"$mirror/SHA256SUMS" | cut -c1-12)

# The mounts are in a namespace of their own, and end with it.
# shellcheck disable=SC2016 # the shell there expands it
unpack='
mkdir -p "$partial"/{root,upper,work}
mount -t overlay -o "lowerdir=$base,upperdir=$partial/upper,workdir=$partial/work" kthw:binaries "$partial/root"
mkdir -p "$partial/root/opt/kthw-mirror"
mount --bind --read-only "$mirror" "$partial/root/opt/kthw-mirror"
mount -t proc proc "$partial/root/proc"
mount --rbind /dev "$partial/root/dev"
exec chroot "$partial/root" bash -c "$KTHW_AGENT" kthw-node fetch
'

# Removes what neither a machine nor a new one needs.
remove_others() {
  local other
  for other in "${target%/*}"/*; do
    [[ $other == "$target" ]] || grep -qsF "$other" /var/lib/kthw/*/machines/*/disk/base || rm -rf --one-file-system "$other"
  done
}

make() {
  local partial=$target.partial
  mkdir -p "${target%/*}"
  exec 9>"${target%/*}/.lock"
  flock 9
  if [[ -d $target ]]; then
    return
  fi
  remove_others
  export mirror partial base
  base=$("$here/rootfs.sh" path)
  unshare --mount bash -euc "$unpack" 9>&-
  mkdir "$partial/layer" "$partial/layer/opt"
  mv "$partial/upper/opt/kthw" "$partial/layer/opt/kthw"
  mv -T "$partial/layer" "$target"
  rm -rf --one-file-system "$partial"
}

case $1 in
  make) make ;;
  path) echo "$target" ;;
  *) usage ;;
esac
