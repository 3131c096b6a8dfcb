import { etcdPeer, etcdServer } from "../components/pki.ts";
import { finalStatus } from "../node/gate-limit.ts";
import type { ClusterFacts, MachineFacts } from "./cluster-facts.ts";
import { backupFolder, upkeepFiles } from "./etcd-upkeep.ts";
import type { Service } from "./service.ts";
import { commandLine, unit } from "./systemd.ts";
import { cipherSuites } from "./tls.ts";

/** The URL at which clients reach a member. */
export function etcdClientUrl({ address }: { readonly address: string }): string {
  return `https://${address}:2379`;
}

/** The URL at which other members reach a member. */
function etcdPeerUrl({ address }: { readonly address: string }): string {
  return `https://${address}:2380`;
}

/** The value of `--initial-cluster` for members that start a cluster together. */
export function initialCluster(members: readonly MachineFacts[]): string {
  return members.map((member) => `${member.name}=${etcdPeerUrl(member)}`).join(",");
}

/** The file with the value of `--initial-cluster` on a founder of the cluster; empty on a member that joins. */
const foundersPath = "/etc/etcd/founders";

const pki = "/etc/kubernetes/pki/etcd";
const membersPath = "/etc/etcd/members";
const scriptPath = "/usr/local/libexec/kthw/etcd-member";

/** Shell command for a member's machine that succeeds when all members are healthy. */
export function membersHealthy({ controllers, folders }: ClusterFacts): string {
  return `ETCD_BINARIES=${folders.etcd} ${scriptPath} healthy ${controllers.map(etcdClientUrl).join(",")}`;
}

/** Shell command for a member's machine that removes members whose machines are no longer controllers. */
export function retireOthers({ controllers, folders }: ClusterFacts): string {
  return `ETCD_BINARIES=${folders.etcd} ${scriptPath} retire-others ${controllers.map(etcdPeerUrl).join(" ")}`;
}

/** The etcd service of one member. Only a member that joins reads the list of members, so that a change of the list restarts nothing. */
export function etcd(facts: ClusterFacts, member: MachineFacts): Service {
  const { controllers: members } = facts;
  const owner = "etcd:etcd";
  return {
    name: "etcd",
    binaries: ["etcd"],
    credentials: [
      { path: `${pki}/ca.crt`, origin: { kind: "trust", authority: "etcd-ca" } },
      // etcd reads its pairs at each handshake.
      {
        path: `${pki}/server`,
        origin: { kind: "certificate", request: etcdServer(member) },
        owner,
        live: true,
      },
      {
        path: `${pki}/peer`,
        origin: { kind: "certificate", request: etcdPeer(member) },
        owner,
        live: true,
      },
      {
        path: foundersPath,
        origin: { kind: "text", name: "founders" },
        owner,
        // A member that has data does not read the file.
        live: true,
      },
    ],
    credentialStore: { users: ["etcd"] },
    users: ["etcd"],
    directories: [
      { path: "/etc/etcd", mode: "0755", owner: "etcd:etcd" },
      { path: "/var/lib/etcd", mode: "0700", owner: "etcd:etcd" },
      { path: backupFolder, mode: "0700", owner: "etcd:etcd" },
    ],
    unit: "etcd.service",
    ports: [2379, 2380, 2381, 2382],
    clients: { 2379: ["controller"], 2380: ["controller"] },
    // A member that is full is sound: it must be able to restart with more room.
    health: "curl --fail --silent --max-time 5 'http://127.0.0.1:2381/health?exclude=NOSPACE'",
    // /var/lib/etcd and the snapshots are not listed: what etcd stores outlives the service.
    data: ["/etc/etcd"],
    ownFolders: ["/var/lib/etcd", backupFolder],
    timeoutSeconds: 180,
    files: [
      {
        path: "/etc/systemd/system/etcd.service",
        mode: "0600",
        text: etcdUnit(facts, member),
      },
      {
        path: "/etc/systemd/system/etcd-leaving.service",
        mode: "0600",
        text: leavingUnit(member, facts.folders.etcd),
        live: true,
      },
      { path: scriptPath, text: memberScript, mode: "0755" },
      {
        path: membersPath,
        mode: "0600",
        owner,
        text: members
          .map((one) => `${one.name} ${etcdPeerUrl(one)} ${etcdClientUrl(one)}\n`)
          .join(""),
        live: true,
      },
      ...upkeepFiles(facts),
    ],
  };
}

