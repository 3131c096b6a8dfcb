import { parse } from "yaml";
import type { Found, FoundNode } from "./found.ts";

/** Cipher suites that are not weak, by Go's names. */
const strong =
  /^TLS_((ECDHE_(ECDSA|RSA)_WITH_)?AES_(128_GCM_SHA256|256_GCM_SHA384)|(ECDHE_(ECDSA|RSA)_WITH_)?CHACHA20_POLY1305(_SHA256)?)$/;

/** The unit of a service. */
export const unit = (service: string) => `/etc/systemd/system/${service}.service`;
/** A file in the folder of Kubernetes. */
export const configuration = (name: string) => `/etc/kubernetes/${name}`;
/** Matches all paths below a folder that have an ending. */
export const below = (folder: string, ending = "") => new RegExp(`^${folder}/.*${ending}$`);

/** Files at these paths, which must be there, or whose paths match, have no permission beyond a mode. */
export const modes = (limit: number, ...paths: readonly (string | RegExp)[]) => ({
  faults: (found: Found) =>
    matching(found, paths, ({ mode }) =>
      (mode & ~limit) === 0 ? undefined : `mode ${octal(mode)}, at most ${octal(limit)} is right`,
    ),
});

/** Files at these paths belong to a user and group. */
export const owners = (owner: string, ...paths: readonly (string | RegExp)[]) => ({
  faults: (found: Found) =>
    matching(found, paths, ({ owner: own }) =>
      own === owner ? undefined : `belongs to ${own}, ${owner} is right`,
    ),
});

function matching(
  { files }: Found,
  paths: readonly (string | RegExp)[],
  fault: (file: { readonly mode: number; readonly owner: string }) => string | undefined,
): string[] {
  return paths.flatMap((wanted) => {
    if (typeof wanted === "string" && !files.has(wanted)) return [`${wanted} is missing`];
    return [...files]
      .filter(([path]) => (typeof wanted === "string" ? path === wanted : wanted.test(path)))
      .flatMap(([path, file]) => {
        const wrong = fault(file);
        return wrong === undefined ? [] : [`${path}: ${wrong}`];
      });
  });
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

type Value = string | undefined;

/** A flag of a running service has a value that is right; `undefined` is a flag that is not given. */
export const flag = (service: string, name: string, right: (value: Value) => boolean) => ({
  faults: ({ flags }: Found) => {
    const all = flags.get(service);
    if (all === undefined) return [`${service} does not run`];
    const value = all.get(name);
    if (right(value)) return [];
    return [value === undefined ? `--${name} is not set` : `--${name} is ${value}`];
  },
});

/** Several checks in one. */
export const both = (
  ...checks: readonly { readonly faults: (found: FoundNode) => readonly string[] }[]
) => ({
  faults: (found: FoundNode) => checks.flatMap(({ faults }) => faults(found)),
});

/** The flag is given. */
export const set = (value: Value) => value !== undefined && value !== "";
/** The flag is not given. */
export const unset = (value: Value) => value === undefined;
/** The flag has this value. */
export const is = (wanted: string) => (value: Value) => value === wanted;
/** The flag has another value, or its default. */
export const isNot = (other: string) => (value: Value) => value !== other;
/** The list of the flag has an item. */
export const has = (item: string) => (value: Value) => items(value).includes(item);
/** The list of the flag lacks an item. */
export const lacks = (item: string) => (value: Value) => !items(value).includes(item);
/** The flag is a number, and not smaller. */
export const atLeast = (least: number) => (value: Value) => Number(value ?? Number.NaN) >= least;
/** The list has strong cipher suites, and no other. */
export const allStrong = (value: Value) =>
  set(value) && items(value).every((suite) => strong.test(suite));

function items(value: Value): string[] {
  return (value ?? "").split(",").filter((item) => item !== "");
}

/** A flag of the API server has a value that is right. */
export const apiserver = (name: string, right: (value: Value) => boolean) =>
  flag("kube-apiserver", name, right);
/** A flag of the controller manager has a value that is right. */
export const manager = (name: string, right: (value: Value) => boolean) =>
  flag("kube-controller-manager", name, right);
/** A flag of etcd has a value that is right. */
export const etcd = (name: string, right: (value: Value) => boolean) => flag("etcd", name, right);

/** The configuration with which a kubelet runs is right. */
export const kubelet = (path: string, right: (value: unknown) => boolean) => ({
  faults: ({ kubelet }: FoundNode) => {
    const value = path
      .split(".")
      .reduce<unknown>(
        (part, name) => (part as Record<string, unknown> | undefined)?.[name],
        kubelet,
      );
    return right(value) ? [] : [`the kubelet's ${path} is ${JSON.stringify(value) ?? "not set"}`];
  },
});

/** The feature gate RotateKubeletServerCertificate is on, as it is unless somebody turns it off. */
export const rotatesServing = (value: Value) =>
  !/(^|,)RotateKubeletServerCertificate=(false|f|0)(,|$)/i.test(value ?? "");

/** Resources of which the audit log must have at least metadata, whoever asks for them. */
const audited = [
  "secrets",
  "configmaps",
  "tokenreviews",
  "pods",
  "deployments",
  "pods/exec",
  "pods/portforward",
  "pods/proxy",
  "services/proxy",
];

interface Rule {
  readonly level: string;
  readonly verbs?: readonly string[];
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly resources?: readonly { readonly resources?: readonly string[] }[];
  readonly nonResourceURLs?: readonly string[];
}

/** What of the audited resources the audit policy leaves out. */
export function auditFaults({ auditPolicy }: Found): string[] {
  const { rules = [] } = (parse(auditPolicy) ?? {}) as { readonly rules?: readonly Rule[] };
  return audited
    .filter((resource) => {
      // Pods and deployments matter when they are changed; only reading may be left out.
      const changes = resource === "pods" || resource === "deployments";
      const first = rules.find(
        ({ level, verbs, resources, nonResourceURLs, users, userGroups }) => {
          if (nonResourceURLs !== undefined) return false;
          const covers =
            resources === undefined || resources.some((one) => one.resources?.includes(resource));
          if (!covers) return false;
          if (level !== "None") return !verbs && !users && !userGroups;
          return !changes || !verbs?.every((verb) => ["get", "list", "watch"].includes(verb));
        },
      );
      return first === undefined || first.level === "None";
    })
    .map((resource) => `the audit policy leaves out some requests for ${resource}`);
}

/** A text that is not empty. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
