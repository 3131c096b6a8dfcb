import path from "node:path";
import { oldestLinuxForNftables } from "../services/kube-proxy.ts";
import { isPem, type ReadFile, readAuthority } from "./authority.ts";
import { mistakesInForwarders } from "./dns-forwarders.ts";
import { mistakesInFlags } from "./extra-flags.ts";
import { checkHosts } from "./hosts.ts";
import {
  type Cidr,
  encloses,
  formatAddress,
  formatCidr,
  holds,
  lastOf,
  nthAddress,
  overlap,
  parseAddress,
  parseCidr,
  sizeOf,
} from "./ipv4.ts";
import { isAtLeast, type Kernel } from "./kernel.ts";
import { mistakesInKubelets } from "./kubelet-fields.ts";
import { isDnsLabel, parseTaint } from "./label.ts";
import { isServer } from "./mirror.ts";
import { mistakeAt } from "./mistake.ts";
import type { Draft } from "./schema.ts";

/** What the settings are checked against besides each other. */
export interface Context {
  readonly stack: string;
  /** This computer's architecture, in Go's words. */
  readonly arch: string;
  /** Absolute folder that holds the default mirror. */
  readonly cacheDir: string;
  /** This computer's. */
  readonly kernel: Kernel;
  /** The user's home folder. */
  readonly home: string;
  /** Reads a file that a setting names, from the project's folder on. */
  readonly read: ReadFile;
  /** Whether a setting at the top, or a part of it, is encrypted in the settings file. */
  readonly isSecret: (setting: string) => boolean;
}

/** A setting that parsed, and where it stands. */
interface Setting<T> {
  readonly where: string;
  readonly value: T;
}

/** The settings as the checks look at them: those that did not parse are not there. */
interface Subject {
  readonly draft: Draft;
  readonly context: Context;
  readonly machineCidr: Cidr | undefined;
  readonly podCidr: Cidr | undefined;
  readonly serviceCidr: Cidr | undefined;
  /** Those that stand at a second place are left out. */
  readonly machines: readonly Machine[];
  readonly twice: readonly { where: string; value: Machine; earlier: Setting<Machine> }[];
  readonly names: readonly Setting<string>[];
  readonly addresses: readonly Setting<number>[];
  readonly podCidrs: readonly Setting<Cidr>[];
}

/** The mistakes of settings that are each right by themselves. */
export function check(draft: Draft, context: Context): string[] {
  const all = machinesOf(draft).map((value) => ({ where: value.where, value }));
  const twice = conflicts(all, sameMachine);
  const machines = all
    .filter(({ where }) => !twice.some((one) => one.where === where))
    .map(({ value }) => value);
  const subject: Subject = {
    draft,
    context,
    machineCidr: parseCidr(draft.machineCidr ?? ""),
    podCidr: parseCidr(draft.podCidr ?? ""),
    serviceCidr: parseCidr(draft.serviceCidr ?? ""),
    machines,
    twice,
    names: found(machines, "name", (name) => name),
    addresses: found(machines, "address", parseAddress),
    podCidrs: found(machines, "podCidr", parseCidr),
  };
  return checks.flatMap((check) => check(subject));
}

const checks: readonly ((subject: Subject) => string[])[] = [
  stackName,
  architecture,
  mirrorFolder,
  rangesApart,
  machineRange,
  podRange,
  serviceRange,
  dnsAddress,
  dnsForwarders,
  loadBalancerCount,
  memberCount,
  poolMachines,
  poolNames,
  poolDiscovery,
  joinTokens,
  machinesOnce,
  machineNames,
  machineAddresses,
  machinePodRanges,
  kubeletFields,
  maxPods,
  extraFlags,
  taintsOnce,
  staticPodNames,
  kubeProxyMode,
  certificateTimes,
  broughtAuthority,
  sshPorts,
  existingHosts,
];

interface Machine {
  readonly where: string;
  readonly name?: string | undefined;
  readonly address?: string | undefined;
  readonly podCidr?: string | undefined;
  /** What the kubelets of its pool are given. */
  readonly pool?: Readonly<Record<string, unknown>> | undefined;
  readonly kubelet?: Readonly<Record<string, unknown>> | undefined;
}

function machinesOf({ loadBalancers, controllers, workerPools }: Draft): Machine[] {
  return [
    ...(loadBalancers ?? []).map((machine, i) => ({ where: `loadBalancers[${i}]`, ...machine })),
    ...(controllers ?? []).map((machine, i) => ({
      where: `controllers[${i}]`,
      pool: {},
      ...machine,
    })),
    ...(workerPools ?? []).flatMap((pool, p) =>
      (pool?.machines ?? []).map((machine, i) => ({
        where: `workerPools[${p}].machines[${i}]`,
        pool: pool?.kubelet,
        ...machine,
      })),
    ),
  ];
}

