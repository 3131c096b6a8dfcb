import { createHash, X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { derive } from "../node/derive.ts";
import { unchanged } from "../settings/unchanged.ts";
import type { Authority, CertificateRequest } from "./pki.ts";

/** A signed certificate and its private key, both PEM. */
export interface Certificate {
  readonly certPem: pulumi.Output<string>;
  /** Secret. */
  readonly keyPem: pulumi.Output<string>;
}

/** What signs certificates, and what those who trust it are given. */
export interface Issuer {
  /** Its own certificate, PEM: whoever has one that is signed by it is a client. */
  readonly certPem: pulumi.Output<string>;
  /** The certificates by which servers are recognized, PEM, one after another: its own, and those above it up to the root. */
  readonly trustPem: pulumi.Output<string>;
  issue(request: CertificateRequest, opts: { readonly parent: pulumi.Resource }): Certificate;
}

/** How long certificates last, in hours. */
export interface Validity {
  readonly validityHours: number;
  readonly caValidityHours: number;
  /** A certificate is made anew so long before it ends. */
  readonly earlyRenewalHours: number;
}

/** An authority that was there before, with its key, all PEM. */
export interface BroughtAuthority {
  readonly certificatePem: string;
  /** Who signed it, and who signed that, up to the root as far as servers are to be recognized by them. */
  readonly abovePem: readonly string[];
  readonly privateKeyPem: string;
}

export interface CertificateAuthorityArgs extends Validity {
  /** Signs instead of a certificate and key of our own. */
  readonly brought?: BroughtAuthority | undefined;
  /** Is told of the mistake when a cluster is there that was made with another one. Not given: there is only its own. */
  readonly refuse?: (mistake: string) => Promise<unknown>;
}

/** A certificate authority whose key and signatures are resources. */
export class CertificateAuthority extends pulumi.ComponentResource implements Issuer {
  readonly certPem: pulumi.Output<string>;
  readonly trustPem: pulumi.Output<string>;
  /** The signing key, PEM, a secret: for the controller manager, which signs kubelets' requests. */
  readonly keyPem: pulumi.Output<string>;
  /** SHA-256 of its public key, in the form of kubeadm's `--discovery-token-ca-cert-hash`. */
  readonly certHashes: pulumi.Output<string[]>;
  readonly #name: Authority;
  readonly #validity: Validity;
  /** Stands behind each certificate that it signs, so that the root is enough to recognize them by. */
  readonly #chainPem: string;

  constructor(
    name: Authority,
    args: CertificateAuthorityArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:CertificateAuthority", name, {}, opts);
    this.#name = name;
    this.#validity = args;
    const { brought } = args;
    const { certPem, keyPem } = brought
      ? { certPem: brought.certificatePem, keyPem: pulumi.secret(brought.privateKeyPem) }
      : this.#own(name, args);
    const above = brought?.abovePem ?? [];
    this.certPem = this.#unlessAnother(certPem, args);
    this.keyPem = keyPem;
    this.trustPem = derive([this.certPem], (pem) => [pem, ...above].join(""));
    this.certHashes = derive([this.certPem], (pem) => [publicKeyHash(pem)]);
    this.#chainPem = brought
      ? [brought.certificatePem, ...above].filter((pem) => !isSelfSigned(pem)).join("")
      : "";
    this.registerOutputs({ trustPem: this.trustPem });
  }

  /** A living cluster trusts what it was made with, and nothing else at once. */
  #unlessAnother(
    certPem: pulumi.Input<string>,
    { brought, refuse }: CertificateAuthorityArgs,
  ): pulumi.Output<string> {
    if (!refuse) return pulumi.output(certPem);
    const now = identityOf(brought);
    // In a preview the former is known, while a new certificate is not.
    const same = unchanged(`${this.#name}:identity`, now, this, (before) =>
      refuse(
        `certificates.authority: not the one that this cluster was made with, got ${now}; put ${before} back, or make another cluster`,
      ),
    );
    return pulumi.all([certPem, same]).apply(([pem]) => pem);
  }

  #own(name: Authority, { caValidityHours }: Validity) {
    const key = privateKey(`${name}-key`, this);
    const certificate = new tls.SelfSignedCert(
      name,
      {
        privateKeyPem: key,
        subject: { commonName: name },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: caValidityHours,
        allowedUses: ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"],
      },
      { parent: this },
    );
    return { certPem: certificate.certPem, keyPem: key };
  }

  issue(
    request: CertificateRequest,
    { parent }: { readonly parent: pulumi.Resource },
  ): Certificate {
    if (request.ca !== this.#name)
      throw new Error(`${request.name} is to be signed by ${request.ca}, not by ${this.#name}`);
    const key = privateKey(`${request.name}-key`, parent);
    const signing = new tls.CertRequest(
      `${request.name}-request`,
      {
        privateKeyPem: key,
        subject: {
          commonName: request.commonName,
          ...(request.organization !== undefined && { organization: request.organization }),
        },
        ...(request.dnsNames && { dnsNames: [...request.dnsNames] }),
        ...(request.ipAddresses && { ipAddresses: [...request.ipAddresses] }),
      },
      { parent },
    );
    const certificate = new tls.LocallySignedCert(
      request.name,
      {
        certRequestPem: signing.certRequestPem,
        caPrivateKeyPem: this.keyPem,
        caCertPem: this.certPem,
        validityPeriodHours: this.#validity.validityHours,
        earlyRenewalHours: this.#validity.earlyRenewalHours,
        allowedUses: ["digital_signature", "key_encipherment", ...request.usages],
      },
      { parent },
    );
    const certPem =
      this.#chainPem === ""
        ? certificate.certPem
        : derive([certificate.certPem], (pem) => pem + this.#chainPem);
    return { certPem, keyPem: key };
  }
}

/** By which an authority is known again, also after its certificate was renewed. */
function identityOf(brought: BroughtAuthority | undefined): string {
  if (!brought) return "the program's own";
  const { subject } = new X509Certificate(brought.certificatePem);
  return `${subject.split("\n").reverse().join(", ")} ${publicKeyHash(brought.certificatePem)}`;
}

function isSelfSigned(pem: string): boolean {
  const certificate = new X509Certificate(pem);
  return certificate.checkIssued(certificate);
}

function privateKey(name: string, parent: pulumi.Resource): pulumi.Output<string> {
  return new tls.PrivateKey(name, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent })
    .privateKeyPem;
}

function publicKeyHash(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}
