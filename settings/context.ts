import type { ReadFile } from "./authority.ts";
import type { Kernel } from "./kernel.ts";

/** What the settings are checked against besides each other. */
export interface Context {
  readonly stack: string;
  /** This computer's architecture, in Go's words. */
  readonly arch: string;
  /** Absolute folder that holds the default mirror. */
  readonly cacheDir: string;
  /** This computer's. */
  readonly kernel: Kernel;
  /** The user's home folder. */
  readonly home: string;
  /** Reads a file that a setting names, from the project's folder on. */
  readonly read: ReadFile;
  /** Whether a setting at the top, or a part of it, is encrypted in the settings file. */
  readonly isSecret: (setting: string) => boolean;
}
