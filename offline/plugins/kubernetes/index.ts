/** Objects of a Kubernetes cluster, as the plugin kubernetes manages them: by server-side apply. */
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  type Given,
  type Made,
  type Plugin,
  type Resource,
  type State,
  Unfinished,
} from "../protocol/provider.ts";
import {
  anything,
  type Failures,
  oneOf,
  type Rule,
  required,
  text,
  textThat,
} from "../protocol/shape.ts";
import {
  below,
  hasUnknown,
  isObject,
  type Properties,
  reveal,
  unknown,
  type Value,
  within,
} from "../protocol/values.ts";
import { Api, parseKubeconfig, StatusError, strange, Unreachable } from "./api.ts";
import { type Kind, kinds } from "./kinds.ts";
import { transfer } from "./managers.ts";
import { at, type List, missing } from "./ready.ts";

interface Settings {
  readonly api: Api;
  readonly namespace: string;
  readonly deleteUnreachable: boolean;
  readonly enablePatchForce: boolean;
  readonly enableConfigMapMutable: boolean;
  readonly enableSecretMutable: boolean;
}

let settings: Settings | undefined;

function configured(): Settings {
  if (settings === undefined) throw new Error("the provider has not been configured");
  return settings;
}

const annotation = (object: Properties, name: string): string =>
  String(at(object, "metadata", "annotations", `pulumi.com/${name}`) ?? "");

const nameOf = (object: Properties): string => String(at(object, "metadata", "name"));
const namespaceOf = (object: Properties): string =>
  String(at(object, "metadata", "namespace") ?? "");

function address(kind: Kind, namespace: string, name?: string): string {
  const root = kind.apiVersion.includes("/")
    ? `/apis/${kind.apiVersion}`
    : `/api/${kind.apiVersion}`;
  const scope = kind.namespaced ? `/namespaces/${namespace || "default"}` : "";
  return `${root}${scope}/${kind.plural}${name === undefined ? "" : `/${name}`}`;
}

const isMissing = (error: unknown): boolean => error instanceof StatusError && error.code === 404;

/** The object as it is now. */
const get = (kind: Kind, namespace: string, name: string, signal: AbortSignal, patience = 10_000) =>
  configured().api.call({ method: "GET", path: address(kind, namespace, name), signal, patience });

/** The part of a live object that has the same shape as the inputs. */
function prune(live: Value, like: Value): Value {
  if (Array.isArray(live) && Array.isArray(like))
    return live.slice(0, like.length).map((value, i) => prune(value, like[i] as Value));
  if (!isObject(live) || !isObject(like)) return live;
  return Object.fromEntries(
    Object.entries(live)
      .filter(([key]) => key in like)
      .map(([key, value]) => [key, prune(value, like[key] as Value)]),
  );
}

const readOnly = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "uid",
];

/** The inputs with the fields that every object has, and a name if the program gave none. */
function fill(kind: Kind, { name, inputs, old, seed }: Given): Properties {
  const { apiVersion, kind: kindName } = kind;
  const metadata = within(inputs.metadata ?? {}, (given) => {
    if (!isObject(given)) return given;
    const filled = Object.fromEntries(
      Object.entries(given).filter(([key, value]) => !readOnly.includes(key) && value !== null),
    );
    if (kind.namespaced && filled.namespace === undefined)
      filled.namespace = configured().namespace;
    const before = isObject(old) ? (old as Properties) : {};
    const kept = annotation(before, "autonamed") === "true" ? nameOf(before) : undefined;
    if (filled.name === undefined) {
      const random = seed.length > 0 ? createHash("sha256").update(seed).digest() : randomBytes(4);
      filled.name = kept ?? `${name}-${random.toString("hex").slice(0, 8)}`;
      filled.annotations = within(filled.annotations ?? {}, (annotations) =>
        isObject(annotations) ? { ...annotations, "pulumi.com/autonamed": "true" } : annotations,
      );
    }
    return filled;
  });
  return { ...inputs, apiVersion, kind: kindName, metadata };
}

