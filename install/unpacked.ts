/** Prints what `kthw-node fetch` reads, for all binaries of each version of Kubernetes that the mirror in a folder has: `unpacked.ts <folder>`. */
import { pathToFileURL } from "node:url";
import { binariesOf } from "../components/downloads.ts";
import { type KubernetesVersion, kubernetesVersions } from "../components/versions.ts";
import { type Download, describeDownloads } from "../node/downloads.ts";
import { readMirror } from "../settings/mirror.ts";
import { local } from "../stacks/local/platform.ts";

const [, , mirror = ""] = process.argv;
const mirrorUrl = pathToFileURL(local.mirrorOnMachines(mirror)).href;
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const downloads = new Map<string, Download>();
for (const kubernetesVersion of Object.keys(kubernetesVersions) as KubernetesVersion[]) {
  const settings = { artifacts: { mirror }, architecture, kubernetesVersion } as const;
  const read = await readMirror(settings);
  if ("mistakes" in read) continue;
  const source = { mirrorUrl, sums: read.sums };
  for (const download of binariesOf(settings, source)) downloads.set(download.url, download);
}
process.stdout.write(describeDownloads([...downloads.values()]));
