#!/usr/bin/env bash
# Removes the Nodes from the cluster that were listed at the last run and no longer are: each is cordoned, drained and deleted.
# Runs on the operator's computer.
# Environment: NODES (names); DRAIN_TIMEOUT (seconds that a drain may take); PULUMI_COMMAND_STDOUT (the names at the last run).
# Standard input: a kubeconfig. Standard output: the names.
set -euo pipefail

fail() {
  echo "$*" >&2
  exit 1
}

credentials=$(mktemp)
cordoned=()
drainer=
# Nodes that were not deleted take Pods again: with the former settings, this script would not run again.
restore() {
  [[ -z $drainer ]] || kill "$drainer" 2>/dev/null || true
  ((${#cordoned[@]} == 0)) || kube uncordon "${cordoned[@]}" >&2 || true
  rm -f "$credentials"
}
trap restore EXIT
trap 'exit 130' INT TERM
cat >"$credentials"

# At an interruption, Pulumi kills only the parent of this script.
check_interrupted() {
  kill -0 "$PPID" 2>/dev/null || fail "interrupted"
}

command -v kubectl >/dev/null ||
  fail "kubectl: not found on this computer; it drains Nodes before their machines go: install it, or run \`make shell\`, which has it"

kube() {
  kubectl --kubeconfig="$credentials" --request-timeout=10s "$@"
}

# Whether the kubelet has stopped reporting, so that Kubernetes takes the Node for dead.
dead() { # NODE
  [[ $(kube get node "$1" --output='jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) == Unknown ]]
}

drain() { # NODE; status 2: the Node is dead
  local status=0
  check_interrupted
  ! dead "$1" || return 2
  kubectl --kubeconfig="$credentials" drain "$1" --ignore-daemonsets --delete-emptydir-data --force \
    --timeout="${DRAIN_TIMEOUT}s" </dev/null >&2 &
  drainer=$!
  while kill -0 "$drainer" 2>/dev/null; do
    if dead "$1"; then
      kill "$drainer" 2>/dev/null || true
      wait "$drainer" || true
      drainer=
      return 2
    fi
    for _ in {1..10}; do
      check_interrupted
      ! kill -0 "$drainer" 2>/dev/null || sleep 0.2
    done
  done
  wait "$drainer" || status=1
  drainer=
  return "$status"
}

forget() { # NODE; a deleted Node is not to be uncordoned
  local node kept=()
  for node in "${cordoned[@]}"; do [[ $node == "$1" ]] || kept+=("$node"); done
  cordoned=("${kept[@]}")
}

drain_or_give_up() { # NODE
  local status=0
  echo "$1 leaves: draining" >&2
  drain "$1" || status=$?
  case $status in
    0) ;;
    2)
      # No kubelet reports that the Pods have ended, so that they would stay for minutes.
      echo "$1 is dead: its pods are given up" >&2
      kube delete pods --all-namespaces --field-selector="spec.nodeName=$1" --force --grace-period=0 >&2
      ;;
    *)
      fail "$1: not drained within $DRAIN_TIMEOUT s; these pods are still on it:
$(kube get pods --all-namespaces --field-selector="spec.nodeName=$1" || true)
These disruption budgets hold pods back:
$(kube get poddisruptionbudgets --all-namespaces || true)
The node stays and takes pods again; let the pods go (more replicas elsewhere, another budget), raise the setting drainTimeoutSeconds, or put the machine back into the settings unless it is a controller" ;;
  esac
}

leaving=() present=()
for node in ${PULUMI_COMMAND_STDOUT-}; do
  [[ " $NODES " == *" $node "* ]] || leaving+=("$node")
done
if ((${#leaving[@]})); then
  # After an update that was interrupted early, the API may take a while to answer.
  give_up=$((SECONDS + 60))
  until said=$(kube get --raw /readyz 2>&1); do
    ((SECONDS < give_up)) || fail "the API does not answer, so that ${leaving[*]} cannot be drained: $said"
    sleep 1
  done
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
  for node in "${present[@]}"; do drain_or_give_up "$node"; done
  for node in "${present[@]}"; do
    check_interrupted
    kube delete node "$node" --wait=false >&2
    forget "$node"
  done
fi
echo "$NODES"