function refuse(kind: Kind, inputs: Properties): Failures {
  const failures: Failures = {};
  for (const name of ["waitFor", "replaceUnready"])
    if (annotation(inputs, name) !== "")
      failures[`metadata.annotations["pulumi.com/${name}"]`] =
        `'pulumi.com/${name}' is not implemented by this stand-in for the plugin`;
  if (at(inputs, "metadata", "generateName") !== undefined)
    failures["metadata.generateName"] =
      "the `.metadata.generateName` field is not supported in Server-Side Apply mode";
  if (kind.patch && annotation(inputs, "autonamed") === "true")
    failures["metadata.name"] = "patch resources require the `.metadata.name` field to be set";
  return failures;
}

/** Fields whose change needs a new object, as far as it depends on the provider's settings. */
function fixed(kind: Kind): readonly string[] {
  const always = ["metadata.name", "metadata.namespace"];
  if (kind.patch) return always;
  if (kind.kind === "ConfigMap" && settings?.enableConfigMapMutable !== true)
    return [...always, "data", "binaryData"];
  if (kind.kind === "Secret")
    return settings?.enableSecretMutable === true
      ? [...always, "type"]
      : [...always, "type", "data", "stringData"];
  return [...always, ...kind.fixed];
}

/** An object as it is remembered: whole, with who manages its fields and what it was made from. */
const remembered = (inputs: Properties, live: Properties, manager: string): Properties => ({
  ...live,
  __inputs: inputs,
  __initialApiVersion: inputs.apiVersion ?? "",
  __fieldManager: manager,
});

/** The name under which this resource owns the fields that it sets. */
function managerOf(inputs: Properties, state: State | undefined): string {
  const remembered = state?.properties.__fieldManager;
  return (
    annotation(inputs, "patchFieldManager") ||
    (typeof remembered === "string"
      ? remembered
      : `pulumi-kubernetes-${randomBytes(4).toString("hex")}`)
  );
}

interface Write {
  readonly kind: Kind;
  readonly inputs: Properties;
  readonly manager: string;
  readonly preview: boolean;
  readonly signal: AbortSignal;
}

const dryRun = (preview: boolean): Record<string, string> => (preview ? { dryRun: "All" } : {});
/** A preview does not wait for a server that is not there. */
const patience = (preview: boolean): number => (preview ? 0 : 10_000);

async function apply(
  { kind, inputs, manager, preview, signal }: Write,
  live: Properties | undefined,
): Promise<Properties> {
  const force =
    annotation(inputs, "patchForce") === "true" ||
    configured().enablePatchForce ||
    (preview && live === undefined) ||
    (live !== undefined && at(live, "metadata", "managedFields") === undefined);
  try {
    return await configured().api.call({
      method: "PATCH",
      path: address(kind, namespaceOf(inputs), nameOf(inputs)),
      query: { fieldManager: manager, force: String(force), ...dryRun(preview) },
      contentType: "application/apply-patch+yaml",
      body: inputs,
      signal,
      patience: patience(preview),
    });
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 409) throw error;
    throw new Error(
      `server-side apply field conflict detected, see https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources for troubleshooting help
The resource managed by field manager "${manager}" had an apply conflict: ${error.message}`,
    );
  }
}

async function make(write: Write): Promise<Properties> {
  if (write.kind.patch) return apply(write, undefined);
  const { kind, inputs, preview, signal } = write;
  return configured().api.call({
    method: "POST",
    path: address(kind, namespaceOf(inputs)),
    query: { fieldManager: "pulumi-kubernetes", ...dryRun(preview) },
    body: inputs,
    signal,
    patience: patience(preview),
  });
}

async function change(write: Write): Promise<Properties> {
  const { kind, inputs, manager, preview, signal } = write;
  const path = address(kind, namespaceOf(inputs), nameOf(inputs));
  let live = await get(kind, namespaceOf(inputs), nameOf(inputs), signal, patience(preview));
  const managers = kind.patch || preview ? undefined : transfer(live, manager);
  if (managers !== undefined)
    live = await configured().api.call({
      method: "PATCH",
      path,
      contentType: "application/json-patch+json",
      body: [
        { op: "replace", path: "/metadata/managedFields", value: managers },
        {
          op: "replace",
          path: "/metadata/resourceVersion",
          value: at(live, "metadata", "resourceVersion") ?? "",
        },
      ],
      signal,
    });
  return apply(write, live);
}