function sameMachine(one: Machine, other: Machine): boolean {
  return one.name !== undefined && one.name === other.name && one.address === other.address;
}

function found<T>(
  machines: readonly Machine[],
  field: "name" | "address" | "podCidr",
  parse: (text: string) => T | undefined,
): Setting<T>[] {
  return machines.flatMap(({ where, [field]: text }) => {
    const value = text === undefined ? undefined : parse(text);
    return value === undefined ? [] : [{ where: `${where}.${field}`, value }];
  });
}

/** The settings that are in conflict with an earlier one, each with the first such. */
function conflicts<T>(
  settings: readonly Setting<T>[],
  conflict: (value: T, earlier: T) => boolean = (value, earlier) => value === earlier,
): { where: string; value: T; earlier: Setting<T> }[] {
  return settings.flatMap(({ where, value }, index) => {
    const earlier = settings.slice(0, index).find((earlier) => conflict(value, earlier.value));
    return earlier ? [{ where, value, earlier }] : [];
  });
}

/** A stack's machines live in a network namespace of its name. */
function stackName({ draft, context: { stack } }: Subject): string[] {
  if (draft.platform === "hosts") return [];
  if (isDnsLabel(stack) && stack.length <= 40) return [];
  const wrong = "not usable as the name of a network namespace";
  const todo = "name the stack with up to 40 small letters, digits and inner dashes, like local";
  return [mistakeAt("stack", wrong, stack, todo)];
}

function architecture({ draft, context: { arch } }: Subject): string[] {
  const where = "architecture";
  if (draft.platform === "hosts" && draft.architecture !== undefined) return [];
  if (arch !== "amd64" && arch !== "arm64") {
    return [mistakeAt(where, "not supported", arch, "use a computer of amd64 or arm64")];
  }
  if ((draft.architecture ?? arch) === arch) return [];
  return [
    mistakeAt(where, "not this computer's", draft.architecture, `leave it out or use ${arch}`),
  ];
}

/** Machines on this computer see a folder of it, and nothing beyond it. */
function mirrorFolder({ draft, context: { cacheDir } }: Subject): string[] {
  const mirror = draft.artifacts?.mirror;
  if (mirror === undefined) {
    if (draft.platform === "hosts") return [];
    if (path.isAbsolute(cacheDir)) return [];
    return [mistakeAt("KTHW_CACHE", "not an absolute folder", cacheDir, "start it with a slash")];
  }
  if (draft.platform !== "local" || !isServer(mirror)) return [];
  const wrong = "out of reach for machines on this computer";
  return [mistakeAt("artifacts.mirror", wrong, mirror, "copy it into a folder and write that")];
}

function rangesApart({ machineCidr, podCidr, serviceCidr }: Subject): string[] {
  const ranges = Object.entries({ machineCidr, podCidr, serviceCidr }).flatMap(([where, value]) =>
    value ? [{ where, value }] : [],
  );
  return conflicts(ranges, overlap).map(({ where, value, earlier }) => {
    const wrong = `overlaps ${earlier.where} ${formatCidr(earlier.value)}`;
    return mistakeAt(where, wrong, formatCidr(value), "choose networks that are apart");
  });
}

/** The first and last address of a network are nobody's, the second is the gateway's. */
function hasRoom(cidr: Cidr, machines: number): boolean {
  return sizeOf(cidr) - 3 >= machines;
}

function machineRange({ machineCidr, machines }: Subject): string[] {
  if (!machineCidr || hasRoom(machineCidr, machines.length)) return [];
  const wrong = `too small for ${machines.length} machines`;
  return [mistakeAt("machineCidr", wrong, formatCidr(machineCidr), "choose a larger network")];
}

function holdsAll(cidr: Cidr, parts: readonly Setting<Cidr>[]): boolean {
  return sizeOf(cidr) >= parts.reduce((sum, { value }) => sum + sizeOf(value), 0);
}

function podRange({ podCidr, podCidrs }: Subject): string[] {
  if (!podCidr || holdsAll(podCidr, podCidrs)) return [];
  const wrong = `too small for the ranges of ${podCidrs.length} machines`;
  return [mistakeAt("podCidr", wrong, formatCidr(podCidr), "choose a larger network")];
}

const longestServicePrefix = 28;

