import { itemsOf } from "../../services/extra-flags.ts";
import { webhookAt, webhookPath } from "../../services/kube-apiserver.ts";
import { isPath, readGroup } from "../files.ts";
import { knownTo } from "../kubernetes.ts";
import { isDnsName } from "../label.ts";
import { mistakeAt, nearest, place } from "../mistake.ts";
import { at, inStruct, type Path } from "./fields.ts";
import type { Subject } from "./subject.ts";

/** https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Policy */
interface Policy {
  readonly omitStages?: readonly string[];
  readonly rules?: readonly {
    readonly level?: string;
    readonly resources?: readonly Resources[];
    readonly namespaces?: readonly string[];
    readonly nonResourceURLs?: readonly string[];
    readonly omitStages?: readonly string[];
  }[];
}
interface Resources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** The audit policy is one that an API server takes: with a faulty one, the API server would not start. */
export function auditPolicy(subject: Subject): string[] {
  const kind = { apiVersion: "audit.k8s.io/v1", kind: "Policy" };
  return inDocument(
    subject,
    "auditPolicy",
    kind,
    ({ omitStages = [], rules = [] }: Policy, path) => [
      ...inStages(omitStages, [...path, "omitStages"]),
      ...(rules.length === 0
        ? [at([...path, "rules"], "no rule", undefined, "list one at least")]
        : []),
      ...rules.flatMap((rule, index) => {
        const where = [...path, "rules", index];
        const { level, resources = [], namespaces = [], nonResourceURLs = [] } = rule;
        return [
          ...(levels.includes(level ?? "")
            ? []
            : [at([...where, "level"], "not a level", level, `use one of ${levels.join(", ")}`)]),
          ...inStages(rule.omitStages ?? [], [...where, "omitStages"]),
          ...(nonResourceURLs.length > 0 && resources.length + namespaces.length > 0
            ? [
                at(
                  [...where, "nonResourceURLs"],
                  "beside resources or namespaces",
                  nonResourceURLs,
                  "write two rules",
                ),
              ]
            : []),
          ...nonResourceURLs.flatMap((url, i) => inUrl(url, [...where, "nonResourceURLs", i])),
          ...resources.flatMap((of, i) => inResources(of, [...where, "resources", i])),
        ];
      }),
    ],
  );
}

const levels = ["None", "Metadata", "Request", "RequestResponse"];
const stages = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

function inStages(omitted: readonly string[], path: Path): string[] {
  return omitted.flatMap((stage, index) =>
    stages.includes(stage)
      ? []
      : [at([...path, index], "not a stage", stage, `use some of ${stages.join(", ")}`)],
  );
}

function inUrl(url: string, path: Path): string[] {
  if (url === "*" || /^\/[^*]*\*?$/.test(url)) return [];
  return [at(path, "not a path of the API", url, "write it like /healthz or /healthz*")];
}

function inResources(
  { group = "", resources = [], resourceNames = [] }: Resources,
  path: Path,
): string[] {
  return [
    ...(group === "" || group === "*" || isDnsName(group)
      ? []
      : [
          at(
            [...path, "group"],
            "not an API group",
            group,
            "write it like apps, without a version",
          ),
        ]),
    ...(resourceNames.length > 0 && resources.length === 0
      ? [at([...path, "resourceNames"], "names without resources", resourceNames, "list resources")]
      : []),
  ];
}

/** https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/#apiserver-config-k8s-io-v1-AdmissionConfiguration */
interface Admission {
  readonly plugins?: readonly { readonly name?: string }[];
}

/** The configuration of admission plugins is one that an API server takes, and names plugins that are there. */
export function admissionConfiguration(subject: Subject): string[] {
  const kind = { apiVersion: "apiserver.config.k8s.io/v1", kind: "AdmissionConfiguration" };
  const { apiServer, kubernetesVersion } = subject.draft;
  const flag = "admission-control-config-file";
  const given = apiServer?.extraFlags?.[flag];
  return inDocument(
    subject,
    "admissionConfiguration",
    kind,
    ({ plugins = [] }: Admission, path) => {
      const known = knownTo(kubernetesVersion!).admissionPlugins;
      return [
        ...(given === undefined
          ? []
          : [
              at(
                ["apiServer", "extraFlags", flag],
                "beside apiServer.admissionConfiguration",
                given,
                "leave it out",
              ),
            ]),
        ...plugins.flatMap(({ name }, index) => {
          if (known.includes(name ?? "")) return [];
          const meant = nearest(name ?? "", known);
          const todo = meant ? `did you mean ${meant}?` : `use some of ${known.join(", ")}`;
          return [at([...path, "plugins", index, "name"], "not an admission plugin", name, todo)];
        }),
      ];
    },
  );
}

