import { isPem, readAuthority } from "../authority.ts";
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

/** The external authority can sign, and its key is not in plain text in the settings. */
export function externalAuthority({ draft, context: { read, isSecret } }: Subject): string[] {
  const { certificate, privateKey } = draft.certificates?.authority ?? {};
  if (certificate === undefined || privateKey === undefined) return [];
  const result = readAuthority({ certificate, privateKey }, read);
  const mistakes = "mistakes" in result ? result.mistakes : [];
  if (!isPem(privateKey) || isSecret("certificates")) return mistakes;
  const where = "certificates.authority.privateKey";
  const todo = `encrypt it by pulumi config set --secret --path 'kthw:${where}', or name a file`;
  return [...mistakes, mistakeAt(where, "in plain text in the settings", "[secret]", todo)];
}

/** The authority of the cluster's clients is rotated only where the program issues all of its certificates. */
export function rotatedAuthority({ draft: { certificates, workerPools = [] } }: Subject): string[] {
  const step = certificates?.rotation?.kubernetesCa;
  if (step === undefined) return [];
  const where = "certificates.rotation.kubernetesCa";
  const mistakes = workerPools.flatMap((pool, index) => {
    if (pool?.join === undefined || pool.join === "certificates" || step.startsWith("drop"))
      return [];
    const wrong = `a kubelet of workerPools[${index}], which joins by ${pool.join}, keeps the authority with which it joined`;
    const todo = "let the pool join by certificates from an update before on";
    return [mistakeAt(where, wrong, step, todo)];
  });
  if (certificates?.authority === undefined) return mistakes;
  const wrong = "not possible with certificates.authority, which others sign";
  return [...mistakes, mistakeAt(where, wrong, step, "leave it out")];
}
