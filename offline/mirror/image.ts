import { get, sha256, verify } from "./download.ts";
import type { Architecture } from "./table.ts";
import { type TarEntry, tar } from "./tar.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

interface Index {
  readonly mediaType: string;
  readonly manifests: readonly (Descriptor & {
    readonly platform: { readonly os: string; readonly architecture: string };
  })[];
}

const oci = "application/vnd.oci.image";
const docker = "application/vnd.docker.distribution.manifest";
const indexTypes = [`${oci}.index.v1+json`, `${docker}.list.v2+json`];
const manifestTypes = [`${oci}.manifest.v1+json`, `${docker}.v2+json`];

/** What an image says of how it is run, in the words of the OCI image specification. */
export interface ImageConfig {
  readonly Entrypoint: readonly string[];
  readonly Cmd?: readonly string[];
  /** @default root */
  readonly User?: string;
}

/** The image as its registry holds it for one architecture, every part verified by its digest. */
export async function pullImage(
  name: string,
  architecture: Architecture,
  scheme = "https",
): Promise<Buffer> {
  const [, host, repository, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(name)!;
  const blobs = new Map<string, Buffer>();
  const fetched = async (kind: string, { digest }: Descriptor, ...options: string[]) => {
    const address = `${scheme}://${host}/v2/${repository}/${kind}/${digest}`;
    const content = await get(address, ...options);
    verify(address, content, digest.replace("sha256:", ""));
    blobs.set(digest, content);
    return content;
  };

  const index: Index = JSON.parse(
    String(
      await get(
        `${scheme}://${host}/v2/${repository}/manifests/${tag}`,
        ...["-H", `Accept: ${indexTypes.join(", ")}`],
      ),
    ),
  );
  const chosen = index.manifests.find(
    ({ platform }) => platform.os === "linux" && platform.architecture === architecture,
  );
  if (chosen === undefined) throw new Error(`${name}: its registry has none for ${architecture}`);
  const accept = ["-H", `Accept: ${manifestTypes.join(", ")}`];
  const manifest: Manifest = JSON.parse(String(await fetched("manifests", chosen, ...accept)));
  for (const part of [manifest.config, ...manifest.layers]) await fetched("blobs", part);
  const { mediaType, digest, size } = chosen;
  return archive(name, { mediaType, digest, size }, blobs);
}

/** An image of one layer, made without a container tool. */
export function makeImage(
  name: string,
  architecture: Architecture,
  layer: readonly TarEntry[],
  config: ImageConfig,
): Buffer {
  const blobs = new Map<string, Buffer>();
  const blob = (mediaType: string, content: Buffer): Descriptor => {
    const digest = `sha256:${sha256(content)}`;
    blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const json = (mediaType: string, value: object) =>
    blob(mediaType, Buffer.from(JSON.stringify(value)));

  const files = blob(`${oci}.layer.v1.tar`, tar(layer));
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const manifest = json(manifestTypes[0]!, {
    schemaVersion: 2,
    mediaType: manifestTypes[0],
    config: json(`${oci}.config.v1+json`, {
      architecture,
      os: "linux",
      config: { Env: [`PATH=${path}`], WorkingDir: "/", ...config },
      rootfs: { type: "layers", diff_ids: [files.digest] },
    }),
    layers: [files],
  });
  return archive(name, manifest, blobs);
}

/** An OCI layout in a tar, in which containerd finds the image under its full name. */
function archive(name: string, manifest: Descriptor, blobs: ReadonlyMap<string, Buffer>): Buffer {
  const text = (path: string, value: object): TarEntry => ({
    path,
    mode: 0o644,
    content: Buffer.from(JSON.stringify(value)),
  });
  const annotations = {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1),
  };
  return tar([
    text("oci-layout", { imageLayoutVersion: "1.0.0" }),
    text("index.json", { schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
    ...[...blobs].map(([digest, content]) => ({
      path: `blobs/${digest.replace(":", "/")}`,
      mode: 0o644,
      content,
    })),
  ]);
}
