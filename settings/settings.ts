import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import type { BroughtAuthority } from "../components/certificate-authority.ts";
import type { ArtifactSource } from "../components/downloads.ts";
import type { Architecture, KubernetesVersion } from "../components/versions.ts";
import type { KubeProxyMode } from "../services/kube-proxy.ts";
import type { StaticPod } from "../services/kubelet.ts";
import { readAuthority } from "./authority.ts";
import { type Context, check } from "./checks.ts";
import { expanded } from "./hosts.ts";
import { nthAddress, parseCidr } from "./ipv4.ts";
import { thisKernel } from "./kernel.ts";
import { parseTaint, type Taint } from "./label.ts";
import { isServer, type MirrorSettings, readMirror } from "./mirror.ts";
import { nearest, place, unknownSetting } from "./mistake.ts";
import { type Draft, draftOf, type Parsed, schema } from "./schema.ts";
import { warnings } from "./warnings.ts";

export type { Taint } from "./label.ts";

/** Where machines on this computer see the mirror's folder. */
export const mirrorOnMachines = "/opt/kthw-mirror";

/** A load balancer of the API. */
export interface LoadBalancerSettings {
  readonly name: string;
  readonly address: string;
}

/** A machine that becomes a node. */
export interface MachineSettings {
  /** Host name and name of the node. */
  readonly name: string;
  /** IPv4 address at which the other machines reach it. */
  readonly address: string;
  /** Network that its pods get their addresses from. */
  readonly podCidr: string;
  /** Fields of KubeletConfiguration laid over ours, those of its pool included. */
  readonly kubelet: Readonly<Record<string, unknown>>;
}

/** Workers that share labels, taints and the pace of their updates. */
export interface WorkerPoolSettings {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined where they are not looked after. */
  readonly taints: readonly Taint[] | undefined;
  readonly staticPods: readonly StaticPod[];
  /** How many of its machines an update may restart at a time. */
  readonly maxUnavailable: number;
  /** How its machines become nodes. */
  readonly join: "certificates" | "bootstrapToken" | "kubeadm";
  /** How `kubeadm join` gets to know the cluster. */
  readonly discovery: "token" | "file";
  readonly machines: readonly MachineSettings[];
}

/** A bootstrap token for machines that are not in the settings. */
export interface JoinTokenSettings {
  readonly name: string;
  readonly validityHours: number;
  /** The token itself, a secret; undefined for one made of random letters. */
  readonly token?: string | undefined;
}

/** Flags laid over those that the program gives a service. */
export interface ServiceSettings {
  /** Flag, without dashes, to value. */
  readonly extraFlags: Readonly<Record<string, string>>;
}

/** What a stack's settings say, checked, with every default filled in and deeply frozen. */
export interface Settings {
  /** Where the machines come from. */
  readonly platform: "local" | "hosts";
  readonly clusterName: string;
  readonly clusterDomain: string;
  /** A key of the table of versions. */
  readonly kubernetesVersion: KubernetesVersion;
  readonly architecture: Architecture;
  readonly machineCidr: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  /** The cluster's DNS server, in `serviceCidr`. */
  readonly dnsAddress: string;
  /** Servers that are asked for names outside the cluster. */
  readonly dnsForwarders: readonly string[];
  /** Exactly one. */
  readonly loadBalancers: readonly LoadBalancerSettings[];
  /** An odd number of them. */
  readonly controllers: readonly MachineSettings[];
  readonly controllerTaints: readonly Taint[];
  readonly controllerLabels: Readonly<Record<string, string>>;
  readonly controllerStaticPods: readonly StaticPod[];
  /** Whether each controller tells over plain HTTP, on port 80, if its API server is healthy. */
  readonly controllerHealthProxy: boolean;
  readonly workerPools: readonly WorkerPoolSettings[];
  readonly joinTokens: readonly JoinTokenSettings[];
  /** How long the pods of a Node that leaves may take to go elsewhere. */
  readonly drainTimeoutSeconds: number;
  readonly etcd: {
    /** Raised when the cluster is founded anew from a snapshot. */
    readonly generation: number;
  };
  readonly apiServer: ServiceSettings;
  readonly controllerManager: ServiceSettings;
  readonly scheduler: ServiceSettings;
  readonly kubeProxy: {
    /** How kube-proxies program the kernel. */
    readonly mode: KubeProxyMode;
  };
  readonly artifacts: {
    /** Absolute folder or http(s) address with a SHA256SUMS; undefined for the upstream addresses. */
    readonly mirror: string | undefined;
  };
  readonly certificates: {
    readonly validityHours: number;
    readonly caValidityHours: number;
    /** How long before its end a certificate is renewed. */
    readonly earlyRenewalHours: number;
    /** Signs what the cluster's own authority would sign; its key is a secret. */
    readonly authority?: BroughtAuthority;
  };
  /** Raised to put every service's files right again. */
  readonly reassert: number;
  readonly local: {
    /** Port of the API on 127.0.0.1. */
    readonly apiPort: number;
    /** A machine's SSH port on 127.0.0.1 less its place in `machineCidr`. */
    readonly sshPortBase: number;
  };
  readonly hosts: HostsSettings;
}

