import { etcdFolder } from "../access/etcdctl.ts";
import type { SnapshotText } from "./snapshot.ts";

/** What a controller that can be reached tells of itself before a restore. */
export interface Told {
  /** Version of etcd. */
  readonly etcd: string;
  /** Version of Kubernetes; undefined where no API server was placed yet. */
  readonly kubernetes: string | undefined;
  readonly freeBytes: number;
  /** The members as the last update listed them: name, URL for other members. */
  readonly members: readonly { readonly name: string; readonly peer: string }[];
  /** The names of the encryption keys; none where no API server was placed yet. */
  readonly keys: readonly string[];
}

/** A script that lets a controller tell that of itself, in lines that `readTold` reads. */
export const tellScript = `
  [ -e /etc/systemd/system/etcd.service ] || { echo "etcd has not been placed there; run make up first" >&2; exit 1; }
  binaries=$(${etcdFolder})
  echo "etcd $($binaries/etcdutl version | sed -n 's/^etcdutl version: //p')"
  sed -n 's|.*/kubernetes/\\([0-9.]*\\)/kube-apiserver.*|kubernetes \\1|p' /etc/systemd/system/kube-apiserver.service 2>/dev/null
  echo "free $(df --block-size=1 --output=avail /var/lib/etcd | tail -n 1)"
  sed 's/^/member /' /etc/etcd/members
  sed -nE 's/^ *-? *name: *"?([^"]*)"?$/key \\1/p' /etc/kubernetes/encryption.yaml 2>/dev/null
  true`;

/** Reads the output of `tellScript`. */
export function readTold(output: string): Told {
  const rests = (word: string) =>
    [...output.matchAll(new RegExp(`^${word} +(.*)$`, "gm"))].map(([, rest = ""]) => rest.trim());
  return {
    etcd: rests("etcd")[0] ?? "",
    kubernetes: rests("kubernetes")[0],
    freeBytes: Number(rests("free")[0] ?? 0),
    members: rests("member").map((line) => {
      const [name = "", peer = ""] = line.split(" ");
      return { name, peer };
    }),
    keys: rests("key"),
  };
}

/** A snapshot that is to be restored. */
export interface Candidate extends SnapshotText {
  readonly path: string;
  readonly bytes: number;
}

/** Why a snapshot cannot be restored on controllers, a line for each reason; what cannot be reached or told is no reason here. */
export function hindrances(
  { path, bytes, kubernetes, encryption }: Candidate,
  told: ReadonlyMap<string, Told>,
  without: readonly string[],
): string[] {
  const wrong: string[] = [];
  // The data before stays, and the snapshot lies beside what is made of it.
  const needed = bytes * 3;
  const expected = [...told.keys(), ...without].sort().join(", ");
  for (const [name, { freeBytes, members, ...machine }] of told) {
    if (freeBytes < needed)
      wrong.push(
        `${name}: too little free space in /var/lib/etcd, got ${mib(freeBytes)} MiB; make room for ${mib(needed)} MiB`,
      );
    const listed = members.map((member) => member.name).sort();
    if (listed.join(", ") !== expected)
      wrong.push(
        `${name}: lists other members than the stack has, got ${listed.join(", ")}; run make up first, so that it lists ${expected}`,
      );
    if (kubernetes && machine.kubernetes && isNewer(kubernetes, machine.kubernetes))
      wrong.push(
        `SNAPSHOT: of a newer Kubernetes than ${name} runs, got ${kubernetes} in ${path}; use a snapshot of ${minor(machine.kubernetes)} or older`,
      );
  }
  const known = new Set([...told.values()].flatMap(({ keys }) => keys));
  const lost = encryption.map((key) => key.split("/").at(-1)!).filter((key) => !known.has(key));
  if (known.size > 0 && lost.length > 0)
    wrong.push(
      `SNAPSHOT: its Secrets are encrypted by keys that the cluster has no longer, got ${lost.join(", ")} in ${path}; use a snapshot whose keys are among ${[...known].join(", ")}`,
    );
  return wrong;
}

/** Whether a version is of a later minor than another one. */
export function isNewer(version: string, than: string): boolean {
  const [major = 0, one = 0] = version.split(".").map(Number);
  const [otherMajor = 0, other = 0] = than.split(".").map(Number);
  return major > otherMajor || (major === otherMajor && one > other);
}

function minor(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 1_048_576);
}
