import path from "node:path";
import { z } from "zod";
import { certificateKinds } from "../components/pki.ts";
import {
  defaultKubernetesVersion,
  type KubernetesVersion,
  kubernetesVersions,
} from "../components/versions.ts";
import { networks } from "../networks/networks.ts";
import type { Network } from "../networks/pod-network.ts";
import type { StaticPod } from "../services/cluster-facts.ts";
import { kubeProxyModes } from "../services/cluster-facts.ts";
import { defaultEncryptionKeys, encryptionProviders } from "../services/encryption-keys.ts";
import { isPem } from "./authority.ts";
import type { Sound } from "./draft.ts";
import { isPath } from "./files.ts";
import { parseAddress } from "./ipv4.ts";
import {
  isDnsLabel,
  isDnsName,
  isLabelKey,
  isLabelValue,
  parseTaint,
  taintEffects,
} from "./label.ts";
import { mistake, quoteIt } from "./mistake.ts";
import { labelOwner, taintOwner } from "./owned.ts";
import { proxyGroup } from "./proxy.ts";
import { registryList } from "./registries.ts";
import { mistakesInPod } from "./static-pod.ts";
import {
  address,
  cidr,
  count,
  flag,
  group,
  hiding,
  host,
  hours,
  list,
  name,
  oneOf,
  port,
  saying,
  table,
  text,
  texts,
  whole,
} from "./values.ts";

type Networks = typeof networks;
const networkNames = Object.keys(networks) as (keyof Networks)[];
/** The groups of the networks that have settings of their own. */
const networkGroups = Object.fromEntries(
  Object.entries<Network>(networks).flatMap(([name, { group }]) => (group ? [[name, group]] : [])),
) as {
  [Name in keyof Networks as Networks[Name] extends { readonly group: z.ZodType }
    ? Name
    : never]: Networks[Name] extends { readonly group: infer Group } ? Group : never;
};

const supportedVersions = Object.keys(kubernetesVersions) as KubernetesVersion[];

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

const extraFlags = (example: string) => table(example).prefault({});

/** YAML, or the path of a file of it. */
const yamlFile = (example: string) =>
  text(
    (text) => isPath(text) || text.includes(":"),
    "neither YAML nor the path of a file",
    `write a path like ${example}`,
  );

const kubeconfig = {
  error: hiding(
    "neither a kubeconfig nor the path of a file of it",
    "write a path like ./audit-webhook.conf",
  ),
};
const webhooks = z
  .record(
    z.string(),
    z.string(kubeconfig).refine((text) => isPath(text) || text.includes(":"), kubeconfig),
    {
      error: hiding(
        "not names with values",
        "write lines like audit: ./audit-webhook.conf below it",
      ),
    },
  )
  .check(({ value, issues }) => {
    for (const [name, input] of Object.entries(value))
      if (!isDnsLabel(name)) {
        const todo = "use up to 63 small letters, digits and inner dashes, like audit";
        const message = mistake("not a DNS label", name, todo);
        issues.push({ code: "custom", message, path: [name], input });
      }
  });

const privateKey = {
  error: hiding(
    "neither PEM nor the path of a file",
    "write a path like /etc/ssl/kubernetes-ca-key.pem",
  ),
};

