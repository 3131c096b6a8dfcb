import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, PEM. */
export interface Made {
  readonly certificate: string;
  readonly key: string;
}

/** What else than usual is in a certificate; usages in the words of OpenSSL. */
export interface Terms {
  /** @default the certificate itself */
  readonly by?: Made;
  /** @default an hour ago */
  readonly from?: Date;
  /** @default in a year */
  readonly until?: Date;
  /** @default true */
  readonly authority?: boolean;
  readonly pathLength?: number;
  /** @default digitalSignature,keyCertSign */
  readonly keyUsage?: string;
  readonly extendedKeyUsage?: string;
}

const hour = 3_600_000;

/** Makes a certificate of an authority by OpenSSL. */
export function authority(commonName: string, terms: Terms = {}): Made {
  const {
    by,
    from = new Date(Date.now() - hour),
    until = new Date(Date.now() + 8760 * hour),
    authority = true,
    pathLength,
    keyUsage = "digitalSignature,keyCertSign",
    extendedKeyUsage,
  } = terms;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const folder = mkdtempSync(join(tmpdir(), "kthw-authority-"));
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const date = (of: Date) =>
    `${of
      .toISOString()
      .replace(/\.\d+Z$/, "")
      .replaceAll(/\D/g, "")}Z`;
  try {
    file("index", "");
    const config = file(
      "config",
      `
[req]
distinguished_name = name
[name]
[ca]
default_ca = authority
[authority]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
[policy]
commonName = supplied
[extensions]
basicConstraints = critical,CA:${authority}${pathLength === undefined ? "" : `,pathlen:${pathLength}`}
keyUsage = critical,${keyUsage}
${extendedKeyUsage === undefined ? "" : `extendedKeyUsage = ${extendedKeyUsage}`}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
`,
    );
    const own = file("key", key);
    const signer = by
      ? ["-cert", file("issuer", by.certificate), "-keyfile", file("issuer-key", by.key)]
      : ["-selfsign", "-keyfile", own];
    openssl(
      "req",
      "-new",
      "-config",
      config,
      "-key",
      own,
      "-subj",
      `/CN=${commonName}`,
      "-out",
      "request",
    );
    openssl(
      ...["ca", "-batch", "-notext", "-config", config, ...signer],
      ...["-startdate", date(from), "-enddate", date(until), "-extensions", "extensions"],
      ...["-in", "request", "-out", "certificate"],
    );
    return { certificate: readFileSync(join(folder, "certificate"), "utf8"), key };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
