/** A check of one ability of a cluster. */
export interface Check<Context> {
  /** The statement that the check proves, as printed. */
  readonly name: string;
  /** Checks without which this check proves nothing: if one fails, this check is skipped. */
  readonly needs?: readonly Check<Context>[];
  run(context: Context): Promise<void>;
  /** Command lines that show more about a failure; `machines` names those where the check failed, where known. */
  lookAt(context: Context, machines: readonly string[]): readonly string[];
}

/** A failure on known machines. */
export class Fault extends Error {
  readonly machines: readonly string[];

  constructor(message: string, ...machines: readonly string[]) {
    super(message);
    this.machines = machines;
  }
}

/** Fails if there are faults; each is a message by the name of its machine. */
export function failWith(faults: ReadonlyMap<string, string>): void {
  if (faults.size === 0) return;
  throw new Fault([...faults.values()].join("\n"), ...faults.keys());
}

/** Runs checks one after another, skips those that need a failed check, and prints how each ends; returns whether all passed. */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  context: Context,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  const failed = new Set<Check<Context>>();
  for (const check of checks) {
    if (signal.aborted) return false;
    const missing = check.needs?.find((needed) => failed.has(needed));
    if (missing !== undefined) {
      failed.add(check);
      say(`skip ${"".padStart(6)}  ${check.name}: only after "${missing.name}"`);
      continue;
    }
    const start = performance.now();
    const took = () => `${((performance.now() - start) / 1000).toFixed(1).padStart(4)} s`;
    try {
      await check.run(context);
      say(`ok   ${took()}  ${check.name}`);
    } catch (error) {
      if (signal.aborted) return false;
      failed.add(check);
      say(`FAIL ${took()}  ${check.name}`);
      for (const line of messageOf(error).trim().split("\n")) say(`      ${line}`);
      const machines = error instanceof Fault ? error.machines : [];
      for (const line of check.lookAt(context, machines)) say(`      look at: ${line}`);
    }
  }
  return failed.size === 0;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
