import path from "node:path";
import { z } from "zod";
import { type KubernetesVersion, kubernetesVersions } from "../components/versions.ts";
import { kubeProxyModes } from "../services/kube-proxy.ts";
import type { StaticPod } from "../services/kubelet.ts";
import { isPath, isPem } from "./authority.ts";
import { enclosingCidr, formatCidr, parseAddress, parseCidr } from "./ipv4.ts";
import {
  isDnsLabel,
  isDnsName,
  isLabelKey,
  isLabelValue,
  parseTaint,
  taintEffects,
} from "./label.ts";
import { isServer } from "./mirror.ts";
import { mistake, quoteIt } from "./mistake.ts";
import { labelOwner, taintOwner } from "./owned.ts";
import { mistakesInPod } from "./static-pod.ts";

const supportedVersions = Object.keys(kubernetesVersions) as KubernetesVersion[];

const saying = (wrong: string, todo: string) => (issue: { input?: unknown }) =>
  mistake(wrong, issue.input, todo);

/** Text that passes a test. What the command line has made a number, true or false was perhaps meant as such a text. */
function text(passes: (text: string) => boolean, wrong: string, todo: string) {
  const error = saying(wrong, todo);
  const isMeant = (input: unknown) =>
    (typeof input === "number" || typeof input === "boolean") && passes(String(input));
  const notText = saying("not a text", quoteIt);
  return z
    .string({ error: (issue) => (isMeant(issue.input) ? notText(issue) : error(issue)) })
    .refine(passes, { error });
}

/** A whole number, which the command line may have made text. */
function whole(min: number, max: number, wrong: string, todo: string) {
  const error = saying(wrong, todo);
  const number = (value: unknown) =>
    typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  return z.preprocess(number, z.int({ error }).min(min, { error }).max(max, { error }));
}

function oneOf<const T extends readonly string[]>(values: T, wrong: string) {
  const use = values.length === 1 ? "use" : "use one of";
  return z.enum(values, { error: saying(wrong, `${use} ${values.join(", ")}`) });
}

function list<T extends z.ZodType>(item: T) {
  return z.array(item, {
    error: saying("not a list", "write its items below it, a dash before each"),
  });
}

/** A group of settings. The message of an unknown one is the names of those that it knows. */
function group<T extends z.ZodRawShape>(shape: T) {
  const names = Object.keys(shape);
  const error = saying("not a group of settings", `write below it some of ${names.join(", ")}`);
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? names.join(" ") : error(issue)),
  });
}

/** Names of the user's choice with a value each. */
function table(
  example: string,
  wrong: (name: string, value: unknown) => string | undefined = () => undefined,
) {
  const error = saying("not names with values", `write lines like ${example} below it`);
  return z.record(z.string(), z.unknown(), { error }).check(({ value, issues }) => {
    for (const [name, item] of Object.entries(value)) {
      const message = wrong(name, item);
      if (message) issues.push({ code: "custom", message, path: [name], input: item });
    }
  });
}

