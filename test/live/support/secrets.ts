import { createPrivateKey } from "node:crypto";
import { nameOf, type ResourceState } from "../../../operations/plan/steps.ts";
import { encryptionSecret } from "../../../services/encryption-keys.ts";

/** Texts that give a secret away, with the name of the secret's resource. */
export type SecretTexts = Map<string, string>;

/** Parts of the private keys and random bytes of resources; the resources must show their secrets. */
export function secretTexts(resources: readonly ResourceState[]): SecretTexts {
  const parts: Part[] = [];
  const tokens: [string, string][] = [];
  for (const { urn, type, outputs } of resources) {
    const own = [...strings(outputs)];
    const secret = nameOf(urn);
    if (type === "tls:index/privateKey:PrivateKey") parts.push(...keyParts(own, secret));
    if (type === "random:index/randomPassword:RandomPassword") {
      for (const text of own)
        parts.push({ text, secret }, { text: encryptionSecret(text), secret });
      // The part of a bootstrap token before the dot is public.
      const token = own.find((text) => /^[a-z0-9]{22}$/.test(text))?.slice(6);
      if (token !== undefined) tokens.push([token, secret]);
    }
  }
  return new Map([...tokens, ...ownParts(parts)]);
}

/** Parts of the private keys in a text of PEM. */
export function secretTextsOfKeys(pem: string, secret: string): SecretTexts {
  const keys = [...pem.matchAll(privateKey)].map(([key]) => key);
  return new Map(ownParts(keys.flatMap((key) => keyParts([key], secret))));
}

interface Part {
  readonly text: string;
  /** The name of the secret that the part gives away. */
  readonly secret: string;
}

/** Parts of a private key, of which there are several forms. */
function keyParts(forms: readonly string[], secret: string): Part[] {
  const numbers = forms.flatMap(secretNumbers);
  return forms
    .flatMap((text) => [...text.matchAll(privateKey)])
    .flatMap(([pem, body]) => {
      const lines = secretLines(body!.trim(), numbers);
      // Kubeconfigs hold a key's PEM in base64, without line breaks.
      const again = (Buffer.from(pem).toString("base64").match(/.{64}/g) ?? []).filter((chunk) => {
        const within = Buffer.from(chunk, "base64").toString().slice(12, 36);
        return lines.some((line) => line.includes(within));
      });
      return [...lines, ...again].map((text) => ({ text, secret }));
    });
}

/** A part that several keys share gives none of them away, and neither does a short part. */
function ownParts(parts: readonly Part[]): [text: string, secret: string][] {
  const shared = new Map<string, number>();
  for (const { text } of parts) shared.set(text, (shared.get(text) ?? 0) + 1);
  return parts
    .filter(({ text }) => text.length >= 32 && shared.get(text) === 1)
    .map(({ text, secret }) => [text, secret]);
}

/** The secrets of which a text holds a part, each as `where: secret`. */
export function leaks(secrets: SecretTexts, where: string, text: string): string[] {
  const found = [...secrets].filter(([part]) => text.includes(part));
  return [...new Set(found.map(([, secret]) => `${where}: ${secret}`))];
}

/** The numbers of a private key that are not in its public key; none if the text is no PEM. */
function secretNumbers(pem: string): Buffer[] {
  if (!/^-----BEGIN ((RSA|EC) )?PRIVATE KEY-----/.test(pem)) return [];
  const { d, p, q } = createPrivateKey(pem).export({ format: "jwk" });
  return [d, p, q].filter((number) => number !== undefined).map((n) => Buffer.from(n, "base64url"));
}

/** The lines of a private key's body that hold at least 16 bytes of its secret numbers. */
function secretLines(body: string, numbers: readonly Buffer[]): string[] {
  const bytes = Buffer.from(body, "base64");
  let end = 0;
  return body.split("\n").filter((line) => {
    const start = end;
    end += line.length;
    const own = bytes.subarray(Math.ceil((start * 3) / 4), Math.floor((end * 3) / 4));
    return own.some((_, at) => {
      const window = own.subarray(at, at + 16);
      return window.length === 16 && numbers.some((number) => number.includes(window));
    });
  });
}

const privateKey =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]*)-----END [A-Z ]*PRIVATE KEY-----\n?/g;

/** All texts in a value; the text of a shown secret is JSON. */
function* strings(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      if (name === "plaintext") yield* strings(JSON.parse(String(item)));
      else yield* strings(item);
    }
  }
}
