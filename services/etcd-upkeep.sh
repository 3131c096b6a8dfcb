# shellcheck shell=bash
# Looks after the data of etcd, as the user etcd on a controller.
#
#   etcd-upkeep backup FOLDER [KEEP]   puts a verified snapshot of this machine's member there, with a text that tells what belongs to
#                                      it; only the newest KEEP stay
#   etcd-upkeep defragment PERCENT     on the leader's machine: members give back what is free in their databases, where that is PERCENT
#                                      of the database and 100 MiB at least
#   etcd-upkeep make-room              drops the history of all keys, lets every member give back what is free, and ends the alarm NOSPACE
#
# Set by the lines before these: ETCD_BINARIES, CLUSTER_NAME, KUBERNETES_VERSION.
set -euo pipefail
umask 077
export LC_ALL=C
pki=/etc/kubernetes/pki/etcd
export ETCDCTL_CACERT=$pki/ca.crt ETCDCTL_CERT=$pki/server.crt ETCDCTL_KEY=$pki/server.key
here=https://127.0.0.1:2379

fail() { # MESSAGE
  echo "$*" >&2
  exit 1
}

ctl() { # ENDPOINT WORD...
  "$ETCD_BINARIES/etcdctl" --endpoints="$1" --command-timeout="${limit:-1m}" "${@:2}"
}

# One field of a member's status.
status_of() { # ENDPOINT FIELD
  limit=10s ctl "$1" endpoint status --write-out=fields | sed -n "s/^\"$2\" : //p"
}

mib() { # BYTES
  echo "$((($1 + 524288) >> 20)) MiB"
}

backup() { # FOLDER [KEEP]
  local folder=$1 keep=${2-} time name size free all hash revision keys storage said number kept
  size=$(status_of "$here" DBSize)
  read -r free all < <(df --block-size=1 --output=avail,size "$folder" | tail -n 1)
  ((free - size >= all / 20)) ||
    fail "$folder on $(hostname): a snapshot of $(mib "$size") would leave less than a twentieth of the disk, of which $(mib "$free") are free; make room there, or lower etcd.backup.keep"
  rm -f "$folder"/.draft*
  time=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
  name=${time//[-:]/}
  said=$(limit=30m ctl "$here" snapshot save "$folder/.draft" 2>&1) || fail "$said"
  said=$("$ETCD_BINARIES/etcdutl" snapshot status --write-out=simple "$folder/.draft")
  IFS=', ' read -r hash revision keys _ <<<"$said"
  storage=${said##*, }
  cat >"$folder/$name.txt" <<END
cluster: $CLUSTER_NAME
controller: $(hostname)
taken: $time
kubernetes: $KUBERNETES_VERSION
etcd: $(status_of "$here" Version | tr -d '"')
storage: $storage
revision: $revision
keys: $keys
hash: $hash
bytes: $(stat --format=%s "$folder/.draft")
encryption: $(encryption_keys)
END
  mv "$folder/.draft" "$folder/$name.db"
  echo "$folder/$name.db"
  [[ -n $keep ]] || return 0
  kept=("$folder"/*.db)
  for ((number = 0; number < ${#kept[@]} - keep; number++)); do
    rm -f "${kept[number]}" "${kept[number]%.db}.txt"
  done
}

# The names of the keys with which Secrets are encrypted, such as aescbc/key1. Members without a quorum tell them, too.
encryption_keys() {
  ctl "$here" get --consistency=s --prefix /registry/secrets/ --print-value-only |
    sed -nE 's|^k8s:enc:([a-z]+):v[0-9]+:([^:]+):.*|\1/\2|p' | sort -u | xargs
}

# Sets arrays to the endpoints of all members, the leader's last, and to their ids; fails unless all answer and have a leader.
list_members() {
  local id state endpoint leader last='' last_id=''
  endpoints=() ids=()
  while IFS=', ' read -r id state _ _ endpoint _; do
    leader=$([[ $state != started ]] || status_of "$endpoint" Leader || true)
    [[ -n $leader && $leader != 0 ]] ||
      fail "the member ${endpoint:-$id} does not answer or has no leader; nothing is defragmented, since one more would be missing meanwhile"
    if [[ $leader == "$(status_of "$endpoint" MemberID)" ]]; then
      last=$endpoint last_id=$id
    else
      endpoints+=("$endpoint") ids+=("$id")
    fi
  done < <(ctl "$here" member list)
  [[ -z $last ]] || endpoints+=("$last") ids+=("$last_id")
}

# A member takes no requests meanwhile, so that a leader first hands on its office.
give_back() { # INDEX in the list of members
  local endpoint=${endpoints[$1]} before
  (($1 == 0 || $1 < ${#endpoints[@]} - 1)) || ctl "$endpoint" move-leader "${ids[0]}" >/dev/null
  before=$(status_of "$endpoint" DBSize)
  limit=30m ctl "$endpoint" defrag >/dev/null
  echo "$endpoint: $(mib "$before") before, $(mib "$(status_of "$endpoint" DBSize)") after"
}

defragment() { # PERCENT
  local index size free
  [[ $(status_of "$here" Leader) == "$(status_of "$here" MemberID)" ]] || return 0
  list_members
  for index in "${!endpoints[@]}"; do
    size=$(status_of "${endpoints[index]}" DBSize)
    free=$((size - $(status_of "${endpoints[index]}" DBSizeInUse)))
    if ((free >= 100 << 20 && free * 100 >= size * $1)); then give_back "$index"; fi
  done
}

make_room() {
  local index said size quota
  list_members
  said=$(ctl "$here" compact --physical "$(status_of "$here" Revision)" 2>&1) || [[ $said == *'has been compacted'* ]] || fail "$said"
  for index in "${!endpoints[@]}"; do give_back "$index"; done
  for index in "${!endpoints[@]}"; do
    size=$(status_of "${endpoints[index]}" DBSize)
    quota=$(status_of "${endpoints[index]}" DBSizeQuota)
    ((size < quota)) ||
      fail "${endpoints[index]} is still full: $(mib "$size") of $(mib "$quota"); raise etcd.quotaMiB, run make up, then this again"
  done
  ctl "$here" alarm disarm
}

case ${1-} in
  backup | defragment) "$@" ;;
  make-room) make_room ;;
  *) fail "usage: etcd-upkeep backup FOLDER [KEEP] | defragment PERCENT | make-room" ;;
esac
