/** Files collected from a machine or from the cluster. */
export interface Collected {
  /** Texts by the name of the file. */
  readonly files: ReadonlyMap<string, string>;
  /** Lines that say what could not be collected, and why. */
  readonly missing: readonly string[];
}
