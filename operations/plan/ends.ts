import { certificatesIn } from "../certificates/certificates.ts";
import { compare } from "./plan.ts";
import { effective, nameOf, type PreviewStep, type ResourceState } from "./steps.ts";

/** A certificate before and after an update. */
export interface CertificateEnd {
  /** The name of the certificate's resource. */
  readonly name: string;
  /** Common name, and the organization that Kubernetes takes for the group. */
  readonly subject: string;
  /** When the present certificate ends; undefined for a new one. */
  readonly end?: Date;
  readonly change: "stays" | "new" | "renewed" | "removed";
  /** How many hours from the update on a new or renewed certificate is valid. */
  readonly validHours?: number;
}

/** The certificates of a preview, those that end first before the others, and at the end those that are new. */
export function certificateEnds(steps: readonly PreviewStep[]): CertificateEnd[] {
  const changed = new Map(
    effective(steps)
      .filter(({ newState, oldState }) => isCertificate(newState ?? oldState))
      // Of the steps of a replacement, the one that makes the new certificate counts.
      .sort((a, b) => Number(a.newState !== undefined) - Number(b.newState !== undefined))
      .map((step) => [nameOf(step.urn), step]),
  );
  const present = certificatesIn(
    [...statesBefore(steps).values()].filter(isIssued),
    new Date(0),
  ).map(({ name, subject, end }): CertificateEnd => {
    const step = changed.get(name);
    changed.delete(name);
    if (step === undefined) return { name, subject, end, change: "stays" };
    if (step.newState === undefined) return { name, subject, end, change: "removed" };
    return { name, subject, end, change: "renewed", ...validity(step) };
  });
  const made = [...changed]
    .filter(([, { newState }]) => newState !== undefined)
    .sort(([one], [other]) => compare(one, other))
    .map(([name, step]): CertificateEnd => {
      const subject = subjectOf(step.newState) ?? subjectOf(requestOf(name, steps)) ?? "";
      const change = step.oldState === undefined ? "new" : "renewed";
      return { name, subject, change, ...validity(step) };
    });
  return [...present, ...made];
}

function isCertificate(state: ResourceState | undefined): boolean {
  return /^tls:index\/(locallySigned|selfSigned)Cert:/.test(state?.type ?? "");
}

/** The resources before the update, each once: a replacement has several steps. */
function statesBefore(steps: readonly PreviewStep[]): ReadonlyMap<string, ResourceState> {
  return new Map(
    steps.flatMap(({ op, urn, oldState, newState }) => {
      const state = oldState ?? (op === "same" ? newState : undefined);
      return state === undefined ? [] : [[urn, state] as const];
    }),
  );
}

/** Whether a resource has certificates among its outputs, or is none; one that an earlier update has left half made has not. */
function isIssued(state: ResourceState): boolean {
  return !isCertificate(state) || String(state.outputs?.["certPem"]).startsWith("-----BEGIN ");
}

function validity({ newState }: PreviewStep): { readonly validHours?: number } {
  const hours = newState?.inputs?.["validityPeriodHours"];
  return typeof hours === "number" ? { validHours: hours } : {};
}

/** The request of a certificate that components/certificate-authority.ts issues. */
function requestOf(name: string, steps: readonly PreviewStep[]): ResourceState | undefined {
  return steps.find(({ urn }) => nameOf(urn) === `${name}-request`)?.newState;
}

function subjectOf(state: ResourceState | undefined): string | undefined {
  const { commonName, organization } = (state?.inputs?.["subject"] ?? {}) as {
    readonly commonName?: string;
    readonly organization?: string;
  };
  return commonName && [commonName, organization].filter(Boolean).join(", ");
}
