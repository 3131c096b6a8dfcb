/** The content of a lock that Pulumi puts on a stack while a command changes the stack. */
export interface Lock {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
}

/** What is known of the processes of this computer. */
export interface Computer {
  readonly hostname: string;
  /** When the process of the Pulumi CLI with this id started, in milliseconds since 1970; undefined if there is no such process. */
  readonly startOf: (pid: number) => number | undefined;
}

/** Why a lock holds; undefined for a lock whose command was cut off. */
export function holderOf(lock: Lock, stack: string, computer: Computer): string | undefined {
  const { pid, username, hostname, timestamp } = lock;
  const since = `since ${timestamp.slice(0, 19)}Z`;
  if (hostname !== computer.hostname)
    return `stack ${stack}: locked ${since} by process ${pid} of ${username} on ${hostname}; once that process has ended, remove the lock: make shell STACK=${stack} CMD='pulumi cancel --yes'`;
  const start = computer.startOf(pid);
  // A process that is younger than the lock only got the same id. The clock may have been set meanwhile by a little.
  if (start === undefined || start > Date.parse(timestamp) + 2000) return undefined;
  return `stack ${stack}: locked ${since} by process ${pid} on this computer, which still runs; wait for it, or interrupt it: kill -INT ${pid}`;
}
