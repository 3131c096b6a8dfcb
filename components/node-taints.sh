#!/usr/bin/env bash
# Puts taints on a Node, and takes off those that it put on in its last run and that are not to be any more: `node-taints.sh [remove]`.
# Taints of others stay. Runs on the operator's computer.
# Environment: NODE (a name); NODE_UID (another one runs this again, for a Node that was made anew); TAINTS (key=value:Effect or key:Effect); PULUMI_COMMAND_STDOUT (the taints of the last run).
# Standard input: a kubeconfig. Standard output: the taints.
set -euo pipefail

# shellcheck source=components/kube.sh
. "${BASH_SOURCE[0]%/*}/kube.sh"

[[ ${1-} != remove ]] || TAINTS=

# A taint is known by its key and effect; several values of it cannot be on a Node.
known_by() { # TAINT
  echo "${1%%[=:]*}:${1##*:}"
}

read -ra wanted <<<"$TAINTS"
read -ra former <<<"${PULUMI_COMMAND_STDOUT-}"
kept=" $(for taint in "${wanted[@]}"; do known_by "$taint"; done | tr '\n' ' ')"
for taint in "${former[@]}"; do
  name=$(known_by "$taint")
  [[ $kept != *" $name "* ]] || continue
  # Somebody else may have taken it off, or deleted the Node.
  said=$(kube taint nodes "$NODE" "$name-" 2>&1) || [[ $said == *'not found'* ]] ||
    fail "$NODE keeps the taint $taint: $said"
done
((${#wanted[@]} == 0)) || kube taint nodes "$NODE" "${wanted[@]}" --overwrite >/dev/null
echo "$TAINTS"
