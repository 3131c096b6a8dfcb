import { eventually, output, stretched, succeeded } from "../access/command.ts";
import { etcdFolder } from "../access/etcdctl.ts";
import { onMachine, upload } from "../access/shell.ts";
import type { ShellMachine } from "../access/stack.ts";
import { isNewer, type Told } from "./restorable.ts";

/** How long etcd may take to unpack a large snapshot. */
const timeoutSeconds = 1800;

/** How far the revisions of the restored data are above those of the snapshot: so clients notice that what they know is gone. */
const revisionBump = 1_000_000_000;

/** A restore of one snapshot on the controllers of a cluster. */
export interface Restore {
  /** Where the snapshot is on this computer. */
  readonly snapshot: string;
  /** The controllers on which the snapshot is restored, with what each told. */
  readonly controllers: readonly { readonly machine: ShellMachine; readonly told: Told }[];
  /** The machines that run Pods and can be reached. */
  readonly nodes: readonly ShellMachine[];
  /** The time in the names of what the restore makes, such as 20261127-150000. */
  readonly time: string;
}

/** Brings the snapshot to all controllers and unpacks it there, beside the running etcd; what is wrong is taken away again. */
export async function prepare(restore: Restore): Promise<void> {
  const { snapshot, controllers, time } = restore;
  const file = `/var/lib/etcd/restore-${time}.db`;
  const members = controllers.map(({ machine, told }) => ({
    name: machine.name,
    peer: told.members.find(({ name }) => name === machine.name)!.peer,
  }));
  try {
    await onEach(restore, (machine) =>
      upload(machine, snapshot, { path: file, owner: "etcd" }, { timeoutSeconds }),
    );
    const [first] = controllers;
    await on(first!.machine, identity(file));
    const storage = await on(first!.machine, `${binaries}\n${status(file)}`);
    if (isNewer(storage.trim(), first!.told.etcd))
      throw new Error(
        `SNAPSHOT: of a newer etcd than ${first!.machine.name} runs, got ${storage.trim()}; use a snapshot of etcd ${first!.told.etcd} or older`,
      );
    await onEach(restore, ({ name }) => {
      const flags = {
        name,
        "initial-cluster": members.map((one) => `${one.name}=${one.peer}`).join(","),
        "initial-cluster-token": `kthw-${time}`,
        "initial-advertise-peer-urls": members.find((one) => one.name === name)!.peer,
        "data-dir": `/var/lib/etcd/restored-${time}`,
        "bump-revision": revisionBump,
      };
      const words = Object.entries(flags).map(([flag, value]) => `--${flag}='${value}'`);
      return [
        binaries,
        "cd /",
        `said=$(runuser -u etcd -- "$binaries/etcdutl" snapshot restore ${file} ${words.join(" ")} --mark-compacted 2>&1) || { echo "$said" >&2; exit 1; }`,
        `rm ${file}`,
      ].join("\n");
    });
  } catch (error) {
    const away = `rm -rf ${file} ${file}.part /var/lib/etcd/restored-${time}`;
    await Promise.allSettled(controllers.map(({ machine }) => onMachine(machine, away)));
    throw error;
  }
}

/** Stops what reads or writes etcd, then etcd itself. */
export async function stop(restore: Restore): Promise<void> {
  // All that etcd has confirmed is on the disk, and the others hold nothing. Without an API server a scheduler takes a minute to end.
  const end = (units: string) =>
    `systemctl stop --no-block ${units}; systemctl kill --signal=KILL ${units}; systemctl stop ${units}`;
  await onEach(restore, () => `${apiUnits}; [ -z "$units" ] || { ${end("$units")}; }`);
  // The unit that hands over the lead stops before etcd; there is nobody to take the lead.
  await onEach(restore, () => `systemctl kill --signal=KILL etcd; ${end("etcd")}`);
}

