import { isIP } from "node:net";
import { itemsOf, type Reserved } from "../../services/extra-flags.ts";
import { reservedApiServerFlags } from "../../services/kube-apiserver.ts";
import { reservedControllerManagerFlags } from "../../services/kube-controller-manager.ts";
import { reservedSchedulerFlags } from "../../services/kube-scheduler.ts";
import { isFalse, isGoDuration, isTrue } from "../go-values.ts";
import { type Known, knownTo, type Program } from "../kubernetes.ts";
import { mistakeAt, nearest, place } from "../mistake.ts";
import { faultOfGate } from "./feature-gates.ts";
import type { Subject } from "./subject.ts";

/** What is wrong with a setting, and what to do about it. */
interface Fault {
  readonly wrong: string;
  readonly todo: string;
  /** What is shown for the value, if not the whole of it. */
  readonly got?: string;
}

/** The value of an extra flag, and all extra flags of the same program. */
interface Given {
  readonly value: string;
  readonly known: Known;
  readonly others: Readonly<Record<string, unknown>>;
}

type Rule = (given: Given) => Fault | undefined;

interface Service {
  readonly program: Program;
  readonly example: string;
  readonly reserved: Reserved;
  readonly rules: Readonly<Record<string, Rule>>;
}

const leaveOut = "leave it out";

const services: Readonly<Record<"apiServer" | "controllerManager" | "scheduler", Service>> = {
  apiServer: {
    program: "kube-apiserver",
    example: "event-ttl: 2h",
    reserved: reservedApiServerFlags,
    rules: {
      "allow-privileged": keepsOn(
        "takes away the right to privileged pods, which kube-proxy has on guests",
      ),
      "authorization-mode": authorizationMode,
      "authorization-policy-file": usedByMode("ABAC"),
      "authorization-webhook-config-file": usedByMode("Webhook"),
      "disable-admission-plugins": disabledPlugins,
      "enable-admission-plugins": enabledPlugins,
      "enable-bootstrap-token-auth": keepsOn("keeps machines from joining with bootstrap tokens"),
      "feature-gates": featureGates,
      "runtime-config": runtimeConfig,
      "service-account-lookup": keepsOn("lets tokens of deleted service accounts in"),
      "tls-min-version": tlsVersion,
    },
  },
  controllerManager: {
    program: "kube-controller-manager",
    example: "node-monitor-period: 5s",
    reserved: reservedControllerManagerFlags,
    rules: {
      controllers,
      "feature-gates": featureGates,
      "leader-elect": keepsOn("lets the controller managers of all controllers act at once"),
      "tls-min-version": tlsVersion,
      "use-service-account-credentials": keepsOn("takes each controller's own rights away"),
    },
  },
  scheduler: {
    program: "kube-scheduler",
    example: 'v: "2"',
    reserved: reservedSchedulerFlags,
    rules: {
      "feature-gates": featureGates,
      "leader-elect": keepsOn("lets the schedulers of all controllers act at once"),
      "tls-min-version": tlsVersion,
    },
  },
};

/** Each extra flag exists, has a value of its kind, and takes nothing away that the cluster promises. */
export function extraFlags({ draft }: Subject): string[] {
  const { kubernetesVersion } = draft;
  if (kubernetesVersion === undefined) return [];
  const known = knownTo(kubernetesVersion);
  return Object.entries(services).flatMap(([setting, service]) => {
    const others = draft[setting as keyof typeof services]?.extraFlags ?? {};
    return Object.entries(others).flatMap(([flag, value]) => {
      const fault = faultOf(flag, value, service, known, others);
      const where = place([setting, "extraFlags", flag]);
      return fault ? [mistakeAt(where, fault.wrong, fault.got ?? value, fault.todo)] : [];
    });
  });
}