/** Makes an object; where its namespace is not there yet, again after a while. */
async function patiently(write: Write, log: Context["log"]): Promise<Properties> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await make(write);
    } catch (error) {
      if (!isMissing(error) || attempt === 5) throw error;
      log(`Retry #${attempt}; creation failed: ${(error as Error).message}`);
      await sleep(1000 * 2 ** attempt, undefined, { signal: write.signal });
    }
  }
}

const lister =
  (namespace: string, signal: AbortSignal): List =>
  async (group, plural, label) => {
    const answer = await configured().api.call({
      method: "GET",
      path: `/apis/${group}/namespaces/${namespace}/${plural}`,
      query: { labelSelector: label },
      signal,
    });
    return Array.isArray(answer.items) ? answer.items.filter(isObject) : [];
  };

/** The milliseconds that may pass until an object is ready or gone. */
const allowance = (inputs: Properties, context: Context): number =>
  1000 * (context.timeout || Number(annotation(inputs, "timeoutSeconds")) || 600);

/** Waits until an object is ready, and hands it over; throws what is missing when there is no more time. */
async function settle(
  kind: Kind,
  inputs: Properties,
  made: Properties,
  context: Context,
): Promise<{ live: Properties; error?: string }> {
  if (kind.patch || annotation(inputs, "skipAwait") === "true") return { live: made };
  const namespace = namespaceOf(made);
  const until = Date.now() + allowance(inputs, context);
  let live = made;
  let said: string | undefined;
  let since = Date.now();
  for (;;) {
    try {
      const lack = await missing(live, lister(namespace, context.signal));
      if (lack === undefined) return { live };
      if (lack.what !== said) {
        context.log(lack.what);
        said = lack.what;
        since = Date.now();
      }
      if (lack.bearable && Date.now() >= since + 10_000) return { live };
      if (Date.now() >= until) break;
      await sleep(250, undefined, { signal: context.signal });
      live = await get(kind, namespace, nameOf(made), context.signal);
    } catch (error) {
      if (!context.signal.aborted) return { live, error: (error as Error).message };
      if (Date.now() < until - 500)
        return { live, error: `Resource operation was cancelled for "${nameOf(made)}"` };
      break;
    }
  }
  return { live, error: `'${nameOf(made)}' timed out waiting to be Ready: ${said}` };
}

const identity = (object: Properties): string =>
  [namespaceOf(object), nameOf(object)].filter(Boolean).join("/");

const part = (id: string): { namespace: string; name: string } => {
  const [name = "", namespace = ""] = id.split("/").reverse();
  return { namespace, name };
};

/** What a preview can say: the server's own answer to a trial, or the inputs where there is none to be had. */
async function plan(
  kind: Kind,
  inputs: Properties,
  state: State | undefined,
  { signal }: Context,
): Promise<Properties> {
  if (hasUnknown(inputs) || (kind.patch && state === undefined)) return inputs;
  const write = { kind, inputs, manager: managerOf(inputs, state), preview: true, signal };
  try {
    const { status, ...live } = await (state === undefined ? make(write) : change(write));
    return remembered(
      inputs,
      state === undefined || status === undefined ? live : { ...live, status },
      write.manager,
    );
  } catch (error) {
    const passes =
      error instanceof Unreachable ||
      (error instanceof StatusError &&
        [403, ...(state === undefined ? [404, 409] : [])].includes(error.code));
    if (passes) return inputs;
    throw error;
  }
}

async function create(kind: Kind, inputs: Properties, context: Context): Promise<Made> {
  const manager = managerOf(inputs, undefined);
  let made: Properties;
  try {
    made = await patiently(
      { kind, inputs, manager, preview: false, signal: context.signal },
      context.log,
    );
  } catch (error) {
    const exists = error instanceof StatusError && error.code === 409;
    throw new Error(
      `resource "${context.urn}" was not successfully created by the Kubernetes API server: ${(error as Error).message}${exists ? "\n\nThe resource already exists in the cluster." : ""}`,
    );
  }
  const { live, error } = await settle(kind, inputs, made, context);
  const result = { id: identity(live), outputs: remembered(inputs, live, manager) };
  if (error === undefined) return result;
  throw new Unfinished(
    `resource "${context.urn}" was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live: ${error}`,
    result,
  );
}