/** Puts the restored data in the place of the data before; returns where that lies now, by machine. */
export async function swap(restore: Restore): Promise<ReadonlyMap<string, string>> {
  const { time } = restore;
  const said = await onEach(
    restore,
    () => `set -e
      cd /var/lib/etcd
      generation=$(sed -n 's/^Environment=ETCD_GENERATION=//p' /etc/systemd/system/etcd.service)
      if [ -e member ]; then mv member member.${time} && echo /var/lib/etcd/member.${time}; fi
      mv restored-${time}/member member
      rmdir restored-${time}
      # The member starts with its data: it neither founds a cluster nor joins one.
      runuser -u etcd -- touch "/etc/etcd/founded-$generation"
      rm -f /etc/etcd/joining
      sync -f .`,
  );
  return new Map([...said].flatMap(([name, text]) => (text ? [[name, text.trim()]] : [])));
}

/** Starts the members of etcd together, and waits until each is healthy. */
export async function startEtcd(restore: Restore): Promise<void> {
  await onEach(restore, () => "systemctl reset-failed etcd; systemctl start --no-block etcd");
  await onEach(restore, () =>
    until(
      "etcd",
      "curl --fail --silent --max-time 5 'http://127.0.0.1:2381/health?exclude=NOSPACE'",
    ),
  );
}

/**
 * Forgets what etcd remembers of members, which was true when the snapshot was taken: which are the program's, and which were to leave.
 * Where nothing is remembered, all are the program's, and none is to leave.
 */
export async function forgetMembers({ controllers }: Restore): Promise<void> {
  const pki = "/etc/kubernetes/pki/etcd";
  const certificates = `--cacert=${pki}/ca.crt --cert=${pki}/server.crt --key=${pki}/server.key`;
  await on(
    controllers[0]!.machine,
    `${binaries}
    "$binaries/etcdctl" --endpoints=https://127.0.0.1:2379 ${certificates} --command-timeout=30s del --prefix kthw/ >/dev/null`,
  );
}

/** Encrypts the Secrets of the snapshot by the first key: by the state all of them are, so that a later update may drop the other keys. */
export async function encryptAnew({ controllers }: Restore): Promise<void> {
  await on(
    controllers[0]!.machine,
    `rewrite=/usr/local/libexec/kthw/encryption-keys keys=/etc/kubernetes/encryption.yaml
    [ -x $rewrite ] && [ -e $keys ] || exit 0
    ${binaries}
    prefix=$(awk '$1 == "-" && $2 ~ /^(aescbc|secretbox):$/ { provider = $2 } $1 == "-" && $2 == "name:" { gsub(/"/, "", $3); print "k8s:enc:" provider "v1:" $3 ":"; exit }' $keys)
    for _ in 1 2 3 4 5; do
      if $rewrite rewrite "$binaries/etcdctl" "$prefix"; then exit 0; fi
    done
    exit 1`,
  );
}

/** Starts the API servers, and waits until each is ready. */
export async function startApi(restore: Restore): Promise<void> {
  const ready =
    "curl --fail --silent --max-time 5 --cacert /etc/kubernetes/pki/ca.crt https://127.0.0.1:6443/readyz";
  await onEach(
    restore,
    () => `[ -e /etc/systemd/system/kube-apiserver.service ] || exit 0
      systemctl reset-failed kube-apiserver; systemctl start --no-block kube-apiserver
      ${until("kube-apiserver", ready)}`,
  );
}

/**
 * Starts controller managers and schedulers anew, and the kubelets, so that Nodes that the snapshot lacks register again. Returns when the
 * kubelets started, by machine: what a Node says of an earlier moment is from the snapshot.
 */
export async function startRest(restore: Restore): Promise<ReadonlyMap<string, Date>> {
  await onEach(restore, () => `${apiUnits}; [ -z "$units" ] || systemctl start $units`);
  // Nodes tell whole seconds.
  const start = "systemctl stop kubelet; sleep 1; date --utc +%FT%TZ; systemctl start kubelet";
  const started = restore.nodes.map(
    async (machine) => [machine.name, new Date((await on(machine, start)).trim())] as const,
  );
  return new Map(await Promise.all(started));
}

/**
 * Waits until the API answers the operator and all kubelets say that their Nodes are Ready, but those of controllers that are gone; returns
 * the names of Nodes that do not get so.
 */