function serviceRange({ serviceCidr }: Subject): string[] {
  if (!serviceCidr || serviceCidr.prefix <= longestServicePrefix) return [];
  const todo = `choose at least a /${longestServicePrefix}`;
  return [mistakeAt("serviceCidr", "too small for services", formatCidr(serviceCidr), todo)];
}

function dnsAddress({ draft, serviceCidr }: Subject): string[] {
  const value = parseAddress(draft.dnsAddress ?? "");
  if (value === undefined || !serviceCidr || serviceCidr.prefix > longestServicePrefix) return [];
  const wrong = holds(serviceCidr, value)
    ? reserved(serviceCidr, value, "the address of the API's own service")
    : `not in serviceCidr ${formatCidr(serviceCidr)}`;
  if (wrong === undefined) return [];
  const todo = `leave it out for ${nthAddress(serviceCidr, 10)}, or choose another in between`;
  return [mistakeAt("dnsAddress", wrong, formatAddress(value), todo)];
}

/** Whose address it is already, when it is one of the first two of its network or the last. */
function reserved(cidr: Cidr, address: number, second: string | undefined): string | undefined {
  if (address === cidr.first) return "the address of the network itself";
  if (address === cidr.first + 1) return second;
  return address === lastOf(cidr) ? "the network's broadcast address" : undefined;
}

function loadBalancerCount({ draft: { loadBalancers } }: Subject): string[] {
  if (!loadBalancers || loadBalancers.length === 1) return [];
  const todo = "list exactly one";
  return loadBalancers.length === 0
    ? [mistakeAt("loadBalancers", "no machine", undefined, todo)]
    : [mistakeAt("loadBalancers", "more than one machine", loadBalancers.length, todo)];
}

/** Each controller is a member of etcd. */
function memberCount({ draft: { controllers } }: Subject): string[] {
  if (!controllers || controllers.length % 2 === 1) return [];
  if (controllers.length === 0) {
    return [mistakeAt("controllers", "no machine", undefined, "list one, three or five")];
  }
  const todo = `list ${controllers.length - 1} or ${controllers.length + 1}, since an even number survives no more failures than one less`;
  return [mistakeAt("controllers", "an even number of etcd members", controllers.length, todo)];
}

function poolMachines({ draft: { workerPools } }: Subject): string[] {
  return (workerPools ?? []).flatMap((pool, index) =>
    pool?.machines?.length === 0
      ? [
          mistakeAt(
            `workerPools[${index}].machines`,
            "no machine",
            undefined,
            "list one, or leave the pool out",
          ),
        ]
      : [],
  );
}

/** A machine has one role: the same name and address may not stand at two places. */
function machinesOnce({ twice }: Subject): string[] {
  return twice.map(({ where, value, earlier }) =>
    mistakeAt(where, `the same machine as ${earlier.where}`, value.name, "leave it in one place"),
  );
}

function poolDiscovery({ draft: { workerPools } }: Subject): string[] {
  return (workerPools ?? []).flatMap((pool, index) => {
    if (!pool?.discovery || pool.join === undefined || pool.join === "kubeadm") return [];
    const todo = "leave it out, or set join to kubeadm";
    return [
      mistakeAt(
        `workerPools[${index}].discovery`,
        `not used by join ${pool.join}`,
        pool.discovery,
        todo,
      ),
    ];
  });
}

