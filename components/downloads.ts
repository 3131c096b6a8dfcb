import type { Download } from "../node/downloads.ts";
import type { Service } from "../services/service.ts";
import {
  type Architecture,
  type Artifact,
  artifacts,
  folder,
  type Image,
  images,
  type KubernetesVersion,
} from "./versions.ts";

/** Where machines download from: a mirror with checksums of its own, or upstream. */
export interface ArtifactSource {
  /** The mirror's address as the machines reach it; undefined for upstream. */
  readonly mirrorUrl: string | undefined;
  /** SHA-256 in hex by path in the mirror. */
  readonly sums: ReadonlyMap<string, string>;
}

/** Files of a mirror that a cluster needs. */
export function mirrorFiles(version: KubernetesVersion, architecture: Architecture): string[] {
  return [artifacts(version, architecture), images(version, architecture)].flatMap((table) =>
    Object.values(table).map(({ file }) => file),
  );
}

/**
 * The downloads of a machine with these services; without a mirror, containerd pulls the images from their registry. The further images
 * come from a mirror that has them, and else from their registry, too.
 */
export function downloadsFor(
  services: readonly Pick<Service, "binaries" | "commands">[],
  settings: { readonly kubernetesVersion: KubernetesVersion; readonly architecture: Architecture },
  source: ArtifactSource,
  further: readonly Image[] = [],
): Download[] {
  const all = artifacts(settings.kubernetesVersion, settings.architecture);
  const names = new Set(services.flatMap(({ binaries = [] }) => binaries));
  if (names.size === 0) return [];
  const fetched = [...names].map((name) => all[name]);
  return [
    ...fetched.map((artifact) => binaries(artifact, source)),
    ...[
      ...Object.values(images(settings.kubernetesVersion, settings.architecture)),
      ...further.filter(({ file }) => source.sums.has(file)),
    ].flatMap((one) => image(one, source)),
    ...services
      .flatMap(({ commands = [] }) => commands)
      .map(
        (command): Download => ({
          kind: "link",
          path: `/usr/local/bin/${command}`,
          target: `${folder(fetched.find((artifact) => contains(artifact, command))!)}/${command}`,
        }),
      ),
  ];
}

/** The downloads of all binaries that any machine may need. */
export function binariesOf(
  settings: { readonly kubernetesVersion: KubernetesVersion; readonly architecture: Architecture },
  source: ArtifactSource,
) {
  return Object.values(artifacts(settings.kubernetesVersion, settings.architecture)).map((one) =>
    binaries(one, source),
  );
}

function contains({ members, binary }: Artifact, command: string): boolean {
  return binary === command || Object.values(members ?? {}).includes(command);
}

function binaries(artifact: Artifact, source: ArtifactSource): Download & { kind: "binaries" } {
  const { name, version, file, url, sha256, sha256Url } = artifact;
  const members = artifact.members ?? { "-": artifact.binary! };
  const { mirrorUrl, sums } = source;
  return mirrorUrl === undefined
    ? {
        kind: "binaries",
        name,
        version,
        url,
        sum: sha256 === undefined ? sha256Url! : `sha256:${sha256}`,
        members,
      }
    : {
        kind: "binaries",
        name,
        version,
        url: `${mirrorUrl}/${file}`,
        sum: `sha256:${sums.get(file)}`,
        members,
      };
}

function image({ name, file }: Image, { mirrorUrl, sums }: ArtifactSource): Download[] {
  return mirrorUrl === undefined
    ? []
    : [{ kind: "image", name, url: `${mirrorUrl}/${file}`, sum: `sha256:${sums.get(file)}` }];
}
