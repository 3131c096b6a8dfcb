# shellcheck shell=bash
# What the scripts share that drain Nodes; run on the operator's computer.
# Environment: DRAIN_TIMEOUT (seconds that a drain may take). Standard input: a kubeconfig.
# shellcheck source=components/kube.sh
. "${BASH_SOURCE[0]%/*}/kube.sh"

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

# At an interruption, Pulumi kills only the parent of this script.
check_interrupted() {
  kill -0 "$PPID" 2>/dev/null || fail "interrupted"
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

drain_or_give_up() { # NODE WHY WAY_OUT
  local status=0
  echo "$1 $2: draining" >&2
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
The node stays and takes pods again; let the pods go (more replicas elsewhere, another budget), raise the setting drainTimeoutSeconds, or $3" ;;
  esac
}

# After an update that was interrupted early, the API may take a while to answer.
await_api() { # WHAT_FOR
  local give_up=$((SECONDS + 60)) said
  until said=$(kube get --raw /readyz 2>&1); do
    ((SECONDS < give_up)) || fail "the API does not answer, so that $1: $said"
    sleep 1
  done
}