/** How a machine is reached by SSH. */
export interface EntranceSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absolute path on this computer. */
  readonly privateKeyFile: string;
  /** Its public key as known_hosts has it; undefined: not verified. */
  readonly hostKey: string | undefined;
}

/** Existing hosts, and what they are like. */
export interface HostsSettings {
  /** How each machine is reached, by its name. */
  readonly entrances: Readonly<Record<string, EntranceSettings>>;
  /** Raised when a host has been installed anew, by its machine's name. */
  readonly generations: Readonly<Record<string, number>>;
  /** The host through which all others are reached. */
  readonly jumpBox: EntranceSettings | undefined;
  /** The API as the operator reaches it. */
  readonly endpoint: { readonly host: string; readonly port: number };
  readonly traits: {
    readonly cgroupVersion: 1 | 2;
    readonly container: boolean;
    readonly restrictOomScoreAdj: boolean;
  };
}

/**
 * The settings that `raw` describes, or every mistake in it, each a line
 * `<where>: <what is wrong>, got <value>; <what to do>`, and the mirror, which can be looked at nevertheless.
 */
export function parseSettings(
  raw: Readonly<Record<string, unknown>>,
  context: Context,
): { settings: Settings } | { mistakes: string[]; mirror: MirrorSettings | undefined } {
  const written = structuredClone(raw);
  const mistakes = mistakesIn(written, context);
  if (mistakes.length === 0) {
    return { settings: frozen(settingsFrom(schema.parse(written), context)) };
  }
  const isKnown = !mistakes.some((mistake) => mistake.startsWith("artifacts"));
  return { mistakes, mirror: isKnown ? mirrorSettings(draftOf(written), context) : undefined };
}

/** Renames unknown settings to what is probably meant, so that all else is judged as if they were right. */
function mistakesIn(written: unknown, context: Context): string[] {
  const issues = schema.safeParse(written, { reportInput: true }).error?.issues ?? [];
  const unknown = issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return [];
    const known = issue.message.split(" ");
    const group = issue.input as Record<string, unknown>;
    return issue.keys.map((key) => {
      const value = group[key];
      const meant = nearest(key, known);
      delete group[key];
      if (meant && !(meant in group)) group[meant] = value;
      const shown = issue.path[0] === "joinTokens" ? "[secret]" : value;
      return unknownSetting([...issue.path, key], shown, known);
    });
  });
  return unknown.length > 0
    ? [...unknown, ...mistakesIn(written, context)]
    : [
        ...issues.map(({ path, message }) => `${place(path)}: ${message}`),
        ...check(draftOf(written), context),
      ];
}

/** Lays what all hosts have in common under what each has of its own. */
function hostsSettings(parsed: Parsed, context: Context): HostsSettings {
  const { user, port, privateKeyFile, jumpBox, endpoint, machines, traits } = parsed.hosts;
  const file = (path = privateKeyFile) => expanded(path, context);
  const own = new Map(machines.map((machine) => [machine.name, machine]));
  const all = [
    ...parsed.loadBalancers,
    ...parsed.controllers,
    ...parsed.workerPools.flatMap((pool) => pool.machines),
  ];
  const entrances = all.map(({ name, address }) => {
    const machine = own.get(name);
    const entrance = {
      host: machine?.host ?? address,
      port: machine?.port ?? port,
      user: machine?.user ?? user,
      privateKeyFile: file(),
      hostKey: machine?.hostKey,
    };
    return [name, entrance] as const;
  });
  return {
    entrances: Object.fromEntries(entrances),
    generations: Object.fromEntries(all.map(({ name }) => [name, own.get(name)?.generation ?? 1])),
    jumpBox: jumpBox && {
      host: jumpBox.host,
      port: jumpBox.port,
      user: jumpBox.user ?? user,
      privateKeyFile: file(jumpBox.privateKeyFile),
      hostKey: jumpBox.hostKey,
    },
    endpoint: endpoint ?? { host: parsed.loadBalancers[0]!.address, port: 6443 },
    traits: { ...traits, cgroupVersion: traits.cgroupVersion === 1 ? 1 : 2 },
  };
}

