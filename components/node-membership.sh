#!/usr/bin/env bash
# Removes the Nodes from the cluster that were listed at the last run and no longer are: each is cordoned, drained and deleted.
# Runs on the operator's computer.
# Environment: NODES (names); DRAIN_TIMEOUT (seconds that a drain may take); PULUMI_COMMAND_STDOUT (the names at the last run).
# Standard input: a kubeconfig. Standard output: the names.
set -euo pipefail

# shellcheck source=components/draining.sh
. "${BASH_SOURCE[0]%/*}/draining.sh"

forget() { # NODE; a deleted Node is not to be uncordoned
  local node kept=()
  for node in "${cordoned[@]}"; do [[ $node == "$1" ]] || kept+=("$node"); done
  cordoned=("${kept[@]}")
}

leaving=() present=()
for node in ${PULUMI_COMMAND_STDOUT-}; do
  [[ " $NODES " == *" $node "* ]] || leaving+=("$node")
done
if ((${#leaving[@]})); then
  await_api "${leaving[*]} cannot be drained"
  for node in "${leaving[@]}"; do
    found=$(kube get node "$node" --ignore-not-found --output='jsonpath={.metadata.name} {.spec.unschedulable}')
    case $found in
      '') ;; # deleted by somebody else
      *true) present+=("$node") ;;
      *)
        present+=("$node") cordoned+=("$node")
        kube cordon "$node" >&2
        ;;
    esac
  done
  # Every Node is drained before the first is deleted, so that all can be uncordoned.
  for node in "${present[@]}"; do
    drain_or_give_up "$node" leaves "put the machine back into the settings unless it is a controller"
  done
  for node in "${present[@]}"; do
    check_interrupted
    kube delete node "$node" --wait=false >&2
    forget "$node"
  done
fi
echo "$NODES"