function etcdUnit({ folders, etcdGeneration, etcd }: ClusterFacts, member: MachineFacts): string {
  return unit({
    Unit: {
      Description: "etcd",
      Documentation: "https://etcd.io/docs/v3.6/",
      Wants: "network-online.target etcd-leaving.service",
      After: "network-online.target",
    },
    Service: {
      Type: "notify",
      User: "etcd",
      Environment: [
        `ETCD_BINARIES=${folders.etcd}`,
        `ETCD_GENERATION=${etcdGeneration}`,
        `ETCD_NAME=${member.name}`,
        `ETCD_PEER_URL=${etcdPeerUrl(member)}`,
      ],
      ExecStart: commandLine(`${scriptPath} start`, {
        "data-dir": "/var/lib/etcd",
        "listen-client-urls": `${etcdClientUrl(member)},https://127.0.0.1:2379`,
        "advertise-client-urls": etcdClientUrl(member),
        "listen-peer-urls": etcdPeerUrl(member),
        "initial-advertise-peer-urls": etcdPeerUrl(member),
        // On a port of its own, since HTTP beside gRPC lets watches starve: https://github.com/etcd-io/etcd/issues/15402
        "listen-client-http-urls": "https://127.0.0.1:2382",
        "listen-metrics-urls": "http://127.0.0.1:2381",
        "quota-backend-bytes": etcd.quotaMiB * 1_048_576,
        ...(etcd.compactionHours > 0 && {
          "auto-compaction-mode": "periodic",
          "auto-compaction-retention": `${etcd.compactionHours}h`,
        }),
        "client-cert-auth": true,
        "trusted-ca-file": `${pki}/ca.crt`,
        "cert-file": `${pki}/server.crt`,
        "key-file": `${pki}/server.key`,
        "peer-client-cert-auth": true,
        "peer-trusted-ca-file": `${pki}/ca.crt`,
        "peer-cert-file": `${pki}/peer.crt`,
        "peer-key-file": `${pki}/peer.key`,
        "cipher-suites": cipherSuites.join(","),
      }),
      ExecStartPost: `${scriptPath} started`,
      Restart: "always",
      RestartSec: "2",
      TimeoutStartSec: "infinity",
      LimitNOFILE: "65536",
    },
    Install: { WantedBy: "multi-user.target" },
  });
}

/**
 * The unit that stops the API server of a controller that leaves, before the controller's member leaves etcd. The unit stops before
 * etcd, and hands over the lead then.
 */
function leavingUnit(member: MachineFacts, binaries: string): string {
  return unit({
    Unit: {
      Description:
        "Stops the Kubernetes API server of a controller that leaves, and hands over etcd's lead",
      PartOf: "etcd.service",
      After: "etcd.service",
    },
    Service: {
      Environment: [`ETCD_BINARIES=${binaries}`, `ETCD_PEER_URL=${etcdPeerUrl(member)}`],
      ExecStart: `${scriptPath} await-leaving`,
      ExecStop: `${scriptPath} hand-over`,
      Restart: "always",
      RestartSec: "2",
      TimeoutStopSec: "10",
    },
  });
}

