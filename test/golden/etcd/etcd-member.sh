#!/bin/bash
# etcd-member start FLAG...           this machine's etcd: with its data, as a founder of the cluster, or as one that joins it
# etcd-member started                 once it runs
# etcd-member healthy URL,URL...      whether the members that clients reach there are healthy
# etcd-member retire-others URL...    all members but those with these peer addresses leave the cluster
set -euo pipefail
founded=/etc/etcd/founded-${ETCD_GENERATION-}
joining=/etc/etcd/joining
export ETCDCTL_CACERT=/etc/kubernetes/pki/etcd/ca.crt ETCDCTL_CERT=/etc/kubernetes/pki/etcd/server.crt ETCDCTL_KEY=/etc/kubernetes/pki/etcd/server.key

# A member other than this one that answers.
healthy_member() {
  local name peer client
  while read -r name peer client; do
    if [[ $name != "$ETCD_NAME" ]] &&
      "$ETCD_BINARIES/etcdctl" --endpoints="$client" --command-timeout=2s endpoint health >/dev/null 2>&1; then
      echo "$client"
      return
    fi
  done </etc/etcd/members
  return 1
}

ctl() {
  "$ETCD_BINARIES/etcdctl" --endpoints="$endpoint" --command-timeout=10s "$@"
}

# The id of this machine's entry in the member list.
own_id() {
  ctl member list | awk -F', ' -v peer="$ETCD_PEER_URL" '$4 == peer { print $1 }'
}

join() {
  local entry added
  until endpoint=$(healthy_member); do
    echo "no other member answers; to start a new cluster from a snapshot, raise etcd.generation" >&2
    sleep 1
  done
  entry=$(own_id)
  if [[ -d /var/lib/etcd/member ]]; then
    # It was cut off while it was catching up.
    [[ -z $entry || ! -e $joining ]] || return 0
    mv /var/lib/etcd/member "/var/lib/etcd/member.$(date +%Y%m%d-%H%M%S)"
  fi
  [[ -z $entry ]] || ctl member remove "$entry"
  until added=$(ctl member add "$ETCD_NAME" --learner --peer-urls="$ETCD_PEER_URL"); do sleep 1; done
  eval "$(grep '^ETCD_INITIAL_CLUSTER=' <<<"$added")"
  export ETCD_INITIAL_CLUSTER ETCD_INITIAL_CLUSTER_STATE=existing
  touch "$joining"
}

# A learner follows the cluster without a vote until it has caught up.
promote() {
  local entry
  until endpoint=$(healthy_member); do sleep 1; done
  until [[ $(ctl member list | awk -F', ' -v peer="$ETCD_PEER_URL" '$4 == peer { print $6 }') == false ]]; do
    entry=$(own_id)
    ctl member promote "$entry" || sleep 0.5
  done
}

# Those that do not answer go first: so there are never fewer that do than are needed. etcd itself refuses what would break it.
# None that leaves remains the leader: without an election, no request is lost.
retire_others() {
  local endpoint=https://127.0.0.1:2379 members id status name peer client heir='' dead=() alive=()
  members=$(ctl member list)
  while IFS=', ' read -r id status name peer client _; do
    if [[ " $* " == *" $peer "* ]]; then
      heir=$id
    elif [[ $status == started ]] && endpoint=$client ctl endpoint health >/dev/null 2>&1; then
      alive+=("$id $client")
    else
      dead+=("$id")
    fi
  done <<<"$members"
  for id in "${alive[@]}"; do endpoint=${id#* } ctl move-leader "$heir" >/dev/null 2>&1 || true; done
  for id in "${dead[@]}" "${alive[@]}"; do ctl member remove "${id% *}"; done
}

case $1 in
  start)
    if [[ -d /var/lib/etcd/member && ( -e $founded || -s /etc/etcd/founders ) ]]; then
      :
    elif [[ -s /etc/etcd/founders && ! -e $founded ]]; then
      ETCD_INITIAL_CLUSTER=$(cat /etc/etcd/founders)
      export ETCD_INITIAL_CLUSTER ETCD_INITIAL_CLUSTER_STATE=new ETCD_INITIAL_CLUSTER_TOKEN=kthw-$ETCD_GENERATION
    else
      join
    fi
    exec "$ETCD_BINARIES/etcd" "${@:2}"
    ;;
  started)
    [[ ! -e $joining ]] || promote
    touch "$founded"
    rm -f "$joining"
    ;;
  healthy)
    endpoint=$2
    ctl endpoint health
    ;;
  retire-others) retire_others "${@:2}" ;;
esac
