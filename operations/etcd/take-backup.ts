import { mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { backupFolder, upkeepPath } from "../../services/etcd-upkeep.ts";
import { succeeded } from "../access/command.ts";
import { download, onMachine } from "../access/shell.ts";
import type { ShellMachine } from "../access/stack.ts";
import { onFirst } from "./controllers.ts";
import { isWhole } from "./snapshot.ts";

/** How long a large database may take. */
const timeoutSeconds = 1800;

/** Lets a controller take a snapshot, and brings the snapshot and its text into a folder of this computer; returns the path. */
export async function takeBackup(
  controllers: readonly ShellMachine[],
  folder: string,
): Promise<string> {
  // An interrupted run leaves its folder to the next.
  const script = `
    cd /
    [ -x ${upkeepPath} ] || { echo "$(hostname) has no ${upkeepPath}; run make up first" >&2; exit 1; }
    find ${backupFolder} -maxdepth 1 -name '.operator.*' -mmin +60 -exec rm -r {} +
    draft=$(runuser -u etcd -- mktemp -d -p ${backupFolder} .operator.XXXXXX)
    runuser -u etcd -- ${upkeepPath} backup "$draft" || { rm -r "$draft"; exit 1; }`;
  const { controller, ...result } = await onFirst(controllers, script, { timeoutSeconds });
  const path = succeeded(result).stdout.trim();
  try {
    return await bring(controller, path, folder);
  } finally {
    await onMachine(controller, `rm -r '${path.slice(0, path.lastIndexOf("/"))}'`);
  }
}

/** Brings a snapshot and its text from a controller into a folder of this computer; returns the path. */
export async function bring(
  controller: ShellMachine,
  path: string,
  folder: string,
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const target = join(folder, basename(path));
  const draft = `${target}.draft`;
  try {
    await download(controller, path, draft, { timeoutSeconds });
    if (!(await isWhole(draft)))
      throw new Error(`${controller.name}:${path} did not arrive whole; try again`);
    const text = target.replace(/\.db$/, ".txt");
    await download(controller, path.replace(/\.db$/, ".txt"), text);
    await rename(draft, target);
    return target;
  } finally {
    await rm(draft, { force: true });
  }
}
