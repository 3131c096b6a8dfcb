import type { Authority, CertificateRequest } from "../components/pki.ts";
import type { ArtifactName } from "../components/versions.ts";
import type { Directory, Service as PlacedService } from "../node/description.ts";
import type { Role } from "./cluster-facts.ts";
import type { KernelNeed } from "./kernel.ts";

/** Where the content of a credential's file comes from. */
export type Origin =
  /** A certificate and its key: `PATH.crt` and `PATH.key`. */
  | { readonly kind: "certificate"; readonly request: CertificateRequest }
  /** The certificates of an authority alone, by which clients are verified. */
  | { readonly kind: "authority"; readonly authority: Authority }
  /** The certificate of the key with which an authority signs. */
  | { readonly kind: "signer"; readonly authority: Authority }
  /** The key with which an authority signs. */
  | { readonly kind: "authorityKey"; readonly authority: Authority }
  /** The certificates by which servers are verified: the authority's own, and those of its issuers. */
  | { readonly kind: "trust"; readonly authority: Authority }
  /** The public or the private half of the key that signs service-account tokens. */
  | { readonly kind: "serviceAccountKey"; readonly half: "public" | "private" }
  /** A text of this name that the component makes. */
  | { readonly kind: "text"; readonly name: string };

/** A file that a service reads, and whose content is a secret or unknown before the first update. */
export interface Credential {
  /** Absolute path on the machine; for a certificate, without `.crt` and `.key`. */
  readonly path: string;
  readonly origin: Origin;
  /** User and group of the key or the text. @default "root:root" */
  readonly owner?: string;
  /** Mode of the text. @default "0600" */
  readonly mode?: string;
  /** The service reads the file at each use, so that a change restarts nothing. */
  readonly live?: boolean;
  /** Another component puts the file on the machine; this service only reads the file. */
  readonly elsewhere?: boolean;
}

/** Who connects to a port from elsewhere: the machines of a role, or the operator and users of the API. */
export type Client = Role | "operator";

/** Packets to a UDP port, or of a protocol of IP. */
export type OtherTraffic = { readonly udpPort: number } | { readonly ipProtocol: number };

/** All facts about a service. No other file repeats any of them. */
export interface Service extends Omit<PlacedService, "reads"> {
  /** The artifacts that the machine downloads for the service, by their upstream names. */
  readonly binaries?: readonly ArtifactName[];
  /** Binaries that are linked into the operator's PATH. */
  readonly commands?: readonly string[];
  readonly credentials?: readonly Credential[];
  /** Users and folders that must be there before the credentials, and data that is removed with the credentials. */
  readonly credentialStore?: {
    readonly users?: readonly string[];
    readonly directories?: readonly Directory[];
    readonly data?: readonly string[];
  };
  /** What the service needs of the kernel. */
  readonly kernel?: readonly KernelNeed[];
  /** TCP ports that the service listens on. */
  readonly ports?: readonly number[];
  /** The clients of those ports on other machines; nobody connects to the other ports from elsewhere. */
  readonly clients?: Readonly<Record<number, readonly Client[]>>;
  /** What other machines send to the service besides TCP: UDP ports, or whole protocols of IP by their numbers. */
  readonly otherTraffic?: readonly OtherTraffic[];
  /** Folders of this service alone: before the first update of an existing host, the folders must be empty. */
  readonly ownFolders?: readonly string[];
}

/** The paths of a credential's files. */
function pathsOf({ path, origin }: Credential): string[] {
  return origin.kind === "certificate" ? [`${path}.crt`, `${path}.key`] : [path];
}

/** The credentials whose change restarts the service, each path once. */
export function restartingCredentials({ credentials = [] }: Service): Credential[] {
  const paths = new Set<string>();
  return credentials.filter(({ path, live }) => {
    if (live || paths.has(path)) return false;
    paths.add(path);
    return true;
  });
}

/** The part of a service that the agent on the machine gets. */
export function placed(service: Service): PlacedService {
  const {
    binaries,
    commands,
    credentials,
    credentialStore,
    kernel,
    ports,
    clients,
    otherTraffic,
    ownFolders,
    ...rest
  } = service;
  const reads = restartingCredentials(service).flatMap(pathsOf);
  return { ...rest, ...(reads.length > 0 && { reads }) };
}

/** The folder of credentials on every machine, at kubeadm's path. */
export const pki = "/etc/kubernetes/pki";
