import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { ReadFile } from "../../settings/authority.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import { expanded } from "../ssh.ts";

/** An image that disks of machines start from. */
export interface Image {
  /** An absolute path, or an http(s) address. */
  readonly source: string;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** An image in the settings, as far as they parse. */
interface ImageSettings {
  readonly source?: string | undefined;
  readonly sha256?: string | undefined;
}

/** Whether the image comes from a server, not from a file. */
export function isRemote(source: string): boolean {
  return /^https?:/.test(source);
}

/** The image with its checksum, which may stand in a file beside the image; or what is wrong. Without settings, it is the one that `make image` builds. */
export function imageFrom(
  settings: ImageSettings | undefined,
  { home, read }: { readonly home: string; readonly read: ReadFile },
): Image | { mistakes: string[] } {
  const source = expanded(settings?.source ?? builtImage(), home);
  if (settings?.sha256 !== undefined) return { source, sha256: settings.sha256 };
  const where = settings ? "libvirt.image.sha256" : "libvirt.image";
  if (isRemote(source)) {
    const todo = "write the SHA-256 that the image's publisher gives";
    return { mistakes: [mistakeAt(where, "needed for an image of a server", undefined, todo)] };
  }
  const file = `${source}.sha256`;
  try {
    const [sha256 = ""] = read(file).split(/\s/);
    if (/^[0-9a-f]{64}$/.test(sha256)) return { source, sha256 };
  } catch {
    // The same as a file without a checksum.
  }
  const todo = settings
    ? `write it, or make ${file} by sha256sum`
    : "run make image, or name an image";
  const wrong = settings ? "needed for an image without its checksum beside it" : "none was built";
  return { mistakes: [mistakeAt(where, wrong, undefined, todo)] };
}

function builtImage(): string {
  const script = fileURLToPath(new URL("./image.sh", import.meta.url));
  return path.resolve(execFileSync(script, ["path"], { encoding: "utf8" }).trim());
}
