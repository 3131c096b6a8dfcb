import { createHash, X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import type { Authority, CertificateRequest } from "./pki.ts";

/** A signed certificate and its private key, both PEM. */
export interface Certificate {
  readonly certPem: pulumi.Output<string>;
  /** Secret. */
  readonly keyPem: pulumi.Output<string>;
}

/** What signs certificates, and what those who trust it are given. */
export interface Issuer {
  /** The certificates by which a signature is recognized, PEM, one after another: old and new while it changes. */
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

/** A certificate authority whose key and signatures are resources. */
export class CertificateAuthority extends pulumi.ComponentResource implements Issuer {
  readonly trustPem: pulumi.Output<string>;
  /** The signing key, PEM, a secret: for the controller manager, which signs kubelets' requests. */
  readonly keyPem: pulumi.Output<string>;
  /** SHA-256 of the public keys trusted, in the form of kubeadm's `--discovery-token-ca-cert-hash`. */
  readonly certHashes: pulumi.Output<string[]>;
  readonly #name: Authority;
  readonly #validity: Validity;
  readonly #certPem: pulumi.Output<string>;

  constructor(name: Authority, args: Validity, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:CertificateAuthority", name, {}, opts);
    this.#name = name;
    this.#validity = args;
    const key = privateKey(`${name}-key`, this);
    const certificate = new tls.SelfSignedCert(
      name,
      {
        privateKeyPem: key,
        subject: { commonName: name },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: args.caValidityHours,
        allowedUses: ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"],
      },
      { parent: this },
    );
    this.#certPem = certificate.certPem;
    this.trustPem = certificate.certPem;
    this.keyPem = key;
    this.certHashes = certificate.certPem.apply((pem) => [publicKeyHash(pem)]);
    this.registerOutputs({ trustPem: this.trustPem });
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
        caCertPem: this.#certPem,
        validityPeriodHours: this.#validity.validityHours,
        earlyRenewalHours: this.#validity.earlyRenewalHours,
        allowedUses: ["digital_signature", "key_encipherment", ...request.usages],
      },
      { parent },
    );
    return { certPem: certificate.certPem, keyPem: key };
  }
}

function privateKey(name: string, parent: pulumi.Resource): pulumi.Output<string> {
  return new tls.PrivateKey(name, { algorithm: "ECDSA", ecdsaCurve: "P256" }, { parent })
    .privateKeyPem;
}

function publicKeyHash(pem: string): string {
  const spki = new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(spki).digest("hex")}`;
}