/** What is wrong with a document as YAML, as one of its kind, or as a value of its struct; if nothing is, what `check` finds. */
function inDocument<T>(
  { draft, context }: Subject,
  setting: "auditPolicy" | "admissionConfiguration",
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  check: (document: T, path: Path) => string[],
): string[] {
  const written = draft.apiServer?.[setting];
  if (written === undefined || draft.kubernetesVersion === undefined) return [];
  const path: Path = ["apiServer", setting];
  const result = readGroup(written, context.read);
  const shown = isPath(written) ? written : "a text";
  if ("wrong" in result) return [at(path, result.wrong, shown, result.todo)];
  const { group } = result;
  if (group.apiVersion !== apiVersion || group.kind !== kind) {
    const got = [group.apiVersion, group.kind].filter((word) => word !== undefined).join(" ");
    const todo = `give one of apiVersion ${apiVersion} and kind ${kind}`;
    return [at(path, `not a document of kind ${kind}`, got || undefined, todo)];
  }
  const mistakes = inStruct(kind, group, path, knownTo(draft.kubernetesVersion));
  return mistakes.length > 0 ? mistakes : check(group as T, path);
}

/** Each webhook's kubeconfig names a server, and each is named by a flag or by the configuration of admission plugins. */
export function webhooks({ draft, context }: Subject): string[] {
  const { webhooks = {}, extraFlags = {}, admissionConfiguration } = draft.apiServer ?? {};
  const admission = admissionConfiguration && readGroup(admissionConfiguration, context.read);
  const naming = [
    ...Object.values(extraFlags).map(String),
    admission && "group" in admission ? JSON.stringify(admission.group) : "",
  ].join("\n");
  const names = Object.keys(webhooks);
  return [
    ...Object.entries(webhooks).flatMap(([name, written]) => {
      if (written === undefined) return [];
      const where = place(["apiServer", "webhooks", name]);
      const shown = isPath(written) ? written : "[secret]";
      const result = readGroup(written, context.read);
      const fault = "wrong" in result ? result : faultOfKubeconfig(result.group);
      const path = webhookPath(name);
      return [
        ...(fault ? [mistakeAt(where, fault.wrong, shown, fault.todo)] : []),
        ...(naming.includes(path)
          ? []
          : [
              mistakeAt(
                where,
                "named by no flag",
                shown,
                `let one such as audit-webhook-config-file of apiServer.extraFlags be ${path}, or name that in apiServer.admissionConfiguration`,
              ),
            ]),
      ];
    }),
    ...Object.entries(extraFlags).flatMap(([flag, value]) =>
      itemsOf(String(value)).flatMap((path) => {
        const name = webhookAt(path);
        if (name === undefined || names.includes(name)) return [];
        const meant = nearest(name, names);
        const todo = meant ? `did you mean ${webhookPath(meant)}?` : "list it there";
        const where = place(["apiServer", "extraFlags", flag]);
        return [mistakeAt(where, "no webhook of apiServer.webhooks", path, todo)];
      }),
    ),
  ];
}

/** https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
interface Kubeconfig {
  readonly clusters?: readonly {
    readonly name?: string;
    readonly cluster?: { readonly server?: unknown };
  }[];
  readonly contexts?: readonly {
    readonly name?: string;
    readonly context?: { readonly cluster?: string };
  }[];
  readonly "current-context"?: string;
}

function faultOfKubeconfig(group: Readonly<Record<string, unknown>>) {
  if (group.apiVersion !== "v1" || group.kind !== "Config") {
    return { wrong: "not a kubeconfig", todo: "give one of apiVersion v1 and kind Config" };
  }
  const { clusters, contexts, "current-context": current } = group as Kubeconfig;
  const named = <T extends { readonly name?: string }>(
    list: readonly T[] | undefined,
    name = "",
  ) => (Array.isArray(list) ? list.find((one: T | null) => one?.name === name) : undefined);
  const server = named(clusters, named(contexts, current)?.context?.cluster)?.cluster?.server;
  if (typeof server === "string" && URL.canParse(server)) return undefined;
  const todo =
    "let current-context name a context whose cluster has the webhook's address as server";
  return { wrong: "a kubeconfig without the address of the webhook", todo };
}
