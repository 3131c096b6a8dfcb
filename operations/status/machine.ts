import { etcdctl } from "../access/etcdctl.ts";
import { alarmScript } from "../etcd/controllers.ts";

/** What a machine tells of itself. */
export interface MachineStatus {
  /** Seconds since it was booted. */
  readonly up: number;
  /** Processes that ran or waited in the last minute, on average. */
  readonly load: number;
  /** Memory that is in use, in percent. */
  readonly memory: number;
  /** Space of the disk with /var/lib that is in use, in percent. */
  readonly disk: number;
  readonly services: readonly ServiceStatus[];
  /** The member of etcd on the machine; undefined if there is none or it does not answer. */
  readonly member: MemberStatus | undefined;
  /** What etcdctl says of members and alarms; empty if there is no etcd or it has no quorum. */
  readonly alarms: string;
}

/** A service as systemd has it. */
export interface ServiceStatus {
  readonly unit: string;
  /** systemd's word, such as `active` or `failed`. */
  readonly state: string;
  /** Seconds since its process was started; undefined without a process. */
  readonly age?: number;
  /** The version of the program that runs; undefined for one without a version. */
  readonly version?: string;
}

/** A member of etcd; sizes in bytes. */
export interface MemberStatus {
  readonly version: string;
  readonly size: number;
  readonly inUse: number;
  readonly quota: number;
  readonly role: "leader" | "follower" | "learner" | "without a leader";
}

/** The line behind which the output of another script begins. */
const end = "--- end of the status";

/** A bash script that prints what `readAnswer` reads and then the output of another script, and changes nothing. */
export function questionBefore(script: string): string {
  return `${question}\n${script}`;
}

const question = `
printf 'up\\t%s\\n' "$(ps -o etimes= -p 1)"
printf 'load\\t%s\\n' "$(cut -d' ' -f1 /proc/loadavg)"
sed -En 's/^(MemTotal|MemAvailable): *([0-9]+) kB$/\\1\\t\\2/p' /proc/meminfo
printf 'disk\\t%s\\n' "$(df --output=pcent /var/lib | tail -n 1)"
mapfile -t units < <(sed -sn 's/^unit //p' /var/lib/kthw/services/*/applied 2>/dev/null)
tell() {
  local age= program=
  if [ "\${pid:-0}" != 0 ]; then
    age=$(ps -o etimes= -p "$pid")
    program=$(readlink "/proc/$pid/exe")
    [[ $program != */nginx ]] || program=$("$program" -v 2>&1)
  fi
  printf 'service\\t%s\\t%s\\t%s\\t%s\\n' "$id" "$state" "$age" "$program"
}
[ \${#units[@]} = 0 ] || { systemctl show --property=Id,ActiveState,MainPID "\${units[@]}"; echo; } |
  while IFS== read -r key value; do
    case $key in
      Id) id=$value ;;
      ActiveState) state=$value ;;
      MainPID) pid=$value ;;
      '') [ -z "$id" ] || tell; id= state= pid= ;;
    esac
  done
if [ -e /var/lib/kthw/services/etcd ]; then
  ${etcdctl} --command-timeout=3s endpoint status --write-out=fields 2>/dev/null | sed 's/^/etcd\\t/'
  { ${alarmScript}; } 2>/dev/null | sed 's/^/alarms\\t/'
fi
echo '${end}'
`;

/** Reads the output of `questionBefore`: the machine's own, and the other script's. */
export function readAnswer(output: string): readonly [status: MachineStatus, rest: string] {
  const at = output.indexOf(`${end}\n`);
  if (at < 0) throw new Error(`it did not answer to the end: ${output.trim()}`);
  const lines = output
    .slice(0, at)
    .split("\n")
    .map((line) => line.split("\t"));
  const all = (word: string) =>
    lines.filter(([first]) => first === word).map(([, ...rest]) => rest);
  const number = (word: string) => Number.parseFloat(all(word)[0]?.[0] ?? "");
  const text = (word: string) =>
    all(word)
      .map((rest) => `${rest.join("\t")}\n`)
      .join("");
  const status = {
    up: number("up"),
    load: number("load"),
    memory: Math.round(100 * (1 - number("MemAvailable") / number("MemTotal"))),
    disk: number("disk"),
    services: all("service").map(readService),
    member: readMember(text("etcd")),
    alarms: text("alarms"),
  };
  return [status, output.slice(at + end.length + 1)];
}

function readService([unit = "", state = "", age = "", program = ""]: string[]): ServiceStatus {
  const version = /^\/opt\/kthw\/[^/]+\/([^/]+)\/|nginx\/(\S+)/.exec(program);
  return {
    unit,
    state,
    ...(age.trim() !== "" && { age: Number(age) }),
    ...(version && { version: version[1] ?? version[2]! }),
  };
}

function readMember(text: string): MemberStatus | undefined {
  if (text === "") return undefined;
  // Ids are greater than numbers of JavaScript can tell apart.
  const field = (name: string) => new RegExp(`^"${name}" : "?([^"\\n]*)"?$`, "m").exec(text)?.[1];
  const leader = field("Leader") ?? "0";
  const role =
    field("IsLearner") === "true"
      ? "learner"
      : leader === "0"
        ? "without a leader"
        : leader === field("MemberID")
          ? "leader"
          : "follower";
  return {
    version: field("Version") ?? "",
    size: Number(field("DBSize") ?? 0),
    inUse: Number(field("DBSizeInUse") ?? 0),
    quota: Number(field("DBSizeQuota") ?? 0),
    role,
  };
}