function faultOf(
  flag: string,
  value: unknown,
  { program, example, reserved, rules }: Service,
  known: Known,
  others: Readonly<Record<string, unknown>>,
): Fault | undefined {
  if (flag.startsWith("-")) {
    const todo = `write ${flag.replace(/^-+/, "")}`;
    return { wrong: "a flag with its dashes", got: flag, todo };
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(flag)) {
    return { wrong: "not the name of a flag", got: flag, todo: `write lines like ${example}` };
  }
  const instead = Object.hasOwn(reserved, flag) ? reserved[flag] : undefined;
  if (instead !== undefined) return { wrong: "decided by the program", todo: instead };
  const kind = known.flags[program].get(flag);
  if (kind === undefined) {
    const meant = nearest(flag, [...known.flags[program].keys()]);
    return {
      wrong: `not a flag of ${program} ${known.version}`,
      todo: meant ? `did you mean ${meant}?` : `use one that ${program} --help lists`,
    };
  }
  const several = Array.isArray(value);
  if (several && !repeated.has(kind)) {
    return { wrong: "a list for a flag that is given once", todo: "write one value" };
  }
  if (several && value.length === 0) return { wrong: "an empty list", todo: leaveOut };
  for (const item of several ? value : [value])
    if (item === null || typeof item === "object" || /[\r\n\0]/.test(String(item)))
      return { wrong: "not a line of text", todo: "write its value in one line" };
  const text = String(value);
  return faultOfKind(kind, text) ?? rules[flag]?.({ value: text, known, others });
}

/** The kinds of flags that may be given several times. */
const repeated = new Set(["namedCertKey", "stringArray", "stringSlice"]);

/** The fault of a value that a flag of the kind does not accept. */
function faultOfKind(kind: string, value: string): Fault | undefined {
  switch (kind) {
    case "bool":
      if (isTrue(value) || isFalse(value)) return undefined;
      return { wrong: "neither true nor false", todo: "write one of them" };
    case "duration":
      if (isGoDuration(value)) return undefined;
      return { wrong: "not a duration", todo: "write it like 10s or 2h30m" };
    case "Level":
    case "int32":
      return faultOfInteger(value, 32);
    case "int":
    case "int64":
      return faultOfInteger(value, 64);
    case "portRange":
      if (/^\d+([-+]\d+)?$/.test(value)) return undefined;
      return { wrong: "not a range of ports", todo: "write it like 30000-32767" };
    case "uint":
      if (/^\d+$/.test(value)) return undefined;
      return { wrong: "not a whole number of 0 or more", todo: "write it in digits" };
    case "float32":
    case "float64":
      if (value.trim() !== "" && Number.isFinite(Number(value))) return undefined;
      return { wrong: "not a number", todo: "write it like 0.5" };
    case "ip":
      if (isIP(value) !== 0) return undefined;
      return { wrong: "not an address", todo: "write it like 192.0.2.1" };
    default:
      return undefined;
  }
}

function faultOfInteger(value: string, bits: number): Fault | undefined {
  if (!/^[-+]?\d+$/.test(value)) return { wrong: "not a whole number", todo: "write it in digits" };
  const number = BigInt(value.replace("+", ""));
  if (BigInt.asIntN(bits, number) === number) return undefined;
  return { wrong: `not a number of ${bits} bits`, todo: "use one nearer to 0" };
}

/** A flag that may be given, but not set to false. */
function keepsOn(wrong: string): Rule {
  return ({ value }) => (isFalse(value) ? { wrong, todo: leaveOut } : undefined);
}

function tlsVersion({ value }: Given): Fault | undefined {
  if (value === "VersionTLS12" || value === "VersionTLS13") return undefined;
  return { wrong: "not TLS 1.2 or newer", todo: "use VersionTLS12 or VersionTLS13" };
}

/** Modes that may be added to Node and RBAC, each with the flag that it needs. */
const addedModes: Readonly<Record<string, string>> = {
  ABAC: "authorization-policy-file",
  Webhook: "authorization-webhook-config-file",
};

function authorizationMode({ value, others }: Given): Fault | undefined {
  const todo = `add ${Object.keys(addedModes).join(" or ")} to Node,RBAC, or leave it out`;
  for (const mode of itemsOf(value)) {
    if (mode === "Node" || mode === "RBAC") continue;
    if (mode === "AlwaysAllow") return { wrong: "lets everybody do everything", todo };
    const file = Object.hasOwn(addedModes, mode) ? addedModes[mode] : undefined;
    if (file === undefined) return { wrong: `${mode} is no mode to add`, todo };
    if (!others[file]) return { wrong: `${mode} needs the flag ${file}`, todo: "give that too" };
  }
  return undefined;
}

function usedByMode(mode: string): Rule {
  return ({ others }) =>
    itemsOf(String(others["authorization-mode"] ?? "")).includes(mode)
      ? undefined
      : { wrong: `used by authorization-mode ${mode} only`, todo: `add ${mode} there` };
}

