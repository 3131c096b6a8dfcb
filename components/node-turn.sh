#!/usr/bin/env bash
# Takes a Node out of service before its kubelet gets another minor version, and puts the Node back afterwards.
# node-turn.sh drain      cordons and drains the Node; nothing for a Node that has the version already, or does not exist yet
# node-turn.sh return     uncordons the Node; nothing for a Node that somebody else cordoned
# Runs on the operator's computer.
# Environment: NODE; VERSION (the minor version); DRAIN_TIMEOUT (seconds that a drain may take). Standard input: a kubeconfig.
set -euo pipefail
# shellcheck source=components/draining.sh
. "${BASH_SOURCE[0]%/*}/draining.sh"

# Marks a Node that this script has cordoned, also for a run after one that was killed.
mark=kthw-turn

state() {
  kube get node "$NODE" --ignore-not-found \
    --output="jsonpath={.status.nodeInfo.kubeletVersion} {.spec.unschedulable} {.metadata.annotations.$mark}"
}

await_api "$NODE cannot be drained"
found=$(state)
case $1 in
  drain)
    case $found in
      '' | ' '* | "v$VERSION."*) exit ;; # a Node without a version has no kubelet yet
      *' true ') ;; # cordoned by somebody else
      *)
        cordoned=("$NODE")
        kube annotate node "$NODE" "$mark=$VERSION" --overwrite >&2
        kube cordon "$NODE" >&2
        ;;
    esac
    ! dead "$NODE" || fail "$NODE: its kubelet does not report; mend the machine, or take it out of the settings"
    drain_or_give_up "$NODE" "gets Kubernetes $VERSION" "drain the Node by hand and run the update again"
    cordoned=()
    ;;
  return)
    [[ $found == *" true $VERSION" ]] || exit 0
    kube uncordon "$NODE" >&2
    kube annotate node "$NODE" "$mark-" >&2
    ;;
esac