function texts(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

const name = (example: string) =>
  text(
    isDnsLabel,
    "not a DNS label",
    `use up to 63 small letters, digits and inner dashes, like ${example}`,
  );

const address = text(
  (text) => parseAddress(text) !== undefined,
  "not an IPv4 address",
  "write four numbers like 10.240.0.10",
);

function cidr(example: string) {
  const error = saying("not an IPv4 network", `write it like ${example}`);
  return z.string({ error }).refine(parseCidr, {
    error: (issue) => {
      const network = enclosingCidr(String(issue.input));
      return network
        ? mistake(
            "not the first address of its network",
            issue.input,
            `write ${formatCidr(network)}`,
          )
        : error(issue);
    },
  });
}

const count = whole(1, Number.MAX_SAFE_INTEGER, "not a positive whole number", "use 1 or more");
const hours = whole(1, 876_000, "not a number of hours", "use a whole number from 1 to 876000");
const port = whole(1, 65_535, "not a port", "use a whole number from 1 to 65535");

const flag = z.preprocess(
  (value) => (value === "true" ? true : value === "false" ? false : value),
  z.boolean({ error: saying("neither true nor false", "write one of them") }),
);

/** What useradd makes: https://github.com/shadow-maint/shadow/blob/master/lib/chkname.c */
const user = text(
  (text) => /^(?!\.{1,2}$|\d+$)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$/.test(text),
  "not the name of a user",
  "use up to 32 letters, digits, dots, dashes and underscores, no dash first, like jane.doe",
);
const host = (example: string) =>
  text(
    (text) => (/^[\d.]+$/.test(text) ? parseAddress(text) !== undefined : isDnsName(text)),
    "neither an IPv4 address nor a DNS name",
    `write it like ${example}`,
  );
const privateKeyFile = text(
  (text) => /^(\/|~\/)./.test(text),
  "not the path of a file",
  "start it with / or ~/, like ~/.ssh/id_ed25519",
);
const hostKey = text(
  (text) => /^(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}=*( .*)?$/.test(text),
  "not a host's public key",
  "write it in one line, as /etc/ssh/ssh_host_ed25519_key.pub has it on the host",
);

const taint = text(
  (text) => parseTaint(text) !== undefined,
  "not a taint",
  `write key=value:Effect or key:Effect, the effect being one of ${taintEffects.join(", ")}`,
).refine((text) => !taintOwner(parseTaint(text)?.key ?? ""), {
  error: ({ input }) => {
    const owner = taintOwner(parseTaint(String(input))?.key ?? "");
    return mistake(`a taint of ${owner}`, input, "choose another key");
  },
});
const taints = list(taint);

const labels = table("disk: ssd", (key, value) => {
  if (!isLabelKey(key)) {
    return mistake("not the key of a label", key, "write it like disk or example.com/disk");
  }
  const owner = labelOwner(key);
  if (owner) return mistake(`a label of ${owner}`, value, "choose another key");
  if (typeof value !== "string") return mistake("not a text", value, `${quoteIt} ("" for none)`);
  if (isLabelValue(value)) return undefined;
  const todo = "use up to 63 letters, digits and inner dashes, dots and underscores";
  return mistake("not the value of a label", value, todo);
}).transform(texts);

const kubelet = table("maxPods: 110");

function service(example: string) {
  return group({ extraFlags: table(example).prefault({}) }).prefault({});
}

const privateKey = {
  error:
    "neither PEM nor the path of a file, got [secret]; write a path like /etc/ssl/kubernetes-ca-key.pem",
};

const bootstrapToken = {
  error:
    "not a bootstrap token, got [secret]; use 6 and 16 small letters and digits with a dot between them",
};

const staticPods = list(
  z
    .record(z.string(), z.unknown(), {
      error: saying("not a manifest", "write a Pod's fields below the dash"),
    })
    .check(({ value, issues }) => {
      for (const { path, message } of mistakesInPod(value)) {
        issues.push({ code: "custom", message, path, input: value });
      }
    })
    .transform((pod) => pod as StaticPod),
);

const machine = group({
  name: name("worker1"),
  address,
  podCidr: cidr("10.200.21.0/24"),
  kubelet: kubelet.prefault({}),
});

/** The settings of a stack as they are written, each alone: docs/settings.md in code. */
export const schema = group({
  platform: oneOf(["local", "hosts"], "not a platform").default("local"),
  clusterName: name("kubernetes").default("kubernetes"),
  clusterDomain: text(
    isDnsName,
    "not a DNS name",
    "use small letters, digits, inner dashes and dots, like cluster.local",
  ).default("cluster.local"),
  kubernetesVersion: oneOf(supportedVersions, "not a supported version").default("1.36.4"),
  architecture: oneOf(["amd64", "arm64"], "not a supported architecture").optional(),
  machineCidr: cidr("10.240.0.0/24").default("10.240.0.0/24"),
  podCidr: cidr("10.200.0.0/16").default("10.200.0.0/16"),
  serviceCidr: cidr("10.32.0.0/24").default("10.32.0.0/24"),
  dnsAddress: address.optional(),
  dnsForwarders: list(address).default([]),
  loadBalancers: list(group({ name: name("lb"), address })).default([]),
  controllers: list(machine).default([]),
  controllerTaints: taints.default(["node-role.kubernetes.io/control-plane:NoSchedule"]),
  controllerLabels: labels.prefault({ "node-role.kubernetes.io/control-plane": "" }),
  controllerStaticPods: staticPods.default([]),
  controllerHealthProxy: flag.default(false),
  workerPools: list(
    group({
      name: name("workers"),
      labels: labels.prefault({}),
      taints: taints.optional(),
      staticPods: staticPods.default([]),
      maxUnavailable: count.default(1),
      join: oneOf(["certificates", "bootstrapToken", "kubeadm"], "not a way to join").default(
        "certificates",
      ),
      discovery: oneOf(["token", "file"], "not a way of discovery").optional(),
      kubelet: kubelet.prefault({}),
      machines: list(machine).default([]),
    }),
  ).default([]),
  joinTokens: list(
    group({
      name: name("guests"),
      validityHours: hours.default(24),
      token: z
        .string(bootstrapToken)
        .regex(/^[a-z0-9]{6}\.[a-z0-9]{16}$/, bootstrapToken)
        .optional(),
    }),
  ).default([]),
  drainTimeoutSeconds: whole(
    1,
    86_400,
    "not a number of seconds",
    "use a whole number from 1 to 86400",
  ).default(300),
  etcd: group({ generation: count.default(1) }).prefault({}),
  apiServer: service("event-ttl: 2h"),
  controllerManager: service("node-monitor-period: 5s"),
  scheduler: service('v: "2"'),
  kubeProxy: group({
    mode: oneOf(kubeProxyModes, "not a mode of kube-proxy").default("iptables"),
  }).prefault({}),
  artifacts: group({
    mirror: text(
      (text) => path.isAbsolute(text) || (isServer(text) && URL.canParse(text) && !/\s/.test(text)),
      "neither an absolute folder nor an http(s) address",
      "write it like /srv/kthw or https://mirror.example.com/kthw",
    ).optional(),
  }).prefault({}),
  certificates: group({
    validityHours: hours.default(8_760),
    caValidityHours: hours.default(87_600),
    earlyRenewalHours: hours.default(720),
    authority: group({
      certificate: text(
        (text) => isPem(text) || isPath(text),
        "neither PEM nor the path of a file",
        "write a path like /etc/ssl/kubernetes-ca.pem",
      ),
      privateKey: z.string(privateKey).refine((text) => isPem(text) || isPath(text), privateKey),
    }).optional(),
  }).prefault({}),
  reassert: whole(
    0,
    Number.MAX_SAFE_INTEGER,
    "not a whole number",
    "use 0, and 1 more each time",
  ).default(0),
  local: group({
    apiPort: port.default(16_443),
    sshPortBase: port.default(22_000),
  }).prefault({}),
  hosts: group({
    user: user.default("root"),
    port: port.default(22),
    privateKeyFile: privateKeyFile.default("~/.ssh/id_ed25519"),
    jumpBox: group({
      host: host("192.0.2.1 or bastion.example.com"),
      user: user.optional(),
      port: port.default(22),
      privateKeyFile: privateKeyFile.optional(),
      hostKey: hostKey.optional(),
    }).optional(),
    endpoint: group({
      host: host("192.0.2.10 or api.example.com"),
      port: port.default(6_443),
    }).optional(),
    machines: list(
      group({
        name: name("worker1"),
        host: host("192.0.2.21 or worker1.example.com").optional(),
        port: port.optional(),
        user: user.optional(),
        hostKey: hostKey.optional(),
        generation: count.default(1),
      }),
    ).default([]),
    traits: group({
      cgroupVersion: whole(1, 2, "not a version of cgroups", "use 1 or 2").default(2),
      container: flag.default(false),
      restrictOomScoreAdj: flag.default(false),
    }).prefault({}),
  }).prefault({}),
});

/** The settings, each right by itself. */
export type Parsed = z.output<typeof schema>;

/** The settings as far as they parse: what does not is undefined. */
export type Draft = Sound<Parsed>;

type Sound<T> = T extends readonly (infer Item)[]
  ? readonly (Sound<Item> | undefined)[]
  : T extends object
    ? { readonly [Name in keyof T]?: Sound<T[Name]> | undefined }
    : T;

/** Settings with mistakes as far as they parse, so that everything else about them can be checked too. */
export function draftOf(raw: unknown): Draft {
  return (lenient(schema).parse(raw) ?? {}) as Draft;
}

function lenient(schema: z.core.$ZodType): z.ZodType {
  return inside(schema).catch(undefined);
}

function inside(schema: z.core.$ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.entries<z.core.$ZodType>(schema.shape);
    return z.object(Object.fromEntries(shape.map(([name, inner]) => [name, lenient(inner)])));
  }
  if (schema instanceof z.ZodOptional) return inside(schema.def.innerType).optional();
  if (schema instanceof z.ZodArray) return z.array(lenient(schema.element));
  if (schema instanceof z.ZodDefault) {
    return inside(schema.def.innerType).default(schema.def.defaultValue);
  }
  if (schema instanceof z.ZodPrefault) {
    return inside(schema.def.innerType).prefault(schema.def.defaultValue);
  }
  return schema as z.ZodType;
}
