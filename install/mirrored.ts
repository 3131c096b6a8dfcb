import { fileURLToPath } from "node:url";
import {
  type Architecture,
  artifacts,
  defaultKubernetesVersion,
  guestImages,
  images,
  isSupported,
  type KubernetesVersion,
  kubernetesVersions,
  testImages,
} from "../components/versions.ts";

/** Everything that the machines of this computer may ask a mirror for, in the order of need. */
export function mirrored(kubernetesVersion: KubernetesVersion, architecture: Architecture) {
  const { coredns, pause } = images(kubernetesVersion, architecture);
  return {
    kubernetesVersion,
    architecture,
    artifacts: Object.values(artifacts(kubernetesVersion, architecture)),
    images: [
      pause,
      coredns,
      ...Object.values(guestImages(kubernetesVersion, architecture)),
      ...Object.values(testImages(kubernetesVersion, architecture)),
    ],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , wanted = ""] = process.argv;
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  const [newest] = Object.keys(kubernetesVersions);
  const named = wanted === "newest" ? newest! : wanted;
  // The program itself tells what is wrong with a version.
  const version = isSupported(named) ? named : defaultKubernetesVersion;
  console.log(JSON.stringify(mirrored(version, architecture)));
}
