#!/usr/bin/env bash
# Whether all hosts have passed their checks; if so that is written down, so that they are not checked again.
#   checked.sh judge     fails with all that is wrong, from standard input
#   checked.sh forget    they are to be checked again
# Environment: KTHW_RECORD (the file); KTHW_CHECKED (what stands in it then).
set -euo pipefail
findings=$(cat)
case ${1-} in
  judge)
    if [[ -n $findings ]]; then
      rm -f "$KTHW_RECORD"
      echo "$findings" >&2
      exit 1
    fi
    mkdir -p "${KTHW_RECORD%/*}"
    printf '%s\n' "$KTHW_CHECKED" >"$KTHW_RECORD"
    ;;
  forget) rm -f "$KTHW_RECORD" ;;
  *)
    echo "usage: checked.sh judge|forget" >&2
    exit 2
    ;;
esac
