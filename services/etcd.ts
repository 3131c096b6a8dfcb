import { etcdPeer, etcdServer } from "../components/pki.ts";
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
      {
        path: `${pki}/server`,
        origin: { kind: "certificate", request: etcdServer(member) },
        owner,
      },
      { path: `${pki}/peer`, origin: { kind: "certificate", request: etcdPeer(member) }, owner },
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
    ports: [2379, 2380, 2381],
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
      Wants: "network-online.target",
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

const memberScript = `#!/bin/bash
# etcd-member start FLAG...           this machine's etcd: with its data, as a founder of the cluster, or as one that joins it
# etcd-member started                 once it runs
# etcd-member healthy URL,URL...      whether the members that clients reach there are healthy
# etcd-member retire-others URL...    all members but those with these peer addresses leave the cluster
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
  for id in "\${alive[@]}"; do endpoint=\${id#* } ctl move-leader "$heir" >/dev/null 2>&1 || true; done
  for id in "\${dead[@]}" "\${alive[@]}"; do ctl member remove "\${id% *}"; done
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
    ;;
  retire-others) retire_others "\${@:2}" ;;
esac
`;