/** Admission plugins that the cluster relies on, each with the harm that its absence does. */
const neededPlugins: Readonly<Record<string, string>> = {
  CertificateApproval: "lets certificates be approved without the right to",
  CertificateSigning: "lets certificates be signed without the right to",
  CertificateSubjectRestriction: "lets client certificates make anybody an administrator",
  NamespaceLifecycle: "lets the cluster's own namespaces be deleted",
  NodeRestriction: "lets each node change all others",
  Priority: "takes away the priority of the cluster's own pods",
  ServiceAccount: "takes away the tokens of pods, such as those of the cluster's DNS",
};

function disabledPlugins({ value, known }: Given): Fault | undefined {
  for (const plugin of itemsOf(value)) {
    const wrong = Object.hasOwn(neededPlugins, plugin) ? neededPlugins[plugin] : undefined;
    if (wrong !== undefined)
      return { wrong: `without ${plugin}, ${wrong}`, todo: `keep ${plugin}` };
  }
  return unknownItem("an admission plugin", itemsOf(value), known.admissionPlugins);
}

function enabledPlugins({ value, known, others }: Given): Fault | undefined {
  const plugins = itemsOf(value);
  if (plugins.includes("AlwaysDeny")) {
    return { wrong: "AlwaysDeny refuses every change", todo: "leave that out" };
  }
  const disabled = itemsOf(String(others["disable-admission-plugins"] ?? ""));
  const both = plugins.find((plugin) => disabled.includes(plugin));
  if (both !== undefined) {
    return { wrong: `${both} is also in disable-admission-plugins`, todo: "leave it in one place" };
  }
  return unknownItem("an admission plugin", plugins, known.admissionPlugins);
}

function unknownItem(
  what: string,
  items: readonly string[],
  all: readonly string[],
): Fault | undefined {
  const item = items.find((item) => !all.includes(item));
  if (item === undefined) return undefined;
  const meant = nearest(item, all);
  const todo = meant ? `did you mean ${meant}?` : `use some of ${all.join(", ")}`;
  return { wrong: `${item} is not ${what}`, todo };
}

/** Controllers without which the cluster does not do what the program promises of it. */
const neededControllers = [
  "bootstrap-signer-controller",
  "certificatesigningrequest-approving-controller",
  "certificatesigningrequest-cleaner-controller",
  "certificatesigningrequest-signing-controller",
  "clusterrole-aggregation-controller",
  "daemonset-controller",
  "deployment-controller",
  "disruption-controller",
  "endpointslice-controller",
  "garbage-collector-controller",
  "namespace-controller",
  "node-ipam-controller",
  "node-lifecycle-controller",
  "pod-garbage-collector-controller",
  "replicaset-controller",
  "root-ca-certificate-publisher-controller",
  "serviceaccount-controller",
  "serviceaccount-token-controller",
  "taint-eviction-controller",
  "token-cleaner-controller",
];

function controllers({ value, known }: Given): Fault | undefined {
  const names = itemsOf(value).filter((item) => item !== "*");
  for (const name of names) {
    const own = known.controllers.get(name.slice(1));
    if (name.startsWith("-") && own !== undefined && neededControllers.includes(own)) {
      return { wrong: `the cluster needs ${own}`, todo: `leave out ${name}` };
    }
  }
  const all = [...known.controllers.keys()];
  return unknownItem(
    "a controller",
    names.map((name) => name.replace(/^-/, "")),
    all,
  );
}

/** Lists such as `A=true,B=false`; a name may have a prefix of a component and a colon. */
function featureGates({ value, known }: Given): Fault | undefined {
  for (const item of itemsOf(value)) {
    const [name, setting] = item.replace(/^[\w.]+:/, "").split("=");
    const fault = faultOfGate(name!, setting, known);
    if (fault) return fault;
  }
  return undefined;
}

/** Groups and versions are turned on and off by items such as `batch/v2alpha1=true`. */
function runtimeConfig({ value }: Given): Fault | undefined {
  const stable = itemsOf(value).find((item) => {
    const [api = "", setting = "true"] = item.split("=");
    return isFalse(setting) && /^(api\/(all|ga)|(.*\/)?v\d+)$/.test(api);
  });
  if (stable === undefined) return undefined;
  return { wrong: `${stable} takes away what the cluster itself uses`, todo: "leave that out" };
}
