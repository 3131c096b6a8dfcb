import { publicKeyHash } from "../../components/certificate-authority.ts";
import { authorityPlaces, isPem, readAuthority, type WrittenAuthority } from "../authority.ts";
import type { Sound } from "../draft.ts";
import type { ReadFile } from "../files.ts";
import { mistakeAt } from "../mistake.ts";
import type { Subject } from "./subject.ts";

/** No certificate outlives its authority, and each is renewed during its life. */
export function certificateTimes({ draft: { certificates = {} } }: Subject): string[] {
  const { validityHours, validityHoursOf = {}, caValidityHours, earlyRenewalHours } = certificates;
  const mistakes: string[] = [];
  if (validityHours && caValidityHours && validityHours > caValidityHours) {
    const wrong = `longer than certificates.caValidityHours ${caValidityHours}`;
    const todo = "let no certificate outlive its authority";
    mistakes.push(mistakeAt("certificates.validityHours", wrong, validityHours, todo));
  }
  for (const [kind, hours] of Object.entries(validityHoursOf))
    if (hours && caValidityHours && hours > caValidityHours) {
      const wrong = `longer than certificates.caValidityHours ${caValidityHours}`;
      const todo = "let no certificate outlive its authority";
      mistakes.push(mistakeAt(`certificates.validityHoursOf.${kind}`, wrong, hours, todo));
    }
  if (validityHours && earlyRenewalHours && earlyRenewalHours >= validityHours) {
    const wrong = `not shorter than certificates.validityHours ${validityHours}`;
    const todo = "renew a certificate during its life";
    mistakes.push(mistakeAt("certificates.earlyRenewalHours", wrong, earlyRenewalHours, todo));
  }
  return mistakes;
}

/** Each external authority can sign, and its key is not in plain text in the settings. */
export function externalAuthority({ draft, context: { read, isSecret } }: Subject): string[] {
  const { authority, nextAuthority } = draft.certificates ?? {};
  return [authority, nextAuthority].flatMap((written, index) => {
    const { certificate, privateKey } = written ?? {};
    if (certificate === undefined || privateKey === undefined) return [];
    const place = authorityPlaces[index]!;
    const result = readAuthority({ certificate, privateKey }, read, place);
    const mistakes = "mistakes" in result ? result.mistakes : [];
    if (!isPem(privateKey) || isSecret("certificates")) return mistakes;
    const where = `${place}.privateKey`;
    const todo = `encrypt it by pulumi config set --secret --path 'kthw:${where}', or name a file`;
    return [...mistakes, mistakeAt(where, "in plain text in the settings", "[secret]", todo)];
  });
}

/** A machine that joined by itself would keep the former authority of the cluster's clients. */
export function rotatedAuthority({ draft: { certificates, workerPools = [] } }: Subject): string[] {
  const step = certificates?.rotation?.kubernetesCa;
  if (step === undefined || step.startsWith("drop")) return [];
  return workerPools.flatMap((pool, index) => {
    if (pool?.join === undefined || pool.join === "certificates") return [];
    const wrong = `a kubelet of workerPools[${index}], which joins by ${pool.join}, keeps the authority with which it joined`;
    const todo = "let the pool join by certificates from an update before on";
    return [mistakeAt(ofRotation, wrong, step, todo)];
  });
}

const ofRotation = "certificates.rotation.kubernetesCa";

/** The next external authority is there only while the one before is rotated, and where everybody accepts what it signs. */
export function nextAuthority({ draft, context: { read } }: Subject): string[] {
  const { authority, nextAuthority: next, rotation } = draft.certificates ?? {};
  const step = rotation?.kubernetesCa;
  const isTurning = step !== undefined && !step.startsWith("drop");
  const [former, where] = authorityPlaces;
  if (!next) {
    if (!authority || !isTurning) return [];
    const wrong = `missing at ${ofRotation} ${step}`;
    return [mistakeAt(where, wrong, undefined, `give what replaces ${former}`)];
  }
  const group = "a group";
  if (!authority) return [mistakeAt(where, `without ${former}`, group, "leave it out")];
  if (!isTurning) {
    const wrong = `of use only at trust and sign of ${ofRotation}, which is ${step ?? "not there"}`;
    const todo = `write it as ${former} at drop, and leave it out before trust`;
    return [mistakeAt(where, wrong, group, todo)];
  }
  const mistakes = mistakesBeside(authority, next, read);
  if (!draft.joinTokens?.length) return mistakes;
  const wrong = `guests know API servers by ${former} alone, without its root`;
  const todo = "let the guests leave, and leave joinTokens out until drop has ended";
  return [...mistakes, mistakeAt(ofRotation, wrong, step, todo)];
}

/** What is wrong with an external authority that takes the place of another, where both can sign. */
function mistakesBeside(
  former: Sound<WrittenAuthority>,
  next: Sound<WrittenAuthority>,
  read: ReadFile,
): string[] {
  const [one, other] = [former, next].map(({ certificate, privateKey }) => {
    if (certificate === undefined || privateKey === undefined) return undefined;
    const result = readAuthority({ certificate, privateKey }, read);
    return "authority" in result ? result.authority : undefined;
  });
  if (!one || !other) return [];
  const [ofFormer, where] = authorityPlaces;
  const shown = isPem(next.certificate!) ? "a text" : next.certificate;
  const mistake = (wrong: string, todo: string) =>
    mistakeAt(`${where}.certificate`, wrong, shown, todo);
  const [root, otherRoot] = [one, other].map(({ issuerChainPem }) => issuerChainPem.at(-1));
  return [
    ...(publicKeyHash(one.certificatePem) === publicKeyHash(other.certificatePem)
      ? [
          mistake(
            `has the key of ${ofFormer}`,
            "give one with another key, or renew the certificate without a rotation",
          ),
        ]
      : []),
    ...(root === undefined || root !== otherRoot
      ? [
          mistake(
            `does not end with the same certificate as ${ofFormer}.certificate`,
            "write both up to the same root, by which servers are verified meanwhile",
          ),
        ]
      : []),
  ];
}
