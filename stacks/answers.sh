#!/bin/sh
# Waits until a machine that boots answers: answers.sh MACHINE SECONDS. KTHW_SSH is the command line that opens a shell on the machine.
# KTHW_PASSPHRASES has what it asks for, if anything, for askpass.sh.
asks='-o BatchMode=yes'
if [ -n "${KTHW_PASSPHRASES-}" ]; then
  export SSH_ASKPASS=node/askpass.sh SSH_ASKPASS_REQUIRE=force
  asks='-o BatchMode=no -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no'
fi
end=$(($(date +%s) + $2))
until said=$(eval "$KTHW_SSH $asks -o ConnectTimeout=10 true" 2>&1 </dev/null); do
  if [ "$(date +%s)" -ge "$end" ]; then
    echo "$1: no answer over SSH within $2 s, got: $(printf %s "$said" | tr -d '\r' | tr '\n' ' '); see that the jump box and the machine run" >&2
    exit 1
  fi
  sleep 3
done
