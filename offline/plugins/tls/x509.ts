/** X.509 certificates and certificate requests, made and read. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import * as der from "./der.ts";

/** What a certificate may be used for, by its bit in the key usage extension. */
export const keyUsages = [
  "digital_signature",
  "content_commitment",
  "key_encipherment",
  "data_encipherment",
  "key_agreement",
  "cert_signing",
  "crl_signing",
  "encipher_only",
  "decipher_only",
];

/** What a certificate may be used for, by its identifier in the extended key usage extension. */
export const extendedKeyUsages: Record<string, string> = {
  any_extended: "2.5.29.37.0",
  server_auth: "1.3.6.1.5.5.7.3.1",
  client_auth: "1.3.6.1.5.5.7.3.2",
  code_signing: "1.3.6.1.5.5.7.3.3",
  email_protection: "1.3.6.1.5.5.7.3.4",
  ipsec_end_system: "1.3.6.1.5.5.7.3.5",
  ipsec_tunnel: "1.3.6.1.5.5.7.3.6",
  ipsec_user: "1.3.6.1.5.5.7.3.7",
  timestamping: "1.3.6.1.5.5.7.3.8",
  ocsp_signing: "1.3.6.1.5.5.7.3.9",
  microsoft_server_gated_crypto: "1.3.6.1.4.1.311.10.3.3",
  netscape_server_gated_crypto: "2.16.840.1.113730.4.1",
  microsoft_commercial_code_signing: "1.3.6.1.4.1.311.2.1.22",
  microsoft_kernel_code_signing: "1.3.6.1.4.1.311.61.1.1",
};

/** The fields of a subject in the order in which they are written, with their identifiers. */
export const subjectFields = {
  country: "2.5.4.6",
  organization: "2.5.4.10",
  organizationalUnit: "2.5.4.11",
  locality: "2.5.4.7",
  province: "2.5.4.8",
  streetAddresses: "2.5.4.9",
  postalCode: "2.5.4.17",
  commonName: "2.5.4.3",
  serialNumber: "2.5.4.5",
  emailAddress: "1.2.840.113549.1.9.1",
};

const identifiers = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  alternatives: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  extensionRequest: "1.2.840.113549.1.9.14",
};

const algorithms = { rsa: "RSA", ec: "ECDSA", ed25519: "ED25519" } as const;

/** The name of a key's algorithm. */
export function algorithmOf(key: KeyObject): string {
  const name = algorithms[key.asymmetricKeyType as keyof typeof algorithms];
  if (name === undefined) throw new Error(`unsupported key type ${key.asymmetricKeyType}`);
  return name;
}

/** The bytes in a PEM text of the given type. */
export function fromPem(type: string, text: string): Buffer {
  const [, found, body] = /-----BEGIN ([^-]+)-----([\s\S]+?)-----END \1-----/.exec(text) ?? [];
  if (body === undefined)
    throw new Error(`failed to decode PEM of expected type "${type}" from bytes`);
  if (found !== type) throw new Error(`invalid PEM type - expected "${type}", got "${found}"`);
  return Buffer.from(body, "base64");
}

/** Bytes as PEM text. */
export const toPem = (type: string, bytes: Uint8Array): string =>
  `-----BEGIN ${type}-----\n${Buffer.from(bytes)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${type}-----\n`;

/** A distinguished name. */
export const name = (subject: Readonly<Record<string, string | readonly string[]>>): Buffer =>
  der.sequence(
    ...Object.entries(subjectFields).flatMap(([field, identifier]) =>
      [subject[field] ?? []].flat().map((value) => {
        const text = field === "emailAddress" ? der.ascii(value) : der.string(value);
        return der.set(der.sequence(der.oid(identifier), text));
      }),
    ),
  );

const noName = name({});

