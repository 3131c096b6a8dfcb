import { createHash, X509Certificate } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { derive } from "../node/derive.ts";
import { type Authority, apiserverKubeletClient, type CertificateRequest, kindOf } from "./pki.ts";
import { forGenerations, nameOfGeneration, noTurn, type Turn } from "./rotation.ts";

/** A signed certificate and its private key, both PEM. */
export interface Certificate {
  readonly certPem: pulumi.Output<string>;
  /** Secret. */
  readonly keyPem: pulumi.Output<string>;
}

/** A signer of certificates, with the certificates by which others verify what it signed. */
export interface Issuer {
  /** The authority's own certificates by which clients are verified, PEM, one after another: two while the authority is rotated. */
  readonly certPem: pulumi.Output<string>;
  /** The certificates by which servers are verified, PEM, one after another: the authority's own, and its issuers' up to the root. */
  readonly trustPem: pulumi.Output<string>;
  issue(request: CertificateRequest, opts: { readonly parent: pulumi.Resource }): Certificate;
}

/** How long certificates last, in hours. */
export interface Validity {
  readonly validityHours: number;
  /** The kinds of certificates that last for another time. */
  readonly validityHoursOf: Readonly<Record<string, number>>;
  readonly caValidityHours: number;
  /** How long before its expiry a certificate is renewed; one of `validityHoursOf`, in its last third if that is later. */
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
  /** How far its rotation is. @default the first generation alone */
  readonly turn?: Turn;
  /**
   * Those who verify by it read its certificate only when they start: a new one signs from the beginning, and they accept what it signed
   * through the cross certificate, until each was restarted once with the new certificate alone.
   */
  readonly isReadAtStart?: boolean;
  /** Sign in place of self-signed authorities: one for each generation in the turn, the oldest first, below the same root. @default none */
  readonly external?: readonly ExternalAuthority[];
}

/** A certificate authority whose key and signatures are resources. */
export class CertificateAuthority extends pulumi.ComponentResource implements Issuer {
  readonly certPem: pulumi.Output<string>;
  readonly trustPem: pulumi.Output<string>;
  /** The certificate of the signing key, PEM. */
  readonly signerPem: pulumi.Output<string>;
  /** The signing key, PEM, a secret; the controller manager signs kubelets' requests with the key. */
  readonly keyPem: pulumi.Output<string>;
  /** SHA-256 of the public key of each certificate, in the form of kubeadm's `--discovery-token-ca-cert-hash`. */
  readonly certHashes: pulumi.Output<string[]>;
  readonly #name: Authority;
  readonly #validity: Validity;
  /** Follows each issued certificate in its file, so that others need only the root, or only the former authority, to verify the certificate. */
  readonly #chainPem: pulumi.Output<string> | undefined;
  /** Whether the chain is for those who may know only the former authority: clients, and kubelets of guests. */
  readonly #isCross: boolean;

  constructor(
    name: Authority,
    args: CertificateAuthorityArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("kthw:index:CertificateAuthority", name, {}, opts);
    this.#name = name;
    this.#validity = args;
    const { external = [], turn = noTurn, isReadAtStart = false } = args;
    const { all, signing } = forGenerations(turn, (generation, index) => {
      const brought = external[index];
      if (!brought) return this.#own(name, generation, args);
      const { certificatePem, privateKeyPem } = brought;
      return { certPem: pulumi.output(certificatePem), keyPem: pulumi.secret(privateKeyPem) };
    });
    const [oldest, newest] = [all[0]!, all.at(-1)!];
    const isTurning = all.length > 1;
    const signer = isReadAtStart ? newest : signing;
    const trusted = isReadAtStart ? [signing] : all;
    const issuers = [...new Set(external.flatMap(({ issuerChainPem }) => issuerChainPem))];
    this.certPem = derive(
      trusted.map(({ certPem }) => certPem),
      (...pems) => pems.join(""),
    );
    this.signerPem = signer.certPem;
    this.keyPem = signer.keyPem;
    this.trustPem = derive([this.certPem], (pem) => [pem, ...issuers].join(""));
    this.certHashes = derive(
      trusted.map(({ certPem }) => certPem),
      (...pems) => pems.map(publicKeyHash),
    );
    const isNewSigner = isTurning && signer === newest;
    const signs = external[all.indexOf(signer)];
    this.#isCross = isNewSigner && !isReadAtStart && !signs;
    if (signs) {
      const { certificatePem, issuerChainPem } = signs;
      const chain = [certificatePem, ...issuerChainPem].filter((pem) => !isSelfSigned(pem));
      this.#chainPem = chain.length > 0 ? pulumi.output(chain.join("")) : undefined;
    } else if (isTurning) {
      const cross = this.#cross(nameOfGeneration(name, turn.generation), oldest, newest, args);
      if (isNewSigner) this.#chainPem = cross;
    }
    this.registerOutputs({ trustPem: this.trustPem });
  }

  #own(name: Authority, generation: number, { caValidityHours }: Validity): Certificate {
    const own = nameOfGeneration(name, generation);
    const keyPem = privateKey(`${own}-key`, this);
    const { certPem } = new tls.SelfSignedCert(
      own,
      {
        privateKeyPem: keyPem,
        subject: { commonName: own },
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: caValidityHours,
        allowedUses: [...usesOfAuthority],
      },
      { parent: this },
    );
    return { certPem, keyPem };
  }

  /** The certificate of the newer authority that the older has signed: who trusts only the older accepts with it what the newer signs. */
  #cross(
    name: string,
    older: Certificate,
    newer: Certificate,
    { caValidityHours }: Validity,
  ): pulumi.Output<string> {
    const { certRequestPem } = new tls.CertRequest(
      `${name}-cross-request`,
      { privateKeyPem: newer.keyPem, subject: { commonName: name } },
      { parent: this },
    );
    return new tls.LocallySignedCert(
      `${name}-cross`,
      {
        certRequestPem,
        caPrivateKeyPem: older.keyPem,
        caCertPem: older.certPem,
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: caValidityHours,
        allowedUses: [...usesOfAuthority],
      },
      { parent: this },
    ).certPem;
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
    const { validityHours, validityHoursOf, earlyRenewalHours } = this.#validity;
    const hours = validityHoursOf[kindOf(request)] ?? validityHours;
    const certificate = new tls.LocallySignedCert(
      request.name,
      {
        certRequestPem: signing.certRequestPem,
        caPrivateKeyPem: this.keyPem,
        caCertPem: this.signerPem,
        validityPeriodHours: hours,
        earlyRenewalHours:
          hours === validityHours
            ? earlyRenewalHours
            : Math.min(earlyRenewalHours, Math.floor(hours / 3)),
        allowedUses: ["digital_signature", "key_encipherment", ...request.usages],
      },
      { parent },
    );
    const isChained =
      !this.#isCross ||
      request.usages.includes("server_auth") ||
      request.name === apiserverKubeletClient.name;
    const certPem =
      this.#chainPem && isChained
        ? derive([certificate.certPem, this.#chainPem], (...pems) => pems.join(""))
        : certificate.certPem;
    return { certPem, keyPem: key };
  }
}

const usesOfAuthority = ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"];

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
