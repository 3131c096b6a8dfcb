import { X509Certificate } from "node:crypto";
import { columns } from "../access/columns.ts";
import { nameOf, type ResourceState } from "../plan/steps.ts";

/** A certificate that an update has issued, or with which an update has signed. */
export interface IssuedCertificate {
  /** The name of the certificate's resource; before a colon stands the machine, where the certificate is of one machine. */
  readonly name: string;
  /** Common name, and the organization that Kubernetes takes for the group. */
  readonly subject: string;
  /** Common name of the issuer. */
  readonly issuer: string;
  readonly end: Date;
  /** Whether the next update renews the certificate. */
  readonly due: boolean;
}

/** The certificates in a stack's state, those that end first before the others. */
export function certificatesIn(
  resources: readonly ResourceState[],
  now: Date,
): IssuedCertificate[] {
  return resources
    .flatMap((resource) => pemsOf(resource).map((pem) => read(resource, pem, now)))
    .sort((a, b) => a.end.getTime() - b.end.getTime() || (a.name < b.name ? -1 : 1));
}

/** An authority is a component, since a company's own has no resource of its own; its outputs hold its issuers' certificates, too. */
function pemsOf({ type, outputs = {} }: ResourceState): readonly string[] {
  if (type === "tls:index/locallySignedCert:LocallySignedCert") return [`${outputs["certPem"]}`];
  if (type !== "kthw:index:CertificateAuthority") return [];
  return `${outputs["trustPem"]}`.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
}

function read(
  { urn, outputs = {}, inputs = outputs }: ResourceState,
  pem: string,
  now: Date,
): IssuedCertificate {
  const { subject, issuer, validTo } = new X509Certificate(pem);
  const end = new Date(validTo);
  const early = Number(inputs["earlyRenewalHours"] ?? 0) * 3_600_000;
  return {
    name: nameOf(urn),
    subject: [field(subject, "CN"), field(subject, "O")].filter(Boolean).join(", "),
    issuer: field(issuer, "CN") ?? issuer,
    end,
    due: early > 0 && end.getTime() - early <= now.getTime(),
  };
}

/** A field of a distinguished name, which has one field in each line. */
function field(name: string, key: string): string | undefined {
  return name
    .split("\n")
    .find((line) => line.startsWith(`${key}=`))
    ?.slice(key.length + 1);
}

/** The certificates as lines of a table. */
export function tableOf(certificates: readonly IssuedCertificate[], now: Date): string[] {
  const rows = certificates.map(({ name, subject, issuer, end, due }) => [
    end.toISOString().slice(0, 10),
    `${Math.floor((end.getTime() - now.getTime()) / 86_400_000)}`,
    name,
    subject,
    due ? `${issuer}; the next update renews it` : issuer,
  ]);
  return columns([["ENDS", "DAYS", "CERTIFICATE", "SUBJECT", "ISSUER"], ...rows]);
}
