import { aesKey } from "../../../components/render/kube-apiserver.ts";
import { nameOf, type ResourceState } from "./preview.ts";

/** Texts that give a secret away, by the text, with the resource whose secret it is. */
export type SecretTexts = Map<string, string>;

/** Texts by which the private keys and random bytes of resources are known again, the secrets being shown in them. */
export function secretTexts(resources: readonly ResourceState[]): SecretTexts {
  const parts: { text: string; secret: string }[] = [];
  for (const { urn, type, outputs } of resources) {
    const own = [...strings(outputs)];
    const bodies =
      type === "tls:index/privateKey:PrivateKey"
        ? own.flatMap((text) => [...text.matchAll(privateKey)])
        : [];
    const secret = nameOf(urn);
    for (const [pem, body] of bodies) {
      // Kubeconfigs hold a key in base64 once more, without line breaks.
      const again = Buffer.from(pem).toString("base64").match(/.{64}/g) ?? [];
      // The public key is a part of the private one.
      for (const text of [...body!.trim().split("\n"), ...again])
        if (!own.some((whole) => whole.includes(text) && !whole.includes("PRIVATE")))
          parts.push({ text, secret });
    }
    if (type === "random:index/randomPassword:RandomPassword") {
      for (const text of own) parts.push({ text, secret }, { text: aesKey(text), secret });
    }
  }
  // What the keys of one kind have in common gives none of them away, and neither does a short rest.
  const shared = new Map<string, number>();
  for (const { text } of parts) shared.set(text, (shared.get(text) ?? 0) + 1);
  return new Map(
    parts
      .filter(({ text }) => text.length >= 32 && shared.get(text) === 1)
      .map(({ text, secret }) => [text, secret]),
  );
}

/** The secrets that a text holds a part of, each as `where: secret`. */
export function leaks(secrets: SecretTexts, where: string, text: string): string[] {
  const found = [...secrets].filter(([part]) => text.includes(part));
  return [...new Set(found.map(([, secret]) => `${where}: ${secret}`))];
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