const bootstrapToken = {
  error: hiding(
    "not a bootstrap token",
    "use 6 and 16 small letters and digits with a dot between them",
  ),
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

const turn = text(
  (text) => /^((trust|sign) ([2-9]|[1-9]\d+)|drop [1-9]\d*)$/.test(text),
  "not a step of a rotation",
  "write trust 2 for the first step, then sign 2, then drop 1",
);

/** The address of a mirror that is a server; undefined for any other text. */
function serverAt(text: string): URL | undefined {
  return /^https?:\/\/\S+$/.test(text) && URL.canParse(text) ? new URL(text) : undefined;
}

/** How often a timer runs. */
const timerHours = whole(1, 8_760, "not a number of hours", "use a whole number from 1 to 8760");

const machine = group({
  name: name("worker1"),
  address,
  podCidr: cidr("10.200.21.0/24").optional(),
  kubelet: kubelet.prefault({}),
});

const authority = group(
  {
    certificate: text(
      (text) => isPem(text) || isPath(text),
      "neither PEM nor the path of a file",
      "write a path like /etc/ssl/kubernetes-ca.pem",
    ),
    privateKey: z.string(privateKey).refine((text) => isPem(text) || isPath(text), privateKey),
  },
  hiding,
);

/** The settings of a stack on any platform, as they are written; each setting is checked alone. docs/settings.md describes them. */
export const common = {
  clusterName: name("kubernetes").default("kubernetes"),
  clusterDomain: text(
    isDnsName,
    "not a DNS name",
    "use small letters, digits, inner dashes and dots, like cluster.local",
  ).default("cluster.local"),
  kubernetesVersion: oneOf(supportedVersions, "not a supported version").default(
    defaultKubernetesVersion,
  ),
  architecture: oneOf(["amd64", "arm64"], "not a supported architecture").optional(),
  machineCidr: cidr("10.240.0.0/24").default("10.240.0.0/24"),
  podCidr: cidr("10.200.0.0/16").default("10.200.0.0/16"),
  serviceCidr: cidr("10.32.0.0/24").default("10.32.0.0/24"),
  network: oneOf(networkNames, "not a pod network").default(networkNames[0]!),
  ...networkGroups,
  dnsAddress: address.optional(),
  dnsForwarders: list(address).default([]),
  loadBalancers: list(group({ name: name("lb"), address })).default([]),
  endpoint: group({
    address: address.optional(),
    host: host("api.example.com or 192.0.2.10").optional(),
    port: port.optional(),
  }).optional(),
  controllers: list(machine).default([]),
  controllerTaints: taints.default(["node-role.kubernetes.io/control-plane:NoSchedule"]),
  controllerLabels: labels.prefault({ "node-role.kubernetes.io/control-plane": "" }),
  controllerStaticPods: staticPods.default([]),
  controllerHealthProxy: flag.default(false),
  workerPools: list(
    group({
      name: name("workers"),
      labels: labels.prefault({}),
      taints: taints.default([]),
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
    group(
      {
        name: name("guests"),
        validityHours: hours.default(24),
        token: z
          .string(bootstrapToken)
          .regex(/^[a-z0-9]{6}\.[a-z0-9]{16}$/, bootstrapToken)
          .optional(),
      },
      hiding,
    ),
    hiding,
  ).default([]),
  drainTimeoutSeconds: whole(
    1,
    86_400,
    "not a number of seconds",
    "use a whole number from 1 to 86400",
  ).default(300),
  timeoutFactor: whole(1, 100, "not a factor", "use a whole number from 1 to 100").default(1),
  etcd: group({
    generation: count.default(1),
    quotaMiB: whole(
      32,
      102_400,
      "not a number of MiB that etcd can work with",
      "use a whole number from 32 to 102400",
    ).default(2_048),
    compactionHours: whole(
      0,
      8_760,
      "not a number of hours",
      "use a whole number from 0 to 8760",
    ).default(8),
    backup: group({
      enabled: flag.default(true),
      intervalHours: timerHours.default(6),
      keep: whole(
        1,
        1_000,
        "not a number of snapshots",
        "use a whole number from 1 to 1000",
      ).default(8),
    }).prefault({}),
    defragmentation: group({
      enabled: flag.default(true),
      intervalHours: timerHours.default(24),
      freePercent: whole(1, 99, "not a percentage", "use a whole number from 1 to 99").default(45),
    }).prefault({}),
  }).prefault({}),
  encryptionKeys: list(
    group({
      name: name("key2"),
      provider: oneOf(encryptionProviders, "not a provider of encryption").default("aescbc"),
    }),
  ).default([...defaultEncryptionKeys]),
  apiServer: group({
    extraFlags: extraFlags("event-ttl: 2h"),
    certificateNames: list(
      text(
        (text) => isDnsName(text.replace(/^\*\./, "")) || parseAddress(text) !== undefined,
        "neither a DNS name nor an IPv4 address",
        "write it like api.example.com or 192.0.2.10",
      ),
    ).default([]),
    jwt: list(
      z.record(z.string(), z.unknown(), {
        error: saying("not an issuer", "write issuer and claimMappings below the dash"),
      }),
    ).default([]),
    auditPolicy: yamlFile("./audit-policy.yaml").optional(),
    admissionConfiguration: yamlFile("./admission.yaml").optional(),
    webhooks: webhooks.prefault({}),
  }).prefault({}),
  controllerManager: group({ extraFlags: extraFlags("node-monitor-period: 5s") }).prefault({}),
  scheduler: group({ extraFlags: extraFlags('v: "2"') }).prefault({}),
  kubeProxy: group({
    mode: oneOf(kubeProxyModes, "not a mode of kube-proxy").default("iptables"),
  }).prefault({}),
  artifacts: group({
    mirror: text(
      (text) => path.isAbsolute(text) || serverAt(text) !== undefined,
      "neither an absolute folder nor an http(s) address",
      "write it like /srv/kthw or https://mirror.example.com/kthw",
    )
      .refine((text) => !serverAt(text)?.username && !serverAt(text)?.password, {
        error: hiding(
          "an address with a password",
          "let the server admit the machines without one",
        ),
      })
      .refine((text) => !/[?#]/.test(serverAt(text)?.href ?? ""), {
        error: saying(
          "an address with a query or fragment",
          "write it like https://mirror.example.com/kthw",
        ),
      })
      .optional(),
  }).prefault({}),
  proxy: proxyGroup,
  registries: registryList,
  certificates: group({
    validityHours: hours.default(8_760),
    caValidityHours: hours.default(87_600),
    earlyRenewalHours: hours.default(720),
    validityHoursOf: table("admin: 24", (kind, value) => {
      if (!certificateKinds.some((known) => known === kind)) {
        const todo = `use some of ${certificateKinds.join(", ")}`;
        return mistake("not a kind of certificates", kind, todo);
      }
      return hours.safeParse(value, { reportInput: true }).error?.issues[0]?.message;
    })
      .transform((values) => z.record(z.string(), hours).parse(values))
      .prefault({}),
    rotation: group({
      kubernetesCa: turn.optional(),
      etcdCa: turn.optional(),
      frontProxyCa: turn.optional(),
      serviceAccountKey: turn.optional(),
    }).prefault({}),
    authority: authority.optional(),
    nextAuthority: authority.optional(),
  }).prefault({}),
  reassert: whole(
    0,
    Number.MAX_SAFE_INTEGER,
    "not a whole number",
    "use 0, and 1 more each time",
  ).default(0),
} satisfies z.ZodRawShape;

/** The settings of any platform, parsed. */
export type Parsed = z.output<z.ZodObject<typeof common>>;

/** The settings of any platform, as far as they parse. */
export type Draft = Sound<Parsed>;
