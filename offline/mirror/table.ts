/** What a mirror holds: a table that its user hands over as JSON. */
export interface Table {
  readonly kubernetesVersion: string;
  readonly architecture: Architecture;
  readonly artifacts: readonly Artifact[];
  readonly images: readonly Image[];
}

/** In the words of Go. */
export type Architecture = "amd64" | "arm64";

/** One file that upstream publishes: a binary, or an archive of binaries. */
export interface Artifact {
  /** A folder of go/, where it is built from. */
  readonly name: string;
  readonly version: string;
  /** Where upstream publishes it. */
  readonly url: string;
  /** Its path in the mirror. */
  readonly file: string;
  /** Upstream's checksum, in hex. */
  readonly sha256?: string | undefined;
  /** Where upstream publishes the checksum that is not given: the bare sum in hex, or lines of sums and file names. */
  readonly sha256Url?: string;
  /** An archive's binaries: path in the archive (tar.gz) to name. */
  readonly members?: Readonly<Record<string, string>>;
  /** The name of what is no archive. */
  readonly binary?: string;
}

/** One container image. */
export interface Image {
  /** The full reference, such as registry.k8s.io/pause:3.10.2. */
  readonly name: string;
  /** Path in the mirror of its archive (OCI layout in a tar). */
  readonly file: string;
}
