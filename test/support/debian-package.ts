import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { output, run, succeeded } from "../../operations/access/command.ts";
import { cacheFolder } from "../../settings/caches.ts";

/**
 * The folder of a Debian package, unpacked to the cache where it is not there yet, and not installed; undefined where there is no Debian
 * to take the package from.
 */
export async function unpackedPackage(name: string): Promise<string | undefined> {
  if (!existsSync("/usr/bin/apt-get")) return undefined;
  const caches = cacheFolder();
  const home = join(caches, name);
  if (existsSync(home)) return home;
  await mkdir(caches, { recursive: true });
  const draft = await mkdtemp(`${home}.`);
  try {
    const download = () =>
      run("apt-get", ["download", "--quiet", name], { cwd: draft, timeoutSeconds: 60 });
    if ((await download()).code !== 0) {
      // Without lists of packages, apt-get finds none.
      await output("apt-get", ["update", "--quiet"]);
      succeeded(await download());
    }
    const [archive] = await readdir(draft);
    await output("dpkg", ["--extract", join(draft, archive!), join(draft, "root")]);
    await rename(join(draft, "root"), home);
  } finally {
    await rm(draft, { recursive: true });
  }
  return home;
}
