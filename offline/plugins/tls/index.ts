/** Keys, certificates and certificate requests, as the plugin tls makes them. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type ED25519KeyPairOptions,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import type { Context, Made, Plugin, Resource } from "../protocol/provider.ts";
import {
  type Failures,
  flag,
  listOf,
  object,
  oneOf,
  required,
  type Shape,
  text,
  textThat,
  whole,
} from "../protocol/shape.ts";
import { type Properties, unknown, type Value } from "../protocol/values.ts";
import { openssh } from "./openssh.ts";
import * as x509 from "./x509.ts";

const curves: Record<string, string> = {
  P224: "secp224r1",
  P256: "prime256v1",
  P384: "secp384r1",
  P521: "secp521r1",
};

const subject = object({
  ...Object.fromEntries(Object.keys(x509.subjectFields).map((field) => [field, text])),
  streetAddresses: listOf(text),
});

const named: Shape = {
  privateKeyPem: required(text),
  subject,
  dnsNames: listOf(textThat((name) => /^[\x21-\x7e]+$/.test(name), "a name in ASCII")),
  ipAddresses: listOf(textThat((ip) => x509.addressBytes(ip) !== undefined, "an IP address")),
  uris: listOf(textThat((uri) => /^[\x21-\x7e]+$/.test(uri), "a URI")),
};

const issued: Shape = {
  allowedUses: required(
    listOf(oneOf([...x509.keyUsages, ...Object.keys(x509.extendedKeyUsages)].sort())),
  ),
  validityPeriodHours: required(whole(0)),
  earlyRenewalHours: whole(0),
  isCaCertificate: flag,
  maxPathLength: whole(-1),
  setSubjectKeyId: flag,
};

const list = (value: Value | undefined): string[] =>
  Array.isArray(value) ? value.map(String) : [];
const nameOf = (inputs: Properties): Buffer =>
  x509.name((inputs.subject ?? {}) as Record<string, string>);
const alternativesOf = (inputs: Properties): Buffer[] =>
  x509.alternativeNames({
    dns: list(inputs.dnsNames),
    ip: list(inputs.ipAddresses),
    uri: list(inputs.uris),
  });

/** A resource that never changes but is replaced, save for when its certificate is to be renewed. */
const resource = (
  inputs: Shape,
  defaults: Properties,
  outputs: readonly string[],
  create: (inputs: Properties, context: Context) => Made,
): Resource => {
  const shown = (inputs: Properties, made: Properties): Properties => ({
    ...Object.fromEntries(Object.entries(defaults).filter(([key]) => !(key in inputs))),
    ...Object.fromEntries(outputs.map((key) => [key, made[key] ?? unknown])),
  });
  return {
    inputs,
    replaces: (path) => path !== "earlyRenewalHours",
    plan: (inputs, state) => shown(inputs, state?.properties ?? {}),
    create: async (inputs, context) => {
      const { id, outputs: made } = create(inputs, context);
      return { id, outputs: shown(inputs, made) };
    },
    update: async ({ properties }, inputs) => shown(inputs, properties),
  };
};

const hour = 3_600_000;

/** Whether the time has come to renew a certificate. */
const due = ({ validityEndTime, earlyRenewalHours = 0 }: Properties): boolean =>
  typeof validityEndTime === "string" &&
  Date.parse(validityEndTime) - Number(earlyRenewalHours) * hour <= Date.now();

const certificate = (
  inputs: Shape,
  defaults: Properties,
  algorithm: string,
  make: (inputs: Properties, context: Context) => [x509.Subject, x509.Signer | KeyObject],
  refuse?: (inputs: Properties) => Failures,
): Resource => ({
  ...resource(
    { ...issued, ...inputs },
    { earlyRenewalHours: 0, isCaCertificate: false, setSubjectKeyId: false, ...defaults },
    ["certPem", algorithm, "readyForRenewal", "validityStartTime", "validityEndTime"],
    (inputs, context) => {
      const [subject, signer] = make(inputs, context);
      const from = new Date();
      const until = new Date(from.getTime() + Number(inputs.validityPeriodHours) * hour);
      const { serial, bytes } = x509.certificate(subject, signer, {
        from,
        until,
        uses: list(inputs.allowedUses),
        authority: inputs.isCaCertificate === true,
        pathLength:
          Number(inputs.maxPathLength ?? -1) >= 0 ? Number(inputs.maxPathLength) : undefined,
        showKeyId: inputs.setSubjectKeyId === true,
        showAuthorityKeyId: inputs.setAuthorityKeyId === true,
      });
      return {
        id: serial,
        outputs: {
          certPem: x509.toPem("CERTIFICATE", bytes),
          [algorithm]: x509.algorithmOf("privateKey" in signer ? signer.privateKey : signer),
          readyForRenewal: false,
          validityStartTime: from.toISOString(),
          validityEndTime: until.toISOString(),
        },
      };
    },
  ),
  ...(refuse && { refuse }),
  drift: (state, inputs) =>
    new Map(due({ ...state.properties, ...inputs }) ? [["readyForRenewal", "update"]] : []),
  read: async ({ properties, inputs }) => ({
    inputs,
    outputs: due(properties) ? { ...properties, readyForRenewal: true } : properties,
  }),
});

