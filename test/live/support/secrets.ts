import { createPrivateKey } from "node:crypto";
import { nameOf, type ResourceState } from "../../../operations/plan/steps.ts";
import { aesKey } from "../../../services/kube-apiserver.ts";

/** Texts that give a secret away, by the text, with the resource whose secret it is. */
export type SecretTexts = Map<string, string>;

/** Texts by which the private keys and random bytes of resources are known again, the secrets being shown in them. */
export function secretTexts(resources: readonly ResourceState[]): SecretTexts {
  const parts: { text: string; secret: string }[] = [];
  const tokens: [string, string][] = [];
  for (const { urn, type, outputs } of resources) {
    const own = [...strings(outputs)];
    const bodies =
      type === "tls:index/privateKey:PrivateKey"
        ? own.flatMap((text) => [...text.matchAll(privateKey)])
        : [];
    const secret = nameOf(urn);
    const numbers = own.flatMap(secretNumbers);
    for (const [pem, body] of bodies) {
      const lines = secretLines(body!.trim(), numbers);
      // Kubeconfigs hold a key in base64 once more, without line breaks.
      const again = (Buffer.from(pem).toString("base64").match(/.{64}/g) ?? []).filter((chunk) => {
        const within = Buffer.from(chunk, "base64").toString().slice(12, 36);
        return lines.some((line) => line.includes(within));
      });
      for (const text of [...lines, ...again]) parts.push({ text, secret });
    }
    if (type === "random:index/randomPassword:RandomPassword") {
      for (const text of own) parts.push({ text, secret }, { text: aesKey(text), secret });
      // What stands before the dot of a bootstrap token is public.
      const token = own.find((text) => /^[a-z0-9]{22}$/.test(text))?.slice(6);
      if (token !== undefined) tokens.push([token, secret]);
    }
  }
  // What the keys of one kind have in common gives none of them away, and neither does a short rest.
  const shared = new Map<string, number>();
  for (const { text } of parts) shared.set(text, (shared.get(text) ?? 0) + 1);
  const own = parts.filter(({ text }) => text.length >= 32 && shared.get(text) === 1);
  return new Map([...tokens, ...own.map(({ text, secret }) => [text, secret] as const)]);
}

/** The secrets that a text holds a part of, each as `where: secret`. */
export function leaks(secrets: SecretTexts, where: string, text: string): string[] {
  const found = [...secrets].filter(([part]) => text.includes(part));
  return [...new Set(found.map(([, secret]) => `${where}: ${secret}`))];
}

/** The numbers of a private key that are not in its public key; of what is no PEM, none. */
function secretNumbers(pem: string): Buffer[] {
  if (!/^-----BEGIN ((RSA|EC) )?PRIVATE KEY-----/.test(pem)) return [];
  const { d, p, q } = createPrivateKey(pem).export({ format: "jwk" });
  return [d, p, q].filter((number) => number !== undefined).map((n) => Buffer.from(n, "base64url"));
}

/** Those lines of a private key's body that hold a good part of its secret numbers. */
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

/** All texts in a value; a shown secret is JSON within JSON. */
function* strings(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      if (name === "plaintext") yield* strings(JSON.parse(String(item)));
      else yield* strings(item);
    }
  }
}
