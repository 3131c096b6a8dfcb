import { createHash, X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { derive } from "../node/derive.ts";
import type { Authority, CertificateRequest } from "./pki.ts";

/** A signed certificate and its private key, both PEM. */
export interface Certificate {
  readonly certPem: pulumi.Output<string>;
  /** Secret. */
  readonly keyPem: pulumi.Output<string>;
}

/** A signer of certificates, with the certificates by which others verify what it signed. */
export interface Issuer {
  /** The authority's own certificate, PEM, by which clients are verified. */
  readonly certPem: pulumi.Output<string>;
  /** The certificates by which servers are verified, PEM, one after another: the authority's own, and its issuers' up to the root. */
  readonly trustPem: pulumi.Output<string>;
  issue(request: CertificateRequest, opts: { readonly parent: pulumi.Resource }): Certificate;
}

/** How long certificates last, in hours. */
export interface Validity {
  readonly validityHours: number;
  readonly caValidityHours: number;
  /** How long before its expiry a certificate is renewed. */
  readonly earlyRenewalHours: number;
}

/** An authority that exists outside the program, with its key, all PEM. */
export interface ExternalAuthority {
  readonly certificatePem: string;
  /** The certificates of the authority's issuer, of the issuer's issuer, and so on, as far as servers are verified by them. */
  readonly issuerChainPem: readonly string[];
  readonly privateKeyPem: string;
}

export interface CertificateAuthorityArgs extends Validity {
  /** Signs in place of a self-signed authority. */
  readonly external?: ExternalAuthority | undefined;
}

/** A certificate authority whose key and signatures are resources. */
export class CertificateAuthority extends pulumi.ComponentResource implements Issuer {
  readonly certPem: pulumi.Output<string>;
  readonly trustPem: pulumi.Output<string>;
  /** The signing key, PEM, a secret; the controller manager signs kubelets' requests with the key. */
  readonly keyPem: pulumi.Output<string>;
  /** SHA-256 of its public key, in the form of kubeadm's `--discovery-token-ca-cert-hash`. */
  readonly certHashes: pulumi.Output<string[]>;
  readonly #name: Authority;
  readonly #validity: Validity;
  /** Follows each issued certificate in its file, so that clients need only the root to verify the certificate. */
  readonly #chainPem: string;

  constructor(
    name: Authority,
    args: CertificateAuthorityArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:CertificateAuthority", name, {}, opts);
    this.#name = name;
    this.#validity = args;
    const { external } = args;
    const { certPem, keyPem } = external
      ? { certPem: external.certificatePem, keyPem: pulumi.secret(external.privateKeyPem) }
      : this.#own(name, args);
    const issuers = external?.issuerChainPem ?? [];
    this.certPem = pulumi.output(certPem);
    this.keyPem = keyPem;
    this.trustPem = derive([this.certPem], (pem) => [pem, ...issuers].join(""));
    this.certHashes = derive([this.certPem], (pem) => [publicKeyHash(pem)]);
    this.#chainPem = external
      ? [external.certificatePem, ...issuers].filter((pem) => !isSelfSigned(pem)).join("")
      : "";
    this.registerOutputs({ trustPem: this.trustPem });
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

function isSelfSigned(pem: string): boolean {
  const certificate = new X509Certificate(pem);
  return certificate.checkIssued(certificate);
}

function privateKey(name: string, parent: pulumi.Resource): pulumi.Output<string> {
  return new tls.PrivateKey(name, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent })
    .privateKeyPem;
}

/** SHA-256 of a certificate's public key, in the form of kubeadm. */
export function publicKeyHash(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}