const encodings: ED25519KeyPairOptions<"der", "der"> = {
  publicKeyEncoding: { format: "der", type: "spki" },
  privateKeyEncoding: { format: "der", type: "pkcs8" },
};

const generated = ({ algorithm, rsaBits, ecdsaCurve }: Properties): Buffer => {
  switch (algorithm) {
    case "RSA": {
      const modulusLength = Number(rsaBits ?? 2048);
      return generateKeyPairSync("rsa", { modulusLength, ...encodings }).privateKey;
    }
    case "ECDSA": {
      const namedCurve = curves[String(ecdsaCurve ?? "P224")]!;
      return generateKeyPairSync("ec", { namedCurve, ...encodings }).privateKey;
    }
    default:
      return generateKeyPairSync("ed25519", encodings).privateKey;
  }
};

/** Read from its bytes: Node.js waits for itself when it exports a key while it clears away the job that generated that key. */
const generate = (inputs: Properties): KeyObject =>
  createPrivateKey({ key: generated(inputs), format: "der", type: "pkcs8" });

const pems: Record<string, "pkcs1" | "sec1"> = { rsa: "pkcs1", ec: "sec1" };

const privateKey = resource(
  {
    algorithm: required(oneOf(["RSA", "ECDSA", "ED25519"])),
    ecdsaCurve: oneOf(Object.keys(curves)),
    rsaBits: whole(1024, 16_384),
  },
  { ecdsaCurve: "P224", rsaBits: 2048 },
  [
    "privateKeyOpenssh",
    "privateKeyPem",
    "privateKeyPemPkcs8",
    "publicKeyFingerprintMd5",
    "publicKeyFingerprintSha256",
    "publicKeyOpenssh",
    "publicKeyPem",
  ],
  (inputs) => {
    const key = generate(inputs);
    const pub = createPublicKey(key);
    const type = pems[key.asymmetricKeyType ?? ""] ?? "pkcs8";
    const ssh = openssh(key);
    return {
      id: createHash("sha1")
        .update(pub.export({ format: "der", type: "spki" }))
        .digest("hex"),
      outputs: {
        privateKeyPem: String(key.export({ format: "pem", type: type as "pkcs8" })),
        privateKeyPemPkcs8: String(key.export({ format: "pem", type: "pkcs8" })),
        privateKeyOpenssh: ssh?.privateKey ?? "",
        publicKeyPem: String(pub.export({ format: "pem", type: "spki" })),
        publicKeyOpenssh: ssh?.publicKey ?? "",
        publicKeyFingerprintMd5: ssh?.md5 ?? "",
        publicKeyFingerprintSha256: ssh?.sha256 ?? "",
      },
    };
  },
);

const certRequest = resource(named, {}, ["certRequestPem", "keyAlgorithm"], (inputs) => {
  const key = x509.privateKeyOf(String(inputs.privateKeyPem));
  const bytes = x509.request(nameOf(inputs), alternativesOf(inputs), key);
  return {
    id: createHash("sha1").update(bytes).digest("hex"),
    outputs: {
      certRequestPem: x509.toPem("CERTIFICATE REQUEST", bytes),
      keyAlgorithm: x509.algorithmOf(key),
    },
  };
});

const selfSignedCert = certificate(
  { ...named, setAuthorityKeyId: flag },
  { setAuthorityKeyId: false },
  "keyAlgorithm",
  (inputs) => {
    const key = x509.privateKeyOf(String(inputs.privateKeyPem));
    return [x509.ownSubject(nameOf(inputs), alternativesOf(inputs), key), key];
  },
  (inputs): Failures => {
    if (inputs.isCaCertificate !== true && inputs.setAuthorityKeyId && !inputs.setSubjectKeyId)
      return { setAuthorityKeyId: "Could not determine Authority Key Identifier" };
    return inputs.isCaCertificate === true && Object.keys(inputs.subject ?? {}).length === 0
      ? {
          subject:
            "Must contain at least one Distinguished Name when creating Certificate Authority (CA)",
        }
      : {};
  },
);

const locallySignedCert = certificate(
  {
    caCertPem: required(text),
    caPrivateKeyPem: required(text),
    certRequestPem: required(text),
  },
  {},
  "caKeyAlgorithm",
  (inputs, { warn }) => {
    const subject = x509.subjectOf(
      x509.fromPem("CERTIFICATE REQUEST", String(inputs.certRequestPem)),
    );
    const signer = x509.signerOf(
      x509.fromPem("CERTIFICATE", String(inputs.caCertPem)),
      x509.privateKeyOf(String(inputs.caPrivateKeyPem)),
    );
    if (!signer.authority)
      warn(
        "Certificate provided as Authority does not appear to be a valid Certificate Authority. " +
          "The resulting certificate might fail certificate validation.",
      );
    return [subject, signer];
  },
);

/** The plugin tls 5.6.1. */
export const provider: Plugin = {
  name: "tls",
  version: "5.6.1",
  resources: {
    "tls:index/privateKey:PrivateKey": privateKey,
    "tls:index/certRequest:CertRequest": certRequest,
    "tls:index/selfSignedCert:SelfSignedCert": selfSignedCert,
    "tls:index/locallySignedCert:LocallySignedCert": locallySignedCert,
  },
};
