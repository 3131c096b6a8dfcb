import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Result, run, succeeded } from "../../operations/access/command.ts";
import { unpackedPackage } from "./debian-package.ts";

/** Has the modules for users and for SSH do their work in the order of Debian's, where everything that acts on the computer is replaced. */
const keysOfRoot = `
import json, logging, sys, yaml
from unittest import mock
from cloudinit import ssh_util, util
from cloudinit.config import cc_ssh, cc_users_groups
from cloudinit.distros.debian import Distro
cfg = yaml.safe_load(open(sys.argv[1]))
keys = []
def set_up(added, name, options=None):
    if name == "root":
        keys.extend(sorted(added))
cloud = mock.Mock()
cloud.get_public_ssh_keys.return_value = [sys.argv[2]]
cloud.distro = Distro("debian", {}, mock.Mock())
with mock.patch.object(ssh_util, "setup_user_keys", set_up), \\
        mock.patch.object(util, "write_file"), mock.patch.object(util, "del_file"), \\
        mock.patch.object(Distro, "add_user"), mock.patch.object(Distro, "lock_passwd"):
    cc_users_groups.handle("users-groups", cfg, cloud, logging.getLogger(), [])
    cc_ssh.handle("ssh", cfg, cloud, logging.getLogger(), [])
print(json.dumps(keys))
`;

/** Debian's cloud-init, unpacked and not installed: an installed one acts at the computer's next boot. */
export class CloudInit {
  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
  }

  /** From the unpacked package; undefined where there is no Debian to take the package from. */
  static async unpacked(): Promise<CloudInit | undefined> {
    const home = await unpackedPackage("cloud-init");
    return home === undefined ? undefined : new CloudInit(home);
  }

  /** The names of all modules' settings at the top of user data; cloud-init accepts others silently. */
  async knownSettings(): Promise<ReadonlySet<string>> {
    const file = "cloudinit/config/schemas/schema-cloud-config-v1.json";
    const schema = JSON.parse(await readFile(join(this.#packages, file), "utf8"));
    const modules: { readonly properties?: object }[] = Object.values(schema.$defs);
    return new Set(modules.flatMap(({ properties = {} }) => Object.keys(properties)));
  }

  /** What the checker of user data says. */
  checkUserData(text: string): Promise<Result> {
    return this.#withFile(text, (file) => ["schema", "--config-file", file]);
  }

  /** The keys with which root is let in, on a machine whose platform offers one. Nothing on this computer changes. */
  async keysOfRoot(text: string, offered: string): Promise<string[]> {
    const { stdout } = succeeded(
      await this.#withFile(text, (file) => [file, offered], ["-c", keysOfRoot]),
    );
    return JSON.parse(stdout);
  }

  /** The files of systemd-networkd that cloud-init makes of a network's configuration, for a card with a name and MAC address. */
  async networkFiles(text: string, card: { readonly name: string; readonly mac: string }) {
    const folder = await mkdtemp(join(tmpdir(), "kthw-cloud-init-"));
    try {
      const result = await this.#withFile(text, (file) => [
        ...["devel", "net-convert", "--network-data", file, "--kind", "yaml"],
        ...["--output-kind", "networkd", "--distro", "debian", "--directory", folder],
        ...["--mac", `${card.name},${card.mac}`],
      ]);
      const made = join(folder, "etc/systemd/network");
      const names = existsSync(made) ? await readdir(made) : [];
      const files = await Promise.all(
        names.map(async (name) => [name, await readFile(join(made, name), "utf8")] as const),
      );
      return { ...result, files: new Map(files) };
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  get #packages(): string {
    return join(this.#home, "usr/lib/python3/dist-packages");
  }

  async #withFile(
    text: string,
    args: (file: string) => readonly string[],
    program: readonly string[] = ["-m", "cloudinit.cmd.main"],
  ): Promise<Result> {
    const folder = await mkdtemp(join(tmpdir(), "kthw-cloud-init-"));
    const file = join(folder, "file");
    try {
      await writeFile(file, text);
      // Debian's Python, to which the packages that cloud-init imports belong.
      return await run("/usr/bin/python3", [...program, ...args(file)], {
        env: { ...process.env, PYTHONPATH: this.#packages },
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}
