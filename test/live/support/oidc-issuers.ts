import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { eventually, output } from "./run.ts";

const program = fileURLToPath(new URL("https-files.ts", import.meta.url));
const address = "10.240.0.1";
const port = 8443;

/** The address of the issuers, which their certificate must have. */
export const issuersAddress = address;
/** The audience of the tokens. */
export const audience = "kubernetes";

/** Issuers of OpenID Connect in the network of the machines: a discovery document and a key for each, and tokens signed by that key. */
export class OidcIssuers {
  readonly #keys = new Map<string, KeyObject>();
  readonly #folder: string;
  readonly #child;

  private constructor(namespace: string, folder: string) {
    this.#folder = folder;
    const words = [program, address, `${port}`, folder];
    const node = [process.execPath, "--import", "tsx", ...words];
    this.#child = execa("ip", ["netns", "exec", namespace, ...node], {
      stdin: "pipe",
      stderr: "inherit",
      reject: false,
      cleanup: false,
    });
  }

  /** Starts a server of issuers of these names; its folder holds a certificate server.pem, the key server-key.pem, and root.pem, which is above it. */
  static async start(
    namespace: string,
    folder: string,
    names: readonly string[],
  ): Promise<OidcIssuers> {
    const issuers = new OidcIssuers(namespace, folder);
    for (const name of names) await issuers.#add(name);
    const curl = ["curl", "--fail", "--silent", "--cacert", join(folder, "root.pem")];
    const url = `${issuers.url(names[0]!)}/keys`;
    await eventually(() => output("ip", ["netns", "exec", namespace, ...curl, url]));
    return issuers;
  }

  /** The URL of an issuer. */
  url(name: string): string {
    return `https://${address}:${port}/${name}`;
  }

  /** A token of an issuer, signed by the issuer's key, or by one that the issuer does not know. */
  token(name: string, claims: object, by: "issuer" | "stranger" = "issuer"): string {
    const key = by === "issuer" ? this.#keys.get(name)! : newKey();
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, exp: now + 3600 };
    const encoded = [
      { alg: "ES256", typ: "JWT", kid: name },
      { iss: this.url(name), aud: audience, ...times, ...claims },
    ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
    const signed = encoded.join(".");
    const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }

  /** Ends the server. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    await this.#child;
  }

  async #add(name: string): Promise<void> {
    const key = newKey();
    this.#keys.set(name, key);
    const { kty, crv, x, y } = key.export({ format: "jwk" });
    const url = this.url(name);
    const documents = {
      ".well-known/openid-configuration": {
        issuer: url,
        jwks_uri: `${url}/keys`,
        authorization_endpoint: `${url}/auth`,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
      },
      keys: { keys: [{ kty, crv, x, y, kid: name, use: "sig", alg: "ES256" }] },
    };
    await mkdir(join(this.#folder, name, ".well-known"), { recursive: true });
    for (const [path, document] of Object.entries(documents))
      await writeFile(join(this.#folder, name, path), JSON.stringify(document));
  }
}

function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
}