const memberScript = `#!/bin/bash
# etcd-member start FLAG...           this machine's etcd: with its data, as a founder of the cluster, or as one that joins it
# etcd-member started                 once it runs
# etcd-member healthy URL,URL...      whether the members that clients reach there are healthy
# etcd-member retire-others URL...    all controllers but those with these peer addresses leave: their API servers, then their members
# etcd-member await-leaving           waits until this controller is to leave, then does what \`leave\` does
# etcd-member leave                   stops this controller's API server
# etcd-member hand-over               another member leads, if this one does and another can: without an election, no request is lost
#
# In etcd, kthw/members/URL says that the member with this peer address is or was a controller's, and kthw/leaving/URL that it is to leave.
set -euo pipefail
founded=/etc/etcd/founded-\${ETCD_GENERATION-}
joining=/etc/etcd/joining
export ETCDCTL_CACERT=${pki}/ca.crt ETCDCTL_CERT=${pki}/server.crt ETCDCTL_KEY=${pki}/server.key

# A member other than this one that answers.
healthy_member() {
  local name peer client
  while read -r name peer client; do
    if [[ $name != "$ETCD_NAME" ]] &&
      "$ETCD_BINARIES/etcdctl" --endpoints="$client" --command-timeout=2s endpoint health >/dev/null 2>&1; then
      echo "$client"
      return
    fi
  done <${membersPath}
  return 1
}

ctl() {
  "$ETCD_BINARIES/etcdctl" --endpoints="$endpoint" --command-timeout=10s "$@"
}

# The id of this machine's entry in the member list.
own_id() {
  ctl member list | awk -F', ' -v peer="$ETCD_PEER_URL" '$4 == peer { print $1 }'
}

is_controller() { # PEER-URL
  cut -d' ' -f2 ${membersPath} | grep --quiet --line-regexp --fixed-strings -- "$1"
}

# Fails for members that are in the way: it is for their owner to remove them.
refuse() { # ID,NAME,PEER-URL...
  local one id name peer
  (($#)) || return 0
  for one; do
    IFS=, read -r id name peer <<<"$one"
    echo "etcd has the member $id\${name:+ $name} ($peer), which is no controller's; remove it: make etcdctl CMD='member remove $id'" >&2
  done
  exit ${finalStatus}
}

# Learners that were added and never started leave: there is room for one only. A learner that runs, and a voter that never
# started, keep new members out, too.
make_room() {
  local members id status name peer learner in_the_way=()
  members=$(ctl member list)
  while IFS=', ' read -r id status name peer _ learner; do
    ! is_controller "$peer" || continue
    case $status,$learner in
      unstarted,true)
        echo "removing the learner $id ($peer), which never started and is no controller's" >&2
        ctl member remove "$id" >&2
        ;;
      unstarted,* | *,true) in_the_way+=("$id,$name,$peer") ;;
    esac
  done <<<"$members"
  refuse "\${in_the_way[@]}"
}

# Writes down whose members are the program's, so that no others are removed with theirs. Where nothing is written down, all are.
claim() { # PEER-URL...
  local peers=("$@") claimed
  claimed=$(ctl get --prefix kthw/members/ --keys-only --limit=1)
  [[ -n $claimed ]] || mapfile -t -O $# peers < <(ctl member list | awk -F', ' '{ print $4 }')
  { echo && printf 'put kthw/members/%s ours\\n' "\${peers[@]}" | sort -u && printf '\\n\\n'; } | ctl txn >/dev/null
}

# Fails if members run that are no controllers' and never were.
refuse_others() {
  local members claimed id status name peer others=()
  members=$(ctl member list)
  claimed=$(ctl get --prefix kthw/members/ --keys-only)
  [[ -n $claimed ]] || return 0
  while IFS=', ' read -r id status name peer _; do
    [[ $status == unstarted ]] || is_controller "$peer" ||
      grep --quiet --line-regexp --fixed-strings "kthw/members/$peer" <<<"$claimed" || others+=("$id,$name,$peer")
  done <<<"$members"
  refuse "\${others[@]}"
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
  make_room
  claim "$ETCD_PEER_URL"
  # The controller may have been told to leave when it was here before.
  ctl del "kthw/leaving/$ETCD_PEER_URL" >/dev/null
  until added=$(ctl member add "$ETCD_NAME" --learner --peer-urls="$ETCD_PEER_URL"); do
    sleep 1
    make_room
  done
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
# None that leaves remains the leader. Their API servers stop before that.
retire_others() {
  local endpoint=https://127.0.0.1:2379 members id status name peer client one give_up heir='' dead=() alive=()
  refuse_others
  members=$(ctl member list)
  while IFS=', ' read -r id status name peer client _; do
    if [[ " $* " == *" $peer "* ]]; then
      heir=$id
    elif [[ $status == started ]] && endpoint=$client ctl endpoint health >/dev/null 2>&1; then
      alive+=("$id $client $peer")
    else
      dead+=("$id")
    fi
  done <<<"$members"
  if ((\${#alive[@]})); then
    for one in "\${alive[@]}"; do ctl put "kthw/leaving/\${one##* }" now >/dev/null; done
    # Each takes its key away once its API server has stopped, but for those that an earlier version placed.
    give_up=$((SECONDS + 25))
    until [[ -z $(ctl get --prefix kthw/leaving/ --keys-only) ]] || ((SECONDS > give_up)); do sleep 0.5; done
    ctl del --prefix kthw/leaving/ >/dev/null
  fi
  for one in "\${alive[@]}"; do
    client=\${one#* }
    endpoint=\${client% *} ctl move-leader "$heir" >/dev/null 2>&1 || true
  done
  for id in "\${dead[@]}" "\${alive[@]}"; do ctl member remove "\${id%% *}"; done
  claim "$@"
}

# A member that does not lead refuses to hand over. One that is dead has nothing to hand over.
hand_over() {
  local endpoint=https://127.0.0.1:2379 members id status peer learner
  "$ETCD_BINARIES/etcdctl" --endpoints="$endpoint" --command-timeout=2s endpoint health >/dev/null 2>&1 || return 0
  members=$(ctl member list)
  while IFS=', ' read -r id status _ peer _ learner; do
    [[ $status,$learner == started,false && $peer != "$ETCD_PEER_URL" ]] || continue
    ! ctl move-leader "$id" >/dev/null 2>&1 || return 0
  done <<<"$members"
}

case $1 in
  start)
    if [[ -d /var/lib/etcd/member && ( -e $founded || -s ${foundersPath} ) ]]; then
      :
    elif [[ -s ${foundersPath} && ! -e $founded ]]; then
      ETCD_INITIAL_CLUSTER=$(cat ${foundersPath})
      export ETCD_INITIAL_CLUSTER ETCD_INITIAL_CLUSTER_STATE=new ETCD_INITIAL_CLUSTER_TOKEN=kthw-$ETCD_GENERATION
    else
      join
    fi
    exec "$ETCD_BINARIES/etcd" "\${@:2}"
    ;;
  started)
    [[ ! -e $joining ]] || promote
    touch "$founded"
    rm -f "$joining"
    ;;
  healthy)
    endpoint=$2
    ctl endpoint health
    refuse_others
    ;;
  retire-others) retire_others "\${@:2}" ;;
  await-leaving)
    endpoint=https://127.0.0.1:2379
    [[ -z $(ctl get "kthw/leaving/$ETCD_PEER_URL" --keys-only) ]] || "$0" leave
    exec "$ETCD_BINARIES/etcdctl" --endpoints="$endpoint" watch "kthw/leaving/$ETCD_PEER_URL" -- "$0" leave
    ;;
  leave)
    [[ \${ETCD_WATCH_EVENT_TYPE-PUT} == *PUT* ]] || exit 0
    systemctl stop kube-apiserver.service
    endpoint=https://127.0.0.1:2379
    ctl del "kthw/leaving/$ETCD_PEER_URL"
    ;;
  hand-over) hand_over ;;
esac
`;
