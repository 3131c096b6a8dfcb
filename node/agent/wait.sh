# shellcheck shell=bash

# Waits until services are healthy, each within its own timeout, and then until a command succeeds, within the seconds that are given, or ends with
# status 78: then it is not tried again.
wait_for() { # NAME... [--within SECONDS --until COMMAND]
  local said='' attempt status give_up service services=() seconds='' command=''
  while (($#)); do
    case $1 in
      --within) seconds=$2 && shift 2 ;;
      --until) command=$2 && shift 2 ;;
      *) services+=("$1") && shift ;;
    esac
  done
  [[ -z $command || $seconds =~ ^[0-9]+$ ]] || fail "kthw-node: wait --until needs --within SECONDS, got ${seconds:-none}"
  for service in "${services[@]}"; do
    [[ -f $state/services/$service/applied ]] || fail "kthw-node: there is no service $service on $(hostname)"
    read_description <"$state/services/$service/applied"
    [[ -z $unit ]] || wait_until_healthy $((SECONDS + timeout)) || fail "$(explain_unhealthy 2>&1)"
  done
  [[ -n $command ]] || return 0
  give_up=$((SECONDS + seconds))
  until attempt=$(timeout $((give_up > SECONDS ? give_up - SECONDS : 1)) bash -c "$command" 2>&1); do
    status=$?
    # An attempt that was cut off tells less than the one before it.
    [[ $status == 124 && -n $said ]] || said=$attempt
    [[ $status != 78 ]] || fail "$attempt"
    ((SECONDS < give_up)) || fail "kthw-node: still failing on $(hostname) after $seconds s: $command"$'\n'"$(tail -n 20 <<<"$said")"
    sleep 0.5
  done
}