async function update(kind: Kind, state: State, inputs: Properties, context: Context) {
  const manager = managerOf(inputs, state);
  const write = { kind, inputs, manager, preview: false, signal: context.signal };
  let made: Properties;
  try {
    made = await change(write);
  } catch (error) {
    throw new Error(`update of resource "${context.urn}" failed: ${(error as Error).message}`);
  }
  const { live, error } = await settle(kind, inputs, made, context);
  const outputs = remembered(inputs, live, manager);
  if (error !== undefined)
    throw new Unfinished(
      `the Kubernetes API server reported that "${identity(live)}" failed to fully initialize or become live: ${error}`,
      { id: state.id, outputs },
    );
  const before = state.properties.__fieldManager;
  if (typeof before === "string" && before !== manager)
    await relinquish(kind, live, before, context.signal);
  return outputs;
}

/** Gives back all fields that a manager owns. */
const relinquish = (kind: Kind, live: Properties, manager: string, signal: AbortSignal) =>
  configured().api.call({
    method: "PATCH",
    path: address(kind, namespaceOf(live), nameOf(live)),
    query: { fieldManager: manager },
    contentType: "application/apply-patch+yaml",
    body: {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      metadata: {
        name: nameOf(live),
        ...(kind.namespaced && { namespace: namespaceOf(live) }),
      },
    },
    signal,
  });

/** A secret's texts as they are now, where the program gave texts: the server keeps only their encoding. */
function stringData(live: Properties, { stringData }: Properties): Properties {
  if (!isObject(stringData)) return {};
  const now = Object.keys(stringData).flatMap((key) => {
    const encoded = at(live, "data", key);
    return typeof encoded === "string" ? [[key, Buffer.from(encoded, "base64").toString()]] : [];
  });
  return { stringData: Object.fromEntries(now) };
}

async function read(kind: Kind, state: State, context: Context) {
  if (Object.keys(state.inputs).length === 0)
    throw new Error(
      `${kind.kind} ${state.id}: get and import are not implemented by this stand-in for the plugin`,
    );
  const { namespace, name } = part(state.id);
  let live: Properties;
  try {
    live = await get(kind, namespace, name, context.signal, 0);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (!(error instanceof Unreachable)) throw error;
    context.warn(`configured Kubernetes cluster is unreachable: ${error.message}`);
    if (configured().deleteUnreachable) return undefined;
    throw new Error(
      'failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
    );
  }
  const inputs = {
    ...(prune(live, state.inputs) as Properties),
    ...stringData(live, state.inputs),
  };
  const outputs = remembered(inputs, live, managerOf(state.inputs, state));
  const lack =
    annotation(state.inputs, "skipAwait") === "true"
      ? undefined
      : await missing(live, lister(namespace, context.signal));
  if (lack !== undefined && !lack.bearable)
    throw new Unfinished(
      `Resource '${name}' was created but failed to initialize: ${lack.what}`,
      { id: state.id, outputs },
      inputs,
    );
  return { inputs, outputs };
}

async function remove(kind: Kind, state: State, context: Context): Promise<void> {
  const { namespace, name } = part(state.id);
  const { signal } = context;
  const { api, deleteUnreachable } = configured();
  try {
    const live = await get(kind, namespace, name, signal, 0);
    if (kind.patch) {
      await relinquish(kind, live, managerOf(state.inputs, state), signal);
      return;
    }
    const policy = annotation(state.inputs, "deletionPropagationPolicy").toLowerCase();
    await api.call({
      method: "DELETE",
      path: address(kind, namespace, name),
      body: {
        apiVersion: "v1",
        kind: "DeleteOptions",
        propagationPolicy: { orphan: "Orphan", background: "Background" }[policy] ?? "Foreground",
      },
      signal,
    });
    const until = Date.now() + allowance(state.inputs, context);
    for (;;) {
      const now = await get(kind, namespace, name, signal);
      if (at(now, "metadata", "uid") !== at(live, "metadata", "uid")) return;
      if (Date.now() >= until) throw new Error(`'${name}' timed out waiting to be deleted`);
      await sleep(250, undefined, { signal });
    }
  } catch (error) {
    if (isMissing(error)) return;
    if (!(error instanceof Unreachable)) throw error;
    context.warn(`configured Kubernetes cluster is unreachable: ${error.message}`);
    if (!deleteUnreachable)
      throw new Error(
        'configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"',
      );
  }
}

