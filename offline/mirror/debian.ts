import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TarEntry } from "./tar.ts";

/** Programs of this computer, with iptables' extensions where they use them, and all libraries, at the same paths. */
export function filesOfPrograms(programs: readonly string[]): TarEntry[] {
  const used = libraries(programs);
  const xtables = used.find((path) => path.includes("/libxtables.so"));
  const extensions = xtables === undefined ? [] : extensionsIn(`/usr${dirname(xtables)}/xtables`);
  return [...new Set([...programs, ...used, ...extensions, ...libraries(extensions)])]
    .sort()
    .map((path) => ({ path: path.slice(1), content: readFileSync(path) }));
}

/** What the dynamic linker loads for them, itself included. */
function libraries(files: readonly string[]): string[] {
  if (files.length === 0) return [];
  const listed = execFileSync("ldd", [...files], { encoding: "utf8" });
  return [...listed.matchAll(/(?:=> |^\t)(\/\S+) \(/gm)].map(([, path]) => path!);
}

function extensionsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^lib(xt|ipt|ip6t)_/.test(name))
    .map((name) => join(folder, name));
}
