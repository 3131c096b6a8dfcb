import { fileURLToPath } from "node:url";
import {
  type Architecture,
  artifacts,
  guestImages,
  images,
  type KubernetesVersion,
  newestKubernetesVersion,
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
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  console.log(JSON.stringify(mirrored(newestKubernetesVersion, architecture)));
}
