#!/usr/bin/env bash
# Records that all hosts have passed their checks, so that the hosts are not checked again.
#   checked.sh judge     fails with the findings on standard input; without any, writes the record
#   checked.sh forget    removes the record, so that the hosts are checked again
# Environment: KTHW_RECORD (the file of the record); KTHW_CHECKED (the text of the record).
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