/** Tokens are told apart by their names in the settings, and by what stands before the dot in the cluster. */
function joinTokens({ draft: { joinTokens } }: Subject): string[] {
  const settings = (joinTokens ?? []).map((token, index) => ({
    where: `joinTokens[${index}]`,
    token,
  }));
  const names = settings.flatMap(({ where, token }) =>
    token?.name === undefined ? [] : [{ where: `${where}.name`, value: token.name }],
  );
  const ids = settings.flatMap(({ where, token }) =>
    token?.token === undefined ? [] : [{ where: `${where}.token`, value: token.token.slice(0, 6) }],
  );
  return [
    ...conflicts(names).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, "give each token a name of its own"),
    ),
    ...conflicts(ids).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same before the dot as ${earlier.where}`, value, "choose another"),
    ),
  ];
}

function poolNames({ draft: { workerPools } }: Subject): string[] {
  const names = (workerPools ?? []).flatMap((pool, index) =>
    pool?.name === undefined ? [] : [{ where: `workerPools[${index}].name`, value: pool.name }],
  );
  const todo = "give each pool a name of its own";
  return [
    ...names
      .filter(({ value }) => value === "controllers")
      .map(({ where, value }) =>
        mistakeAt(where, "the name of the controllers' pool", value, todo),
      ),
    ...conflicts(names).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, todo),
    ),
  ];
}

function machineNames({ names }: Subject): string[] {
  return conflicts(names).map(({ where, value, earlier }) =>
    mistakeAt(where, `the same as ${earlier.where}`, value, "give each machine a name of its own"),
  );
}

function machineAddresses({ draft, machineCidr, machines, addresses }: Subject): string[] {
  const twice = conflicts(addresses).map(({ where, value, earlier }) => {
    const wrong = `the same as ${earlier.where}`;
    return mistakeAt(where, wrong, formatAddress(value), "give each machine an address of its own");
  });
  if (!machineCidr || !hasRoom(machineCidr, machines.length)) return twice;
  const [inside, outside] = parted(addresses, (address) => holds(machineCidr, address));
  const taken = inside.flatMap(({ where, value }) => {
    const gateway = draft.platform === "local" ? "the address of the machines' gateway" : undefined;
    const wrong = reserved(machineCidr, value, gateway);
    const todo = `choose a free one in machineCidr ${formatCidr(machineCidr)}`;
    return wrong ? [mistakeAt(where, wrong, formatAddress(value), todo)] : [];
  });
  return [
    ...twice,
    ...taken,
    ...strays("machineCidr", machineCidr, inside, outside, formatAddress),
  ];
}

function machinePodRanges({ podCidr, podCidrs }: Subject): string[] {
  const overlapping = conflicts(podCidrs, overlap).map(({ where, value, earlier }) => {
    const wrong = `overlaps ${earlier.where} ${formatCidr(earlier.value)}`;
    return mistakeAt(where, wrong, formatCidr(value), "give each machine a range of its own");
  });
  if (!podCidr || !holdsAll(podCidr, podCidrs)) return overlapping;
  const [inside, outside] = parted(podCidrs, (range) => encloses(podCidr, range));
  return [...overlapping, ...strays("podCidr", podCidr, inside, outside, formatCidr)];
}

function parted<T>(settings: readonly Setting<T>[], passes: (value: T) => boolean) {
  const inside = settings.filter(({ value }) => passes(value));
  return [inside, settings.filter((setting) => !inside.includes(setting))] as const;
}

/** If a network holds nothing of what it should, that is one mistake: the network. */
function strays<T>(
  name: string,
  cidr: Cidr,
  inside: readonly Setting<T>[],
  outside: readonly Setting<T>[],
  format: (value: T) => string,
): string[] {
  const network = formatCidr(cidr);
  if (inside.length === 0 && outside.length > 1) {
    const todo = `choose one that holds ${format(outside[0]!.value)} and the others`;
    return [mistakeAt(name, "apart from all machines", network, todo)];
  }
  return outside.map(({ where, value }) =>
    mistakeAt(where, `not in ${name} ${network}`, format(value), "choose a free one in it"),
  );
}

function dnsForwarders({ draft }: Subject): string[] {
  return mistakesInForwarders(draft);
}

function kubeletFields({ draft }: Subject): string[] {
  return mistakesInKubelets(draft);
}

function extraFlags({ draft }: Subject): string[] {
  return mistakesInFlags(draft);
}

/** Besides the first and last address of a machine's range, its bridge has one. */
function maxPods({ machines }: Subject): string[] {
  return machines.flatMap(({ where, podCidr, pool, kubelet }) => {
    const range = parseCidr(podCidr ?? "");
    if (!range || !pool || !kubelet) return [];
    const { maxPods } = { maxPods: 110, ...pool, ...kubelet };
    if (!Number.isInteger(maxPods) || Number(maxPods) <= 0) return [];
    if (sizeOf(range) - 3 >= Number(maxPods)) return [];
    const prefix = 32 - Math.ceil(Math.log2(Number(maxPods) + 3));
    const todo = `choose at least a /${prefix}, or a smaller kubelet.maxPods`;
    return [mistakeAt(`${where}.podCidr`, `too small for ${maxPods} pods`, podCidr, todo)];
  });
}

function taintsOnce({ draft: { controllerTaints, workerPools } }: Subject): string[] {
  const lists = [
    { where: "controllerTaints", taints: controllerTaints },
    ...(workerPools ?? []).map((pool, index) => ({
      where: `workerPools[${index}].taints`,
      taints: pool?.taints,
    })),
  ];
  return lists.flatMap(({ where, taints }) => {
    const settings = (taints ?? []).flatMap((text, index) =>
      text === undefined ? [] : [{ where: `${where}[${index}]`, value: text }],
    );
    return conflicts(settings, sameTaint).map(({ where, value, earlier }) => {
      const wrong = `the same key and effect as ${earlier.where}`;
      return mistakeAt(where, wrong, value, "leave one of them out");
    });
  });
}

/** They are files of one folder. */
function staticPodNames({ draft: { controllerStaticPods, workerPools } }: Subject): string[] {
  const lists = [
    { where: "controllerStaticPods", pods: controllerStaticPods },
    ...(workerPools ?? []).map((pool, index) => ({
      where: `workerPools[${index}].staticPods`,
      pods: pool?.staticPods,
    })),
  ];
  return lists.flatMap(({ where, pods }) => {
    const names = (pods ?? []).flatMap((pod, index) =>
      pod?.metadata?.name === undefined
        ? []
        : [{ where: `${where}[${index}].metadata.name`, value: pod.metadata.name }],
    );
    return conflicts(names).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, "give each pod a name of its own"),
    );
  });
}

function sameTaint(text: string, other: string): boolean {
  const [a, b] = [parseTaint(text), parseTaint(other)];
  return a !== undefined && b !== undefined && a.key === b.key && a.effect === b.effect;
}

/** Machines on this computer share its kernel. */
function kubeProxyMode({ draft: { platform, kubeProxy }, context: { kernel } }: Subject): string[] {
  const mode = kubeProxy?.mode;
  if (platform !== "local") return [];
  const where = "kubeProxy.mode";
  const shared = `this computer's kernel ${kernel.release}, which its machines share, `;
  if (mode === "nftables" && !isAtLeast(kernel, oldestLinuxForNftables)) {
    const wrong = `${shared}is older than ${oldestLinuxForNftables}`;
    return [mistakeAt(where, wrong, mode, "use iptables, or a newer kernel")];
  }
  if (mode === "ipvs" && !kernel.ipvs) {
    const todo = "use iptables or nftables, or a kernel with ip_vs";
    return [mistakeAt(where, `${shared}has no ip_vs`, mode, todo)];
  }
  return [];
}

