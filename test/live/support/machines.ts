import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, output, type RunOptions } from "./run.ts";

/** The state of a machine at one moment, as far as the program can change that state. */
export interface Look {
  /** Content, mode and owner by path, of the files in the folders of services. */
  readonly files: ReadonlyMap<string, string>;
  /** The invocation id by unit, which changes with each start of a service. */
  readonly invocations: ReadonlyMap<string, string>;
  /** How many SSH logins there were since the machine was booted. */
  readonly logins: number;
}

/** Looks by the name of the machine. */
export type Looks = ReadonlyMap<string, Look>;

/** The machines of a stack, seen from this computer: a look leaves no trace on a machine, not even a login. */
export class Machines {
  readonly folder: string;

  constructor(stack: string) {
    this.folder = `/var/lib/kthw/${stack}/machines`;
  }

  /** The names of the machines, running or not. */
  async names(): Promise<string[]> {
    return existsSync(this.folder) ? (await readdir(this.folder)).sort() : [];
  }

  /** The process id of a machine's container. */
  async container(name: string): Promise<number> {
    return Number(await readFile(join(this.folder, name, "machine.pid"), "utf8"));
  }

  /** Runs a shell script on a machine; returns the standard output. */
  async inside(
    name: string,
    script: string,
    input = "",
    options: Pick<RunOptions, "timeoutSeconds"> = {},
  ): Promise<string> {
    const init = await this.#init(name);
    const within = ["--all", "--root", "--wd", `--target=${init}`, "env", "-i", path, "bash", "-c"];
    return output("nsenter", [...within, script], { input, ...options });
  }

  /** Kills a machine as a power failure would. */
  async kill(name: string): Promise<void> {
    // Without its first process a machine has no processes; without that of its container, the machine goes on.
    process.kill(await this.#init(name), "SIGKILL");
    const container = await this.container(name);
    await eventually(async () => {
      if (existsSync(`/proc/${container}`)) throw new Error(`${name} still runs`);
    });
  }

  /** The id of a machine's first process. */
  async #init(name: string): Promise<number> {
    return Number(await output("pgrep", ["--parent", `${await this.container(name)}`]));
  }

  /** Looks at a machine. */
  async look(name: string): Promise<Look> {
    const lines = (await this.inside(name, lookScript)).split("\n");
    const rest = (word: string) =>
      lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length));
    const files = new Map<string, string>();
    for (const line of rest("file ")) {
      const [stat, file] = line.split("\t") as [string, string];
      files.set(file, stat);
    }
    for (const line of rest("sum ")) {
      const [sum, file] = line.split("  ") as [string, string];
      // A small file is known by a checksum instead of size and time.
      files.set(file, `${files.get(file)?.split(" ").slice(0, 2).join(" ")} ${sum}`);
    }
    const invocations = new Map<string, string>();
    for (const line of rest("unit ")) {
      const [unit, invocation] = line.split(" ") as [string, string];
      if (!passing.test(unit)) invocations.set(unit, invocation);
    }
    return { files, invocations, logins: Number(rest("logins ")[0]) };
  }

  /** Looks at all machines. */
  async lookAll(): Promise<Looks> {
    const names = await this.names();
    return new Map(
      await Promise.all(names.map(async (name) => [name, await this.look(name)] as const)),
    );
  }

  /** The journal of a machine since it was booted. */
  async journal(name: string): Promise<string> {
    return this.inside(name, "journalctl --no-pager --output=short-precise");
  }
}

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Units that come and go by themselves. */
const passing = /^(systemd-|user|session|getty|modprobe@|apt-|dpkg-|e2scrub|fstrim)/;

// Binaries are known by size and time. /etc/hosts is a file of the computer, /etc/mtab one of the kernel.
const lookScript = `
roots="/etc /opt /usr/local"
for root in /var/lib/kubelet/config.yaml /var/lib/kubelet/pki /var/lib/kube-proxy; do [ ! -e $root ] || roots="$roots $root"; done
files() { find -L $roots -xdev -type f ! -path /etc/hosts ! -path /etc/mtab "$@"; }
echo "logins $(journalctl --identifier=sshd --output=cat | grep -c '^Accepted publickey')"
files -printf 'file 0%m %u:%g %s %T@\\t%p\\n'
files -size -1024k -print0 | xargs -0 sha256sum | sed 's/^/sum /'
systemctl show --property=Id,InvocationID '*.service' | awk -F= '
  { value[$1] = $2 }
  /^$/ { print "unit", value["Id"], value["InvocationID"]; delete value }
  END { print "unit", value["Id"], value["InvocationID"] }'
`;

/** Paths of the files that changed, came or went. */
export function changedFiles(before: Look, after: Look): string[] {
  return differing(before.files, after.files);
}

/** Services that were started, stopped or restarted. */
export function restarted(before: Looks, after: Looks): string[] {
  return each(before, after, (name, one, other) =>
    differing(one.invocations, other.invocations).map((unit) => `${name} ${unit}`),
  );
}

/** Files that changed on machines that were there before and after, as `machine path`. */
export function changed(before: Looks, after: Looks): string[] {
  return each(before, after, (name, one, other) =>
    changedFiles(one, other).map((file) => `${name} ${file}`),
  );
}

/** The numbers of logins between two looks, by machine. */
export function logins(before: Looks, after: Looks): Record<string, number> {
  const counts = [...after].map(
    ([name, { logins }]) => [name, logins - (before.get(name)?.logins ?? 0)] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}

function each(
  before: Looks,
  after: Looks,
  compare: (name: string, one: Look, other: Look) => string[],
): string[] {
  return [...before].flatMap(([name, look]) => {
    const other = after.get(name);
    return other ? compare(name, look, other) : [];
  });
}

/** The keys with different values in two maps, sorted. */
export function differing(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): string[] {
  const keys = new Set([...one.keys(), ...other.keys()]);
  return [...keys].filter((key) => one.get(key) !== other.get(key)).sort();
}
