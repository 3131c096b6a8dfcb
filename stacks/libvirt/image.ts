import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { ReadFile } from "../../settings/files.ts";
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

/** The image in the settings, with its checksum, which may stand in a file beside the image; or what is wrong. Without settings, it is the one that `make image` builds. */
export function imageFrom(
  settings: ImageSettings | undefined,
  { home, read }: { readonly home: string; readonly read: ReadFile },
): Image | { readonly mistakes: readonly string[] } {
  const none = (where: string, wrong: string, todo: string) => ({
    mistakes: [mistakeAt(where, wrong, undefined, todo)],
  });
  const written = settings?.source ?? builtImage();
  if (written === undefined)
    return none("libvirt.image", "none can be built on this computer", "name an image");
  const source = expanded(written, home);
  if (settings?.sha256 !== undefined) return { source, sha256: settings.sha256 };
  const file = `${source}.sha256`;
  try {
    const [sha256 = ""] = read(file).split(/\s/);
    if (/^[0-9a-f]{64}$/.test(sha256)) return { source, sha256 };
  } catch {
    // The same as a file without a checksum.
  }
  return settings
    ? none(
        "libvirt.image.sha256",
        "needed for an image without its checksum beside it",
        `write it, or make ${file} by sha256sum`,
      )
    : none("libvirt.image", "none was built", "run make image, or name an image");
}

/** The path of the image that `make image` builds; undefined where the distribution has no name. */
function builtImage(): string | undefined {
  const script = fileURLToPath(new URL("./image.sh", import.meta.url));
  try {
    return path.resolve(execFileSync(script, ["path"], { encoding: "utf8", stdio: "pipe" }).trim());
  } catch {
    return undefined;
  }
}
