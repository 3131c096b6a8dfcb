import type { Authority, CertificateRequest } from "../components/pki.ts";
import type { ArtifactName } from "../components/versions.ts";
import type { Directory, Service as PlacedService } from "../node/description.ts";

/** How the content of a credential's file comes to be. */
export type Origin =
  /** A certificate and its key: `PATH.crt` and `PATH.key`. */
  | { readonly kind: "certificate"; readonly request: CertificateRequest }
  /** An authority's own certificate: whoever has a certificate that it signed is a client. */
  | { readonly kind: "authority"; readonly authority: Authority }
  /** The key with which an authority signs. */
  | { readonly kind: "authorityKey"; readonly authority: Authority }
  /** The certificates by which servers are recognized: the authority's own, and its issuers'. */
  | { readonly kind: "trust"; readonly authority: Authority }
  /** The public or the private half of the key that signs service-account tokens. */
  | { readonly kind: "serviceAccountKey"; readonly half: "public" | "private" }
  /** A text that the component makes, known by this name. */
  | { readonly kind: "text"; readonly name: string };

/** A file that a service reads, and that is a secret or does not exist before the first update. */
export interface Credential {
  /** Absolute path on the machine; of a certificate without `.crt` and `.key`. */
  readonly path: string;
  readonly origin: Origin;
  /** User and group of the key, or of a text. @default "root:root" */
  readonly owner?: string;
  /** Mode of a text. @default "0600" */
  readonly mode?: string;
  /** The service reads it anew at each use, so that a change restarts nothing. */
  readonly live?: boolean;
  /** Another component puts it on the machine; this service only reads it. */
  readonly elsewhere?: boolean;
}

/** Everything there is to say of a service: what stands here stands nowhere else. */
export interface Service extends Omit<PlacedService, "reads"> {
  /** What the machine downloads for it, by the upstream names. */
  readonly binaries?: readonly ArtifactName[];
  /** Binaries that the operator finds on the PATH. */
  readonly commands?: readonly string[];
  readonly credentials?: readonly Credential[];
  /** What must be on the machine before its credentials are, and goes with them. */
  readonly credentialStore?: {
    readonly users?: readonly string[];
    readonly directories?: readonly Directory[];
    readonly data?: readonly string[];
  };
  /** TCP ports that it listens on. */
  readonly ports?: readonly number[];
  /** Folders of its own: on a host that has not been ours they have to be empty. */
  readonly ownFolders?: readonly string[];
}

/** The paths of a credential's files. */
export function pathsOf({ path, origin }: Credential): string[] {
  return origin.kind === "certificate" ? [`${path}.crt`, `${path}.key`] : [path];
}

/** The credentials of a service for which it is restarted when they change, each path once. */
export function restartingCredentials({ credentials = [] }: Service): Credential[] {
  const paths = new Set<string>();
  return credentials.filter(({ path, live }) => {
    if (live || paths.has(path)) return false;
    paths.add(path);
    return true;
  });
}

/** The part of a service that the machine's agent is told. */
export function placed(service: Service): PlacedService {
  const { binaries, commands, credentials, credentialStore, ports, ownFolders, ...rest } = service;
  const reads = restartingCredentials(service).flatMap(pathsOf);
  return { ...rest, ...(reads.length > 0 && { reads }) };
}

/** The folder of a cluster's credentials on every machine, as kubeadm has it. */
export const pki = "/etc/kubernetes/pki";
