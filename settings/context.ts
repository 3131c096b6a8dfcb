import type { ReadFile } from "./files.ts";
import type { Kernel } from "./kernel.ts";

/** Facts about this computer and the stack that the settings are checked against. */
export interface Context {
  readonly stack: string;
  /** This computer's architecture, by Go's name. */
  readonly arch: string;
  /** Absolute folder that holds the default mirror. */
  readonly cacheDir: string;
  /** The kernel of this computer. */
  readonly kernel: Kernel;
  /** The variables of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  /** Reads a file that a setting names, by an absolute path or relative to the project's folder. */
  readonly read: ReadFile;
  /** Whether a passphrase opens the private key in a file. */
  readonly opensKey: (file: string, passphrase: string) => boolean;
  /** How many keys the SSH agent of the environment has; undefined where none answers. */
  readonly keysOfAgent: () => number | undefined;
  /** Whether a top-level setting, or a part of it, is encrypted in the settings file. */
  readonly isSecret: (setting: string) => boolean;
}
