import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What runs on a libvirt. */
export interface Running {
  /** The domains that run, with the id that was noted when the program saw them start; undefined for none. */
  readonly domains: ReadonlyMap<string, string | undefined>;
  readonly networks: ReadonlySet<string>;
}

/** The place of the program's notes in the metadata of a running domain, which end with it. */
export const bootUri = "urn:kthw:boot";

/**
 * What runs on a libvirt, of what has a name with this prefix, as virsh tells; undefined without virsh on this computer. Throws what virsh
 * says if libvirt does not answer.
 */
export async function whatRuns(uri: string, prefix: string): Promise<Running | undefined> {
  const virsh = async (...args: string[]) => {
    const options = { timeout: 30_000, env: { ...process.env, LC_ALL: "C" } };
    return (await run("virsh", ["--quiet", "--connect", uri, ...args], options)).stdout.trim();
  };
  const ours = (text: string) =>
    text.split(/\s+/).filter((name) => name === prefix || name.startsWith(`${prefix}-`));
  try {
    const networks = ours(await virsh("net-list", "--name"));
    const domains = ours(await virsh("list", "--name", "--state-running"));
    const noted = new Map<string, string | undefined>();
    // One after another: each may be a connection of SSH, of which a server takes few at once.
    for (const name of domains) {
      const note = await virsh("metadata", name, "--uri", bootUri, "--live").catch(withoutNote);
      noted.set(name, /\bid="([0-9a-f]+)"/.exec(note)?.[1]);
    }
    return { domains: noted, networks: new Set(networks) };
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT") return undefined;
    throw new Error(stderr?.trim().split("\n").at(-1) || message);
  }
}

/** Nothing for a domain without a note; fails as virsh did for any other reason. */
function withoutNote(error: { readonly stderr?: string }): string {
  if (error.stderr?.includes("metadata not found")) return "";
  throw error;
}

/** An id for the next start of a domain. */
export function newBoot(): string {
  return randomBytes(16).toString("hex");
}