/** The bytes of an IP address, or nothing if it is none. */
export function addressBytes(address: string): Buffer | undefined {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  if (isIP(address) === 0 || address.includes("%")) return undefined;
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const [head = [], tail = []] = groups.map((half) => half.split(":").filter(Boolean));
  const all = [...head, ...Array<string>(8 - head.length - tail.length).fill("0"), ...tail];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** The alternative names of a subject as they are encoded one by one. */
export const alternativeNames = (names: {
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly uri: readonly string[];
}): Buffer[] => [
  ...names.dns.map((value) => der.tagged(2, false, Buffer.from(value))),
  ...names.ip.map((value) => der.tagged(7, false, addressBytes(value)!)),
  ...names.uri.map((value) => der.tagged(6, false, Buffer.from(value))),
];

const extension = (identifier: string, critical: boolean, value: Buffer): Buffer =>
  der.sequence(der.oid(identifier), ...(critical ? [der.yes] : []), der.octets(value));

const alternativesExtension = (names: Buffer[], critical: boolean): Buffer[] =>
  names.length === 0 ? [] : [extension(identifiers.alternatives, critical, der.sequence(...names))];

function keyUsageExtension(uses: readonly string[]): Buffer[] {
  const used = keyUsages.flatMap((use, bit) => (uses.includes(use) ? [bit] : []));
  const last = used.at(-1);
  if (last === undefined) return [];
  const bytes = Buffer.alloc((last >> 3) + 1);
  for (const bit of used) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return [extension(identifiers.keyUsage, true, der.bits(bytes, 7 - (last & 7)))];
}

const publicKeyInfo = (key: KeyObject): Buffer => key.export({ format: "der", type: "spki" });

/** The identifier of a public key: the SHA-1 digest of its bits. */
function keyId(info: Buffer): Buffer {
  const [, key] = der.read(der.read(info)[0]!.content);
  return createHash("sha1").update(key!.content.subarray(1)).digest();
}

const curveSignatures: Record<string, [hash: string, identifier: string]> = {
  secp384r1: ["sha384", "1.2.840.10045.4.3.3"],
  secp521r1: ["sha512", "1.2.840.10045.4.3.4"],
};

function signed(content: (algorithm: Buffer) => Buffer, key: KeyObject): Buffer {
  let hash: string | null = "sha256";
  let algorithm: Buffer;
  if (key.asymmetricKeyType === "rsa") {
    algorithm = der.sequence(der.oid("1.2.840.113549.1.1.11"), der.nothing);
  } else if (key.asymmetricKeyType === "ec") {
    const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
    const [digest, identifier] = curveSignatures[curve] ?? ["sha256", "1.2.840.10045.4.3.2"];
    hash = digest;
    algorithm = der.sequence(der.oid(identifier));
  } else {
    hash = null;
    algorithm = der.sequence(der.oid("1.3.101.112"));
  }
  const bytes = content(algorithm);
  return der.sequence(bytes, algorithm, der.bits(sign(hash, bytes, key)));
}

/** What a certificate says of its subject. */
export interface Subject {
  readonly name: Buffer;
  readonly alternatives: Buffer[];
  readonly publicKeyInfo: Buffer;
}

/** Who signs a certificate. */
export interface Signer {
  readonly name: Buffer;
  readonly keyId: Buffer | undefined;
  readonly privateKey: KeyObject;
}

/** What a certificate is to be. */
export interface Terms {
  readonly from: Date;
  readonly until: Date;
  readonly uses: readonly string[];
  readonly authority: boolean;
  /** How many authorities may follow below an authority; left out: any number. */
  readonly pathLength: number | undefined;
  readonly showKeyId: boolean;
  readonly showAuthorityKeyId: boolean;
}

/** A signed certificate. */
export function certificate(subject: Subject, signer: Signer | KeyObject, terms: Terms) {
  const own = keyId(subject.publicKeyInfo);
  const itself = !("privateKey" in signer);
  const { name, privateKey } = itself ? { name: subject.name, privateKey: signer } : signer;
  const shown = terms.authority || terms.showKeyId;
  const above = itself ? (terms.showAuthorityKeyId && shown ? own : undefined) : signer.keyId;
  const named = itself || !name.equals(subject.name) ? above : undefined;
  const serial = randomBytes(16);
  const purposes = terms.uses.flatMap((use) => extendedKeyUsages[use] ?? []).map(der.oid);
  const limit =
    terms.pathLength === undefined ? [] : [der.integer(Buffer.from([terms.pathLength]))];
  const extensions = [
    ...keyUsageExtension(terms.uses),
    ...(purposes.length === 0
      ? []
      : [extension(identifiers.extendedKeyUsage, false, der.sequence(...purposes))]),
    extension(
      identifiers.basicConstraints,
      true,
      der.sequence(...(terms.authority ? [der.yes, ...limit] : [])),
    ),
    ...(shown ? [extension(identifiers.subjectKeyId, false, der.octets(own))] : []),
    ...(named === undefined
      ? []
      : [extension(identifiers.authorityKeyId, false, der.sequence(der.tagged(0, false, named)))]),
    ...alternativesExtension(subject.alternatives, subject.name.equals(noName)),
  ];
  const bytes = signed(
    (algorithm) =>
      der.sequence(
        der.tagged(0, true, der.integer(Buffer.from([2]))),
        der.integer(serial),
        algorithm,
        name,
        der.sequence(der.time(terms.from), der.time(terms.until)),
        subject.name,
        subject.publicKeyInfo,
        der.tagged(3, true, der.sequence(...extensions)),
      ),
    privateKey,
  );
  return { serial: BigInt(`0x${serial.toString("hex")}`).toString(), bytes };
}

/** A signed certificate request. */
export const request = (name: Buffer, alternatives: Buffer[], key: KeyObject): Buffer =>
  signed(
    () =>
      der.sequence(
        der.integer(Buffer.from([0])),
        name,
        publicKeyInfo(createPublicKey(key)),
        der.tagged(
          0,
          true,
          ...(alternatives.length === 0
            ? []
            : [
                der.sequence(
                  der.oid(identifiers.extensionRequest),
                  der.set(
                    der.sequence(...alternativesExtension(alternatives, name.equals(noName))),
                  ),
                ),
              ]),
        ),
      ),
    key,
  );

/** The subject of a private key's own certificate. */
export const ownSubject = (name: Buffer, alternatives: Buffer[], key: KeyObject): Subject => ({
  name,
  alternatives,
  publicKeyInfo: publicKeyInfo(createPublicKey(key)),
});

/** The values of extensions by their identifiers. */
function extensionsOf(list: der.Node[]): Map<string, Buffer> {
  return new Map(
    list.map(({ content }) => {
      const parts = der.read(content);
      return [parts[0]!.whole.toString("hex"), parts.at(-1)!.content];
    }),
  );
}

const find = (extensions: Map<string, Buffer>, identifier: string): Buffer | undefined =>
  extensions.get(der.oid(identifier).toString("hex"));

/** What a certificate request asks a certificate for. */
export function subjectOf(bytes: Buffer): Subject {
  const [info] = der.read(der.read(bytes)[0]!.content);
  const [, name, publicKeyInfo, attributes] = der.read(info!.content);
  const requested = der
    .read(attributes?.content ?? Buffer.alloc(0))
    .map(({ content }) => der.read(content))
    .find(([type]) => type?.whole.equals(der.oid(identifiers.extensionRequest)));
  const list = requested === undefined ? [] : der.read(der.read(requested[1]!.content)[0]!.content);
  const alternatives = find(extensionsOf(list), identifiers.alternatives);
  return {
    name: name!.whole,
    publicKeyInfo: publicKeyInfo!.whole,
    alternatives:
      alternatives === undefined
        ? []
        : der
            .read(der.read(alternatives)[0]!.content)
            .filter(({ tag }) => [0x82, 0x86, 0x87].includes(tag))
            .map(({ whole }) => whole),
  };
}

/** A certificate as a signer of others, with the private key that must be its own; and whether it may sign. */
export function signerOf(bytes: Buffer, privateKey: KeyObject): Signer & { authority: boolean } {
  const [info] = der.read(der.read(bytes)[0]!.content);
  const parts = der.read(info!.content);
  const fields = parts[0]!.tag === 0xa0 ? parts.slice(1) : parts;
  const list = fields.find(({ tag }) => tag === 0xa3);
  const extensions = extensionsOf(
    list === undefined ? [] : der.read(der.read(list.content)[0]!.content),
  );
  if (!fields[5]!.whole.equals(publicKeyInfo(createPublicKey(privateKey))))
    throw new Error("x509: provided PrivateKey doesn't match parent's PublicKey");
  const id = find(extensions, identifiers.subjectKeyId);
  const constraints = find(extensions, identifiers.basicConstraints);
  return {
    name: fields[4]!.whole,
    keyId: id === undefined ? undefined : der.read(id)[0]!.content,
    privateKey,
    authority: constraints?.includes(der.yes) ?? false,
  };
}

/** A private key from its PEM text. */
export function privateKeyOf(text: string): KeyObject {
  const [, type = ""] = /-----BEGIN ([^-]+)-----/.exec(text) ?? [];
  if (!["RSA PRIVATE KEY", "EC PRIVATE KEY", "PRIVATE KEY"].includes(type))
    throw new Error("failed to parse private key PEM: no private key in PKCS#1, SEC1 or PKCS#8");
  return createPrivateKey(text);
}
