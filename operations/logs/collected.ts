/** What was got of a machine or of the cluster. */
export interface Collected {
  /** Texts by the name of their file. */
  readonly files: ReadonlyMap<string, string>;
  /** What could not be got, and why: a line each. */
  readonly missing: readonly string[];
}
