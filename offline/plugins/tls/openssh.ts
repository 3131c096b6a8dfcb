/** Keys as OpenSSH writes them. */
import { createHash, type KeyObject, randomBytes } from "node:crypto";

const field = (value: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
/** A number has a leading zero where its first bit would read as a sign. */
const number = (base64url: string | undefined): Buffer => {
  const bytes = Buffer.from(base64url ?? "", "base64url");
  return field((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes);
};
const raw = (base64url: string | undefined): Buffer => Buffer.from(base64url ?? "", "base64url");

const curves: Record<string, string> = {
  "P-256": "nistp256",
  "P-384": "nistp384",
  "P-521": "nistp521",
};

/** A private key and its public key with its fingerprints; nothing for the curve that OpenSSH does not know. */
export function openssh(key: KeyObject) {
  if (key.asymmetricKeyDetails?.namedCurve === "secp224r1") return undefined;
  const jwk = key.export({ format: "jwk" });
  let type: string;
  let open: Buffer;
  let closed: Buffer;
  if (jwk.kty === "RSA") {
    type = "ssh-rsa";
    open = Buffer.concat([number(jwk.e), number(jwk.n)]);
    closed = Buffer.concat([
      number(jwk.n),
      number(jwk.e),
      number(jwk.d),
      number(jwk.qi),
      number(jwk.p),
      number(jwk.q),
    ]);
  } else if (jwk.kty === "EC") {
    const curve = curves[jwk.crv ?? ""] ?? "";
    type = `ecdsa-sha2-${curve}`;
    open = Buffer.concat([
      field(curve),
      field(Buffer.concat([Buffer.from([4]), raw(jwk.x), raw(jwk.y)])),
    ]);
    closed = Buffer.concat([open, number(jwk.d)]);
  } else {
    type = "ssh-ed25519";
    open = field(raw(jwk.x));
    closed = Buffer.concat([open, field(Buffer.concat([raw(jwk.d), raw(jwk.x)]))]);
  }
  const blob = Buffer.concat([field(type), open]);
  const check = randomBytes(4);
  let body = Buffer.concat([check, check, field(type), closed, field("")]);
  for (let i = 1; body.length % 8 !== 0; i++) body = Buffer.concat([body, Buffer.from([i])]);
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    field("none"),
    field("none"),
    field(""),
    Buffer.from([0, 0, 0, 1]),
    field(blob),
    field(body),
  ]);
  return {
    publicKey: `${type} ${blob.toString("base64")}\n`,
    privateKey: `-----BEGIN OPENSSH PRIVATE KEY-----\n${whole.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END OPENSSH PRIVATE KEY-----\n`,
    md5: createHash("md5")
      .update(blob)
      .digest("hex")
      .replace(/..(?=.)/g, "$&:"),
    sha256: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`,
  };
}