function certificateTimes({ draft: { certificates = {} } }: Subject): string[] {
  const { validityHours, caValidityHours, earlyRenewalHours } = certificates;
  const mistakes: string[] = [];
  if (validityHours && caValidityHours && validityHours > caValidityHours) {
    const wrong = `longer than certificates.caValidityHours ${caValidityHours}`;
    const todo = "let no certificate outlive its authority";
    mistakes.push(mistakeAt("certificates.validityHours", wrong, validityHours, todo));
  }
  if (validityHours && earlyRenewalHours && earlyRenewalHours >= validityHours) {
    const wrong = `not shorter than certificates.validityHours ${validityHours}`;
    const todo = "renew a certificate during its life";
    mistakes.push(mistakeAt("certificates.earlyRenewalHours", wrong, earlyRenewalHours, todo));
  }
  return mistakes;
}

function broughtAuthority({ draft, context: { read, isSecret } }: Subject): string[] {
  const { certificate, privateKey } = draft.certificates?.authority ?? {};
  if (certificate === undefined || privateKey === undefined) return [];
  const result = readAuthority({ certificate, privateKey }, read);
  const mistakes = "mistakes" in result ? result.mistakes : [];
  if (!isPem(privateKey) || isSecret("certificates")) return mistakes;
  const where = "certificates.authority.privateKey";
  const todo = `encrypt it by pulumi config set --secret --path 'kthw:${where}', or name a file`;
  return [...mistakes, mistakeAt(where, "in plain text in the settings", "[secret]", todo)];
}

/** Each machine's SSH port is `local.sshPortBase` and its place in `machineCidr`. */
function sshPorts({ draft: { platform, local }, machineCidr, addresses }: Subject): string[] {
  const base = local?.sshPortBase;
  if (platform === "hosts" || base === undefined || !machineCidr) return [];
  const places = addresses
    .map(({ value }) => value)
    .filter((address) => holds(machineCidr, address))
    .map((address) => address - machineCidr.first);
  const highest = Math.max(0, ...places);
  if (base + highest > 65_535) {
    const wrong = `too high for the SSH port of ${nthAddress(machineCidr, highest)}`;
    const todo = `use at most ${65_535 - highest}`;
    return [mistakeAt("local.sshPortBase", wrong, base, todo)];
  }
  const clash = places.find((place) => base + place === local?.apiPort);
  if (clash === undefined) return [];
  const wrong = `also the SSH port of ${nthAddress(machineCidr, clash)}`;
  return [mistakeAt("local.apiPort", wrong, local?.apiPort, "choose another port")];
}

function existingHosts({ draft, context, machines }: Subject): string[] {
  return draft.platform === "hosts" ? checkHosts(draft, machines, context) : [];
}
