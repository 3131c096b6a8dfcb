# shellcheck shell=bash
# What the scripts of this folder share: the environment, messages, locks, and signs of life from long commands.
set -euo pipefail
# shellcheck source=install/env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$KTHW_ROOT"

# Tells the user; on stderr, so that the output of later commands stays clean.
say() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
}

fail() {
  say "$*"
  exit 1
}

[[ $KTHW_CACHE == /* ]] || fail "KTHW_CACHE: not an absolute path, got $KTHW_CACHE"
mkdir -p "$KTHW_CACHE" && mkdir -p -m 700 .state

# Makes other runs of the same script wait until this one ends, whatever clone they are of.
exclusively() {
  exec 9>"$KTHW_CACHE/.${0##*/}.lock"
  flock --nonblock 9 || {
    say "another run is at it; waiting"
    flock 9
  }
}

# Runs a long command, its output kept aside: a line every ten seconds tells that it goes on, and its end is shown if it fails.
patiently() {
  local what=$1 log line started=$SECONDS heart failed=0
  shift
  log=$(mktemp)
  say "$what"
  {
    trap 'kill $! 2>/dev/null' EXIT
    trap exit TERM
    while
      sleep 10 >/dev/null 2>&1 &
      wait $! && kill -0 $$ 2>/dev/null
    do
      line=$(tail -c 200 "$log" | tr '\r' '\n' | tail -n 1)
      say "$what: $((SECONDS - started)) s${line:+; $line}"
    done
  } 9>&- &
  heart=$!
  "$@" >"$log" 2>&1 9>&- || failed=$?
  kill "$heart"
  [ "$failed" = 0 ] || tail -n 60 "$log" >&2
  rm -f "$log"
  [ "$failed" = 0 ] || return "$failed"
  say "$what: done in $((SECONDS - started)) s"
}

# Whether a host answers, found out in at most five seconds.
reachable() {
  command -v curl >/dev/null && curl --silent --output /dev/null --connect-timeout 5 --max-time 5 "https://$1/"
}

# The files with secrets that only the project's passphrase opens.
sealed() {
  find .state/.pulumi/stacks -name '*.json' 2>/dev/null || true
  local file
  for file in Pulumi.*.yaml; do
    ! holds_secrets "$file" || echo "$file"
  done
}

# Whether a file of settings has secrets in it, as `pulumi config set --secret` writes them.
holds_secrets() {
  grep --quiet --no-messages --word-regexp 'secure:' "$1"
}

# A setting of the stack whose value is one word; nothing if it is left out.
setting() { # NAME
  sed -nE "s/^ +kthw:$1: *[\"']?([a-z0-9.]+)[\"']? *(#.*)?$/\1/p" "Pulumi.${STACK:-local}.yaml" 2>/dev/null || true
}

# The stack's platform.
platform() {
  local name
  name=$(setting platform)
  echo "${name:-local}"
}

# Whether the stack's machines are containers on this computer.
makes_machines() {
  [ "$(platform)" = local ]
}
