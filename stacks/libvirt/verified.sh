#!/usr/bin/env bash
# A copy of a disk image whose checksum was verified, from which libvirt is given the image.
#   verified.sh fetch      copies or downloads the image, and fails if its checksum is another one
#   verified.sh forget     removes the copy
# Environment: KTHW_SOURCE (a file or an http(s) address), KTHW_SHA256, KTHW_COPY (the copy's path).
set -euo pipefail

fail() {
  echo "libvirt.image: $*" >&2
  exit 1
}

fetch() {
  local partial=$KTHW_COPY.partial sum
  mkdir -p "${KTHW_COPY%/*}"
  # shellcheck disable=SC2064 # the path is known now
  trap "rm -f '$partial'" EXIT
  case $KTHW_SOURCE in
    http://* | https://*)
      curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 60 --output "$partial" "$KTHW_SOURCE" ||
        fail "not to be had, got $KTHW_SOURCE; see what curl says above"
      ;;
    *)
      [ -r "$KTHW_SOURCE" ] || fail "no such file, got $KTHW_SOURCE; put the image there, or name another one"
      cp --reflink=auto --sparse=always "$KTHW_SOURCE" "$partial"
      ;;
  esac
  sum=$(sha256sum <"$partial" | cut -d ' ' -f 1)
  [ "$sum" = "$KTHW_SHA256" ] || fail "$KTHW_SOURCE has another checksum than $KTHW_SHA256, got $sum; take the image anew, or correct libvirt.image.sha256"
  mv "$partial" "$KTHW_COPY"
}

case ${1:-} in
  fetch) fetch ;;
  forget) rm -f "$KTHW_COPY" ;;
  *) fail "usage: verified.sh fetch|forget" ;;
esac
