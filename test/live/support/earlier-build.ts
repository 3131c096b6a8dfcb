import { cp, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Build, thisBuild } from "./live-stack.ts";
import { output, step } from "./run.ts";

/** Runs `work` with the build of a commit, which is in a temporary folder, with packages and plugins of its own. */
export async function withBuildOf<T>(
  commit: string,
  work: (build: Build) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "kthw-before-"));
  const root = join(folder, "build");
  const cache = join(folder, "cache");
  const git = (...args: string[]) => output("git", ["-C", thisBuild.root, "worktree", ...args]);
  try {
    await git("add", "--detach", root, commit);
    await step(`install what ${commit} needs`, async () => {
      await shareCache(process.env.KTHW_CACHE!, cache);
      await output("make", ["install"], { cwd: root, env: freshWith(cache), timeoutSeconds: 3600 });
    });
    return await work({ root, cache });
  } finally {
    await rm(folder, { recursive: true, force: true });
    await git("prune");
  }
}

/** Makes a cache that shares all of another one but the CLI and its plugins, which each build may make in its own way. */
async function shareCache(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const name of await readdir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (/^pulumi/.test(name)) await cp(source, target, { recursive: true, dereference: true });
    else await symlink(source, target);
  }
}

/** The environment of somebody who has called nothing of this build. */
function freshWith(cache: string): NodeJS.ProcessEnv {
  const own = /^(PULUMI_|KTHW_|KUBECONFIG$|STACK$|MAKE|MFLAGS$|BEFORE$|RUNS$)/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), KTHW_CACHE: cache };
}
