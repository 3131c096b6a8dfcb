#!/bin/sh
# Waits until a machine that has just been made answers, at most so many seconds: KTHW_SSH is the command line that opens a shell on it.
end=$(($(date +%s) + $1))
until eval "$KTHW_SSH -o BatchMode=yes -o ConnectTimeout=10 true"; do
  [ "$(date +%s)" -lt "$end" ] || exit 1
  sleep 3
done
