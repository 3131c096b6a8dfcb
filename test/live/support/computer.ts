import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";

/** The things that a stack may leave behind on its computer: a line each, which begins with the kind of thing. */
export type Computer = ReadonlySet<string>;

/** Lists the mounts, namespaces, control groups, interfaces, packet filters, kernel settings and processes of this computer. */
export async function lookAtComputer(stack: string): Promise<Computer> {
  const listings: Record<string, string[]> = {
    mount: mountsOf(await lines("cat", "/proc/mounts"), stack),
    namespace: await lines("ip", "netns", "list"),
    "control group": (await lines("find", "/sys/fs/cgroup", "-type", "d")).filter(isOwnGroup),
    interface: await lines("ip", "-o", "link"),
    address: (await lines("ip", "-o", "address")).map((line) =>
      line.replace(/(valid_lft|preferred_lft) \S+/g, ""),
    ),
    route: await lines("ip", "route", "show", "table", "all"),
    "packet filter": [
      ...(await lines("iptables-save")),
      ...(await lines("ip6tables-save")),
      ...(await lines("nft", "list", "ruleset")),
    ].filter((line) => !line.startsWith("#")),
    "kernel setting": (await kernelSettings(stack)).filter((line) => !moving.test(line)),
    process: await processes(stack),
  };
  return new Set(
    Object.entries(listings).flatMap(([kind, all]) =>
      all
        .map((line) => `${kind}: ${line.replace(/\s*\[\d+:\d+\]/, "").trim()}`)
        .filter((line) => !isOfAnotherStack(line, stack)),
    ),
  );
}

/** The lines that are gone (-) or new (+). */
export function differences(before: Computer, after: Computer): string[] {
  return [
    ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
    ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
  ];
}

/** Kernel settings that change all the time. */
const moving =
  /^(fs\.(dentry-state|file-nr|inode-|quota\.)|kernel\.(ns_last_pid|random\.|pty\.nr|perf_event_max|sched_domain)|net\.netfilter\.nf_conntrack_count|net\.ipv4\.tcp_fastopen_key|.*\.(cnt|count) )/;

/** Whether a control group belongs to a stack: those of the computer's own services come and go. */
function isOwnGroup(path: string): boolean {
  return path.includes("kthw") || path.includes("machine.slice");
}

/** Whether a line is about another stack, which may come or go during the tests. */
function isOfAnotherStack(line: string, stack: string): boolean {
  const [, other] = /kthw[-/]([a-z0-9-]+)/.exec(line) ?? [];
  return other !== undefined && other !== stack;
}

/** Leaves out the mount of the folder of network namespaces while another stack needs that mount. */
function mountsOf(mounts: string[], stack: string): string[] {
  const isShared = mounts.some(
    (line) => line.includes(" /run/netns/") && isOfAnotherStack(line, stack),
  );
  return isShared ? mounts.filter((line) => !line.includes(" /run/netns ")) : mounts;
}

/** Lists kernel settings; while there is another stack, with the former value of the limit that every stack raises. */
async function kernelSettings(stack: string): Promise<string[]> {
  const settings = await lines("sysctl", "--all");
  const entries = await readdir("/var/lib/kthw", { withFileTypes: true }).catch(() => []);
  if (!entries.some((entry) => entry.isDirectory() && entry.name !== stack)) return settings;
  const kept = await readFile("/var/lib/kthw/.fs.inotify.max_user_instances", "utf8");
  const limit = /^(fs\.inotify\.max_user_instances|user\.max_inotify_instances) = .*/;
  return settings.map((line) => line.replace(limit, `$1 = ${kept.trim()}`));
}

async function lines(program: string, ...args: string[]): Promise<string[]> {
  try {
    return (await run(program, args)).stdout.split("\n").filter((line) => line !== "");
  } catch {
    return [`no ${program} here`];
  }
}

/**
 * Command lines of the stack's processes, known by their environment, arguments or control group. A process that has ended
 * has no command line while it waits for its parent: it is none.
 */
async function processes(stack: string): Promise<string[]> {
  const found: string[] = [];
  for (const id of await readdir("/proc")) {
    if (!/^\d+$/.test(id)) continue;
    const read = (file: string) => readFile(join("/proc", id, file), "utf8").catch(() => "");
    const command = (await read("cmdline")).replaceAll("\0", " ").trim();
    const environment = `\0${await read("environ")}`;
    const groups = await read("cgroup");
    const isOurs =
      environment.includes(`\0KTHW_STACK=${stack}\0`) ||
      new RegExp(`kthw[-/]${stack}\\b`).test(`${command} ${groups}`);
    if (isOurs && command !== "") found.push(command);
  }
  return found;
}
