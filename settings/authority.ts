import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { ExternalAuthority } from "../components/certificate-authority.ts";
import { type ReadFile, readText } from "./files.ts";
import { mistakeAt } from "./mistake.ts";

/** An authority as it is written in the settings: each part is PEM, or the path of a PEM file. */
export interface WrittenAuthority {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Where external authorities stand in the settings: the one that signs, and the one that takes its place in a rotation. */
export const authorityPlaces = ["certificates.authority", "certificates.nextAuthority"] as const;

/** Whether the text is PEM itself, not the path of a file. */
export function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

/** An external authority of the settings, or all mistakes in it. */
export function readAuthority(
  written: WrittenAuthority,
  read: ReadFile,
  where: string = authorityPlaces[0],
): { authority: ExternalAuthority } | { mistakes: string[] } {
  const ofCertificate = `${where}.certificate`;
  const ofKey = `${where}.privateKey`;
  const certificateText = pemOf(written.certificate, read);
  const keyText = pemOf(written.privateKey, read);
  const certificates = "text" in certificateText ? certificatesIn(certificateText.text) : undefined;
  const key = "text" in keyText ? keyIn(keyText.text) : undefined;
  const shown = isPem(written.certificate) ? "a text" : written.certificate;
  const shownKey = isPem(written.privateKey) ? "[secret]" : written.privateKey;
  const todo = "name a file of PEM that this computer can read";
  const mistakes = [
    ...("reason" in certificateText
      ? [mistakeAt(ofCertificate, `not readable (${certificateText.reason})`, shown, todo)]
      : []),
    ...("reason" in keyText
      ? [mistakeAt(ofKey, `not readable (${keyText.reason})`, shownKey, todo)]
      : []),
    ...("text" in certificateText && !certificates
      ? [
          mistakeAt(
            ofCertificate,
            "no certificates in PEM",
            shown,
            "write the authority's own first, then those above it up to the root",
          ),
        ]
      : []),
    ...(typeof key === "string"
      ? [mistakeAt(ofKey, key, shownKey, "write it in PEM, without a passphrase")]
      : []),
    ...(certificates ? mistakesInChain(certificates, ofCertificate) : []),
    ...(certificates && typeof key === "object" && !certificates[0]!.checkPrivateKey(key)
      ? [
          mistakeAt(
            ofKey,
            "not the key of the certificate",
            shownKey,
            `give the one of ${nameOf(certificates[0]!)}`,
          ),
        ]
      : []),
  ];
  if (mistakes.length > 0 || !certificates || typeof key !== "object") return { mistakes };
  const [own, ...issuers] = certificates;
  return {
    authority: {
      certificatePem: own!.toString(),
      issuerChainPem: issuers.map((one) => one.toString()),
      privateKeyPem: key.export({ type: "pkcs8", format: "pem" }).toString(),
    },
  };
}

/** A text of PEM, or the text of the file of that path; otherwise why there is none. */
export function pemOf(written: string, read: ReadFile): { text: string } | { reason: string } {
  return isPem(written) ? { text: written } : readText(written, read);
}

/** The certificates in a text; undefined if there is none, or if one of them does not parse. */
export function certificatesIn(text: string): X509Certificate[] | undefined {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.length > 0 ? blocks.map((block) => new X509Certificate(block)) : undefined;
  } catch {
    return undefined;
  }
}

/** The private key in a text, or what is wrong with the text. */
function keyIn(text: string): KeyObject | string {
  if (/ENCRYPTED/.test(text)) return "locked by a passphrase";
  try {
    const key = createPrivateKey(text);
    const type = key.asymmetricKeyType ?? "";
    return ["rsa", "ec"].includes(type) ? key : `a key of type ${type}, not RSA or ECDSA`;
  } catch {
    return "no private key in PEM";
  }
}

/** Server and client authentication: an authority whose certificate limits its purposes must allow both. */
const purposes = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
const anyPurpose = "2.5.29.37.0";

function mistakesInChain(chain: readonly X509Certificate[], where: string): string[] {
  const now = new Date();
  return chain.flatMap((one, index) => {
    const wrong = wrongWith(one, index, chain[index - 1], now);
    if (!wrong) return [];
    const subject = index === 0 ? "" : `certificate ${index + 1} of the file `;
    return [mistakeAt(where, `${subject}${wrong[0]}`, nameOf(one), wrong[1])];
  });
}

function wrongWith(
  one: X509Certificate,
  index: number,
  below: X509Certificate | undefined,
  now: Date,
): [wrong: string, todo: string] | undefined {
  if (!one.ca) {
    return ["not of an authority", "give the certificate of a CA, which may sign others"];
  }
  if (new Date(one.validTo) <= now) {
    return [`expired on ${day(one.validTo)}`, "give one that is valid"];
  }
  if (new Date(one.validFrom) > now) {
    return [`not valid before ${day(one.validFrom)}`, "give one that is valid"];
  }
  if (below && !(below.checkIssued(one) && below.verify(one.publicKey))) {
    return [
      `did not sign the one before it, ${nameOf(below)}`,
      "write the authority's own first, then its issuer, and so on up to the root",
    ];
  }
  // A path length does not count leaves: 0 suffices for the authority that signs them.
  const length = pathLength(one);
  if (length !== undefined && length < index) {
    return [
      `allows ${length} authorities below it, and there are ${index}`,
      "give an authority whose path length allows it to sign leaves",
    ];
  }
  const allowed = one.keyUsage;
  if (allowed && !allowed.includes(anyPurpose) && !purposes.every((one) => allowed.includes(one))) {
    return ["not for TLS servers and clients", "give an authority that may sign for both"];
  }
  return undefined;
}

/** The basic constraints of an authority as DER in hex, with or without a path length. */
const basicConstraints = /0603551d13(?:0101ff)?04..30..0101ff(?:0201(..))?/;

/** How many authorities may follow below this one (RFC 5280, 4.2.1.9), which node:crypto does not read; undefined for any number. */
function pathLength({ raw }: X509Certificate): number | undefined {
  const [, length] = basicConstraints.exec(raw.toString("hex")) ?? [];
  return length === undefined ? undefined : Number.parseInt(length, 16);
}

function nameOf(certificate: X509Certificate): string {
  return certificate.subject.split("\n").reverse().join(", ");
}

function day(time: string): string {
  return new Date(time).toISOString().slice(0, 10);
}
