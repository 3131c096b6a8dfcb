#!/bin/sh
# Waits until a machine that boots answers: answers.sh MACHINE SECONDS. KTHW_SSH is the command line that opens a shell on the machine.
end=$(($(date +%s) + $2))
until said=$(eval "$KTHW_SSH -o BatchMode=yes -o ConnectTimeout=10 true" 2>&1 </dev/null); do
  if [ "$(date +%s)" -ge "$end" ]; then
    echo "$1: no answer over SSH within $2 s, got: $(printf %s "$said" | tr -d '\r' | tr '\n' ' '); see that the jump box and the machine run" >&2
    exit 1
  fi
  sleep 3
done
