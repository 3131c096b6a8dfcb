export {
  eventually,
  output,
  type Result,
  type RunOptions,
  run,
  sleep,
  succeeded,
} from "../../../operations/access/command.ts";

/** Runs a step of a test, and prints the seconds. */
export async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let mark = "✗";
  try {
    const result = await work();
    mark = "·";
    return result;
  } finally {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`    ${mark} ${seconds.padStart(6)} s  ${name}`);
  }
}