export async function waitForNodes(
  started: ReadonlyMap<string, Date>,
  gone: readonly string[],
): Promise<{
  readonly nodes: number;
  readonly notReady: readonly string[];
}> {
  const kubectl = (...args: string[]) => output("kubectl", [...args, "--request-timeout=5s"]);
  await eventually(() => kubectl("get", "--raw", "/readyz"), 60);
  const look = async () => {
    const { items } = JSON.parse(await kubectl("get", "nodes", "--output=json")) as {
      items: { metadata: { name: string }; status: { conditions: Condition[] } }[];
    };
    // By the snapshot, a Node whose machine is gone is Ready for a while.
    const nodes = items.filter(({ metadata }) => !gone.includes(metadata.name));
    const notReady = nodes
      .filter(({ metadata, status }) => {
        const since = started.get(metadata.name) ?? new Date(0);
        return !status.conditions.some((condition) => isReady(condition, since));
      })
      .map(({ metadata }) => metadata.name);
    return { nodes: nodes.length, notReady };
  };
  return eventually(async () => {
    const found = await look();
    if (found.notReady.length > 0) throw new Error(`${found.notReady} not Ready`);
    return found;
  }, 30).catch(look);
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastHeartbeatTime: string;
}

function isReady({ type, status, lastHeartbeatTime }: Condition, since: Date): boolean {
  return type === "Ready" && status === "True" && new Date(lastHeartbeatTime) >= since;
}

/** Sets a variable to the units that read or write etcd, as far as they have been placed. */
const apiUnits = `units=
    for unit in kube-apiserver kube-controller-manager kube-scheduler; do
      [ ! -e /etc/systemd/system/$unit.service ] || units="$units $unit"
    done`;

const binaries = `binaries=$(${etcdFolder})`;

/** Prints the version of etcd from which the data of a snapshot is; fails on a file that is none. */
function status(file: string): string {
  return `said=$("$binaries/etcdutl" snapshot status --write-out=simple ${file}) || exit 1; echo "\${said##*, }"`;
}

/**
 * Fails unless a snapshot holds a certificate of this cluster's authority, which the cluster itself publishes to each namespace. The next
 * to last line of a certificate is a part of its signature.
 */
function identity(file: string): string {
  return `
    awk '/-----END/ { print former } { former = last; last = $0 }' /etc/kubernetes/pki/ca.crt >/run/kthw-authorities
    grep --text --quiet --fixed-strings --file=/run/kthw-authorities ${file}
    found=$?
    rm /run/kthw-authorities
    [ $found = 0 ] || { echo "SNAPSHOT: of another cluster, since it has no certificate of this cluster's authority; use a snapshot of this one" >&2; exit 1; }`;
}

function until(unit: string, command: string): string {
  return `for _ in $(seq ${stretched(480)}); do
      if ${command} >/dev/null; then exit 0; fi
      sleep 0.25
    done
    systemctl status --no-pager --lines=20 ${unit} >&2
    exit 1`;
}

async function on(machine: ShellMachine, script: string): Promise<string> {
  const result = await onMachine(machine, script, { timeoutSeconds });
  if (result.code !== 0 && result.stderr.startsWith("SNAPSHOT: "))
    throw new Error(result.stderr.trim());
  return succeeded(result).stdout;
}

/** Does something on all controllers at once, a script or more; fails once all have ended, with the errors of those that failed. */
async function onEach(
  { controllers }: Restore,
  work: (machine: ShellMachine) => string | Promise<void>,
): Promise<ReadonlyMap<string, string>> {
  const ended = await Promise.allSettled(
    controllers.map(async ({ machine }) => {
      const done = work(machine);
      const said = typeof done === "string" ? await on(machine, done) : await done.then(() => "");
      return [machine.name, said] as const;
    }),
  );
  const errors = ended.flatMap((one) => (one.status === "rejected" ? [one.reason.message] : []));
  if (errors.length > 0) throw new Error(errors.join("\n"));
  return new Map(ended.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
}