const resource = (kind: Kind): Resource => ({
  inputs: {
    apiVersion: oneOf([kind.apiVersion]),
    kind: oneOf([kind.kind]),
    metadata: anything,
    ...Object.fromEntries(kind.fields.map((field) => [field, anything])),
  },
  check: (given) => fill(kind, given),
  refuse: (inputs) => refuse(kind, inputs),
  replaces: (path) => below(path, fixed(kind)),
  deleteBeforeReplace: (state, inputs) =>
    annotation(inputs, "autonamed") !== "true" &&
    nameOf(inputs) === nameOf(state.properties) &&
    namespaceOf(inputs) === namespaceOf(state.properties),
  plan: (inputs, state, context) => plan(kind, inputs, state, context),
  create: (inputs, context) => create(kind, inputs, context),
  read: (state, context) => read(kind, state, context),
  update: (state, inputs, context) => update(kind, state, inputs, context),
  delete: (state, context) => remove(kind, state, context),
});

const isOn = (value: Value | undefined, variable?: string): boolean =>
  String(value ?? (variable === undefined ? "" : process.env[variable])) === "true";

const yesOrNo: Rule = (value, path, failures) => {
  if (!["true", "false"].includes(String(value))) failures[path] = "expected true or false";
};

/** The plugin kubernetes 4.34.2. */
export const provider: Plugin = {
  name: "kubernetes",
  version: "4.34.2",
  resources: Object.fromEntries(
    Object.entries(kinds).map(([type, kind]) => [type, resource(kind)]),
  ),
  config: {
    kubeconfig: required((value, path, failures) => {
      try {
        const found = strange(String(value));
        if (found.length > 0)
          failures[path] = `${found.join(", ")}: not implemented by this stand-in for the plugin`;
      } catch (error) {
        failures[path] = (error as Error).message;
      }
    }),
    clusterIdentifier: text,
    namespace: text,
    deleteUnreachable: yesOrNo,
    enablePatchForce: yesOrNo,
    enableConfigMapMutable: yesOrNo,
    enableSecretMutable: yesOrNo,
    enableServerSideApply: textThat((value) => value === "true", "true"),
    suppressDeprecationWarnings: yesOrNo,
    suppressHelmHookWarnings: yesOrNo,
  },
  configure: (config) => {
    const kubeconfig = String(config.kubeconfig);
    settings = {
      api: new Api(kubeconfig),
      namespace: String(config.namespace ?? parseKubeconfig(kubeconfig).namespace),
      deleteUnreachable: isOn(config.deleteUnreachable, "PULUMI_K8S_DELETE_UNREACHABLE"),
      enablePatchForce: isOn(config.enablePatchForce),
      enableConfigMapMutable: isOn(config.enableConfigMapMutable),
      enableSecretMutable: isOn(config.enableSecretMutable),
    };
  },
  replacedBy: (old, now) => {
    const { clusterIdentifier } = now;
    if (clusterIdentifier !== undefined && old.clusterIdentifier !== undefined)
      return clusterIdentifier === old.clusterIdentifier ? [] : ["clusterIdentifier"];
    if (reveal(now.kubeconfig ?? null) === unknown) return ["kubeconfig"];
    const [before, after] = [old, now].map(({ kubeconfig }) =>
      JSON.stringify(parseKubeconfig(String(kubeconfig)).cluster),
    );
    return before === after ? [] : ["kubeconfig"];
  },
};