function settingsFrom(parsed: Parsed, context: Context): Settings {
  const { authority, ...validity } = parsed.certificates;
  const brought = authority && readAuthority(authority, context.read);
  const machines = (list: Parsed["controllers"], pool: Readonly<Record<string, unknown>>) =>
    list.map((machine) => ({ ...machine, kubelet: { ...pool, ...machine.kubelet } }));
  const taints = (list: readonly string[]) => list.map((text) => parseTaint(text)!);
  const texts = ({ extraFlags }: Parsed["apiServer"]) => ({
    extraFlags: Object.fromEntries(
      Object.entries(extraFlags).map(([flag, value]) => [flag, String(value)]),
    ),
  });
  return {
    ...parsed,
    apiServer: texts(parsed.apiServer),
    controllerManager: texts(parsed.controllerManager),
    scheduler: texts(parsed.scheduler),
    ...mirrorSettings(parsed, context)!,
    hosts: hostsSettings(parsed, context),
    certificates: {
      ...validity,
      ...(brought && "authority" in brought && { authority: brought.authority }),
    },
    dnsAddress: parsed.dnsAddress ?? nthAddress(parseCidr(parsed.serviceCidr)!, 10),
    controllers: machines(parsed.controllers, {}),
    controllerTaints: taints(parsed.controllerTaints),
    workerPools: parsed.workerPools.map(({ kubelet, ...pool }) => ({
      ...pool,
      taints: pool.taints && taints(pool.taints),
      discovery: pool.discovery ?? "token",
      machines: machines(pool.machines, kubelet),
    })),
  };
}

/** What the mirror has to hold; undefined while that does not parse. */
function mirrorSettings(draft: Draft, context: Context): MirrorSettings | undefined {
  const { platform, kubernetesVersion, artifacts, architecture = context.arch } = draft;
  if (!kubernetesVersion || !artifacts) return undefined;
  if (architecture !== "amd64" && architecture !== "arm64") return undefined;
  const none = platform === "hosts" ? undefined : path.join(context.cacheDir, "mirror");
  const mirror = artifacts.mirror ?? none;
  if (mirror !== undefined && !path.isAbsolute(mirror) && !isServer(mirror)) return undefined;
  return { kubernetesVersion, architecture, artifacts: { mirror } };
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) frozen(item);
    Object.freeze(value);
  }
  return value;
}

/** What the command line hands on as text: lists and groups are JSON, a name without a value is empty. */
export function rawSettings(config: Readonly<Record<string, string>>): Record<string, unknown> {
  const namespace = "kthw:";
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key, text]) => key.startsWith(namespace) && text !== "")
      .map(([key, text]) => [key.slice(namespace.length), decoded(text)]),
  );
}

function decoded(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The settings of this stack; if there are mistakes in them or in its mirror, shows all of them and ends the program. */
export async function loadSettings(): Promise<Settings> {
  const { env, arch } = process;
  const cache = env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  const secretSettings: string[] = JSON.parse(env.PULUMI_CONFIG_SECRET_KEYS ?? "[]");
  const raw = rawSettings(pulumi.runtime.allConfig());
  const context = {
    stack: pulumi.getStack(),
    arch: arch === "x64" ? "amd64" : arch,
    cacheDir: env.KTHW_CACHE || path.join(cache, "kthw"),
    kernel: thisKernel(),
    home: os.homedir(),
    read: (file: string) => readFileSync(file, "utf8"),
    isSecret: (setting: string) => secretSettings.includes(`kthw:${setting}`),
  };
  const result = parseSettings(raw, context);
  if ("settings" in result) {
    for (const warning of warnings(result.settings)) await pulumi.log.warn(warning);
    return result.settings;
  }
  const mirror = result.mirror && (await readMirror(result.mirror));
  return await refuse([
    ...result.mistakes,
    ...(mirror && "mistakes" in mirror ? mirror.mistakes : []),
  ]);
}

/** Where machines download from, with the mirror's checksums; if it lacks what this stack needs, shows that and ends the program. */
export async function loadArtifactSource(
  settings: MirrorSettings & Pick<Settings, "platform">,
): Promise<ArtifactSource> {
  const result = await readMirror(settings);
  if ("mistakes" in result) return await refuse(result.mistakes);
  const { mirror } = settings.artifacts;
  // Existing hosts have the folder, too, at the same path.
  const folder = settings.platform === "local" ? mirrorOnMachines : mirror;
  const mirrorUrl =
    mirror && (isServer(mirror) ? mirror.replace(/\/+$/, "") : pathToFileURL(folder!).href);
  return { mirrorUrl, sums: result.sums };
}

/** Shows each mistake and ends the program; a thrown error would be shown after half a minute, with a stack trace. */
export async function refuse(mistakes: readonly string[]): Promise<never> {
  for (const mistake of mistakes) await pulumi.log.error(mistake);
  process.exit(32);
}
