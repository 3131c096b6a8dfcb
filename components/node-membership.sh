#!/usr/bin/env bash
# Lets Nodes leave the cluster that were in it at the last run and are not listed any more: each is cordoned, drained and deleted,
# before anything else of them changes. Runs on the operator's computer and asks the API.
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
# Whatever was not finished is as it was: with the former settings, nothing runs again.
give_back() {
  [[ -z $drainer ]] || kill "$drainer" 2>/dev/null || true
  ((${#cordoned[@]} == 0)) || kube uncordon "${cordoned[@]}" >&2 || true
  rm -f "$credentials"
}
trap give_back EXIT
trap 'exit 130' INT TERM
cat >"$credentials"

# Pulumi ends the shell that has started this, and nothing else, where it is interrupted.
go_on() {
  kill -0 "$PPID" 2>/dev/null || fail "interrupted"
}

command -v kubectl >/dev/null ||
  fail "kubectl: not found on this computer; it drains Nodes before their machines go: install it, or run \`make shell\`, which has it"

kube() {
  kubectl --kubeconfig="$credentials" --request-timeout=10s "$@"
}

# Whether the machine is dead, as the cluster sees it: its kubelet has not reported for a while.
dead() { # NODE
  [[ $(kube get node "$1" --output='jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) == Unknown ]]
}

drain() { # NODE; 2 if the machine is dead
  local status=0
  go_on
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
      go_on
      ! kill -0 "$drainer" 2>/dev/null || sleep 0.2
    done
  done
  wait "$drainer" || status=1
  drainer=
  return "$status"
}

forget() { # NODE: it has left, and cannot be given back
  local node kept=()
  for node in "${cordoned[@]}"; do [[ $node == "$1" ]] || kept+=("$node"); done
  cordoned=("${kept[@]}")
}

empty() { # NODE
  local status=0
  echo "$1 leaves: draining" >&2
  drain "$1" || status=$?
  case $status in
    0) ;;
    2)
      # Nobody reports that its pods have ended, so they would stay for minutes.
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
  # An update that was interrupted early may find no API yet.
  give_up=$((SECONDS + 60))
  until said=$(kube get --raw /readyz 2>&1); do
    ((SECONDS < give_up)) || fail "the API does not answer, so that ${leaving[*]} cannot be drained: $said"
    sleep 1
  done
  for node in "${leaving[@]}"; do
    found=$(kube get node "$node" --ignore-not-found --output='jsonpath={.metadata.name} {.spec.unschedulable}')
    case $found in
      '') ;; # somebody has deleted it
      *true) present+=("$node") ;;
      *)
        present+=("$node") cordoned+=("$node")
        kube cordon "$node" >&2
        ;;
    esac
  done
  # As long as none is deleted, all can be given back.
  for node in "${present[@]}"; do empty "$node"; done
  for node in "${present[@]}"; do
    go_on
    kube delete node "$node" --wait=false >&2
    forget "$node"
  done
fi
echo "$NODES"
