import path from "node:path";
import type { z } from "zod";
import { networks } from "../../networks/networks.ts";
import type { Network } from "../../networks/pod-network.ts";
import type { Role } from "../../services/cluster-facts.ts";
import { room } from "../../services/room.ts";
import {
  conflicts,
  type Machine,
  type Setting,
  type Subject,
} from "../../settings/checks/subject.ts";
import type { Sound } from "../../settings/draft.ts";
import {
  type Cidr,
  encloses,
  formatAddress,
  formatCidr,
  holds,
  lastOf,
  overlap,
  parseAddress,
  parseCidr,
} from "../../settings/ipv4.ts";
import { mistakeAt } from "../../settings/mistake.ts";
import type { Draft } from "../../settings/schema.ts";
import { namedMachines } from "../named-machines.ts";
import { servedMirror } from "../network-checks.ts";
import { loginWithPublicKey } from "../ssh-key.ts";
import { nameOnAws } from "./named.ts";
import type { awsGroup } from "./settings.ts";
import { architectureOf, memoryOf } from "./sizes.ts";
import { isReserved } from "./subnets.ts";

type AwsSubject = Subject<Draft & Sound<{ aws: z.output<typeof awsGroup> }>>;

/** The mistakes of settings for machines on EC2. */
export function check(subject: AwsSubject): string[] {
  const mirror = (subject: AwsSubject) => servedMirror(subject, "machines on EC2");
  const checks = [
    stackName,
    mirror,
    credentials,
    ranges,
    subnetCount,
    addresses,
    balancerAddresses,
    sharedAddress,
    tagNames,
    rangesOnce,
    access,
    api,
    sizes,
    machineNames,
    keys,
  ];
  return checks.flatMap((check) => check(subject));
}

/** The longest name of a load balancer: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html */
const longestName = 32;

/** The stack's name is part of names on AWS, of which that of the load balancer is the shortest. */
function stackName({ context: { stack } }: AwsSubject): string[] {
  const room = longestName - `${nameOnAws("")}-api`.length;
  if (/^[A-Za-z0-9-]+$/.test(stack) && stack.length <= room) return [];
  const todo = `name the stack with up to ${room} letters, digits and dashes, like aws`;
  const wrong = `not usable in names on AWS, which have up to ${longestName} characters`;
  return [mistakeAt("stack", wrong, stack, todo)];
}

/** Variables of the environment, each of which says where credentials are: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html */
const variables = [
  "AWS_ACCESS_KEY_ID",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/** There are credentials, as far as this computer shows; only AWS knows what they are good for. */
function credentials({ draft: { aws }, context: { env, home, read } }: AwsSubject): string[] {
  const text = (file: string) => {
    try {
      return read(file);
    } catch {
      return undefined;
    }
  };
  const files = [
    env.AWS_SHARED_CREDENTIALS_FILE ?? path.join(home, ".aws/credentials"),
    env.AWS_CONFIG_FILE ?? path.join(home, ".aws/config"),
  ].map(text);
  const profile = aws?.profile;
  if (profile !== undefined) {
    const sections = files.flatMap((file) =>
      [...(file ?? "").matchAll(/^\s*\[\s*(?:profile\s+)?(.*?)\s*\]/gm)].map(([, name]) => name),
    );
    if (sections.includes(profile)) return [];
    const todo = "write the name of a profile there, or add it by aws configure";
    return [mistakeAt("aws.profile", "in no file of AWS's command line", profile, todo)];
  }
  const isOnEc2 = text("/sys/devices/virtual/dmi/id/sys_vendor")?.startsWith("Amazon EC2");
  if (variables.some((name) => env[name]) || files.some((file) => file !== undefined) || isOnEc2)
    return [];
  const wrong = "no credentials, neither in the environment nor in ~/.aws";
  const todo = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write a profile of ~/.aws";
  return [mistakeAt("aws.profile", wrong, undefined, todo)];
}

/** Names of tags that are the program's or AWS's own: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html */
function tagNames({ draft: { aws } }: AwsSubject): string[] {
  return Object.keys(aws?.tags ?? {})
    .filter((tag) => tag === "Name" || tag.toLowerCase().startsWith("aws:"))
    .map((tag) => {
      const wrong = tag === "Name" ? "a tag of the program's" : "a tag of AWS's own";
      return mistakeAt("aws.tags", wrong, tag, "choose another name");
    });
}

/** The subnets that parse; by default one, the machines' network. */
function subnetsOf({ draft: { aws }, machineCidr }: AwsSubject): Setting<Cidr>[] {
  const written = aws?.subnets ?? [];
  if (written.length === 0)
    return machineCidr ? [{ where: "machineCidr", value: machineCidr }] : [];
  return written.flatMap((subnet, index) => {
    const value = parseCidr(subnet?.cidr ?? "");
    return value ? [{ where: `aws.subnets[${index}].cidr`, value }] : [];
  });
}

/** The machines' network and its subnets are of sizes that AWS has, and the subnets are parts of the network. */
function ranges(subject: AwsSubject): string[] {
  const { machineCidr } = subject;
  const subnets = subnetsOf(subject).filter(({ where }) => where !== "machineCidr");
  const all = [...(machineCidr ? [{ where: "machineCidr", value: machineCidr }] : []), ...subnets];
  return [
    ...all
      .filter(({ value: { prefix } }) => prefix < 16 || prefix > 28)
      .map(({ where, value }) =>
        mistakeAt(where, "not of a size that AWS has", formatCidr(value), "use a /16 to a /28"),
      ),
    ...subnets
      .filter(({ value }) => machineCidr && !encloses(machineCidr, value))
      .map(({ where, value }) => {
        const wrong = `not in machineCidr ${formatCidr(machineCidr!)}`;
        return mistakeAt(where, wrong, formatCidr(value), "choose a part of it");
      }),
    ...conflicts(subnets, overlap).map(({ where, value, earlier }) => {
      const wrong = `overlaps ${earlier.where} ${formatCidr(earlier.value)}`;
      return mistakeAt(where, wrong, formatCidr(value), "choose networks that are apart");
    }),
  ];
}

/** A network whose pods have their own addresses on the wire leads from machine to machine, which one subnet alone lets it do. */
function subnetCount({ draft: { aws, network } }: AwsSubject): string[] {
  const count = aws?.subnets?.length ?? 0;
  if (network === undefined || !networks[network].routed || count < 2) return [];
  const other = Object.entries<Network>(networks).find(([, { routed }]) => !routed)?.[0];
  const wrong = `several, between which network ${network} has no routes`;
  return [mistakeAt("aws.subnets", wrong, count, `use one, or network ${other}`)];
}

/** Each machine has an address that a subnet holds and AWS leaves free. */
function addresses(subject: AwsSubject): string[] {
  const { machineCidr } = subject;
  if (!machineCidr) return [];
  // Other addresses are mistakes on every platform.
  const usable = subject.addresses.filter(
    ({ value }) =>
      holds(machineCidr, value) && value !== machineCidr.first && value !== lastOf(machineCidr),
  );
  return misplaced(usable, subject);
}

function misplaced(addresses: readonly Setting<number>[], subject: AwsSubject): string[] {
  const subnets = subnetsOf(subject);
  return addresses.flatMap(({ where, value }) => {
    const subnet = subnets.find(({ value: cidr }) => holds(cidr, value));
    if (!subnet) {
      const all = subnets.map(({ value }) => formatCidr(value)).join(", ");
      const todo = `choose one in ${all}, or add a subnet`;
      return [mistakeAt(where, "in no subnet of aws.subnets", formatAddress(value), todo)];
    }
    if (!isReserved(subnet.value, value)) return [];
    const wrong = `kept by AWS in the subnet ${formatCidr(subnet.value)}`;
    const [first, last] = [subnet.value.first + 4, lastOf(subnet.value) - 1].map(formatAddress);
    return [mistakeAt(where, wrong, formatAddress(value), `choose one from ${first} to ${last}`)];
  });
}

/** The load balancer has an address in each of its subnets that no machine has. */
function balancerAddresses(subject: AwsSubject): string[] {
  const balancer = subject.draft.aws?.networkLoadBalancer;
  if (!balancer) return [];
  const place = "aws.networkLoadBalancer.addresses";
  if (balancer.addresses?.length === 0) {
    const todo = "list one for each subnet in which it should be";
    return [mistakeAt(place, "no address", undefined, todo)];
  }
  const own = (balancer.addresses ?? []).flatMap((text, index) => {
    const value = parseAddress(text ?? "");
    return value === undefined ? [] : [{ where: `${place}[${index}]`, value }];
  });
  const subnets = subnetsOf(subject);
  const inOneSubnet = (one: number, other: number) =>
    subnets.some(({ value }) => holds(value, one) && holds(value, other));
  const together = conflicts(own, inOneSubnet).map(({ where, value, earlier }) => {
    const todo = "list one for each subnet";
    return mistakeAt(where, `in the subnet of ${earlier.where}`, formatAddress(value), todo);
  });
  const zoneOf = (address: number) =>
    subject.draft.aws?.subnets?.find((subnet) => {
      const cidr = parseCidr(subnet?.cidr ?? "");
      return cidr !== undefined && holds(cidr, address);
    })?.zone;
  // A subnet without a zone gets one that no other subnet has.
  const inOneZone = conflicts(
    own,
    (one, other) =>
      zoneOf(one) !== undefined && zoneOf(one) === zoneOf(other) && !inOneSubnet(one, other),
  ).map(({ where, value, earlier }) => {
    const wrong = `in ${zoneOf(value)}, the zone of ${earlier.where}`;
    return mistakeAt(where, wrong, formatAddress(value), "list one for each zone");
  });
  const taken = own.flatMap(({ where, value }) => {
    const machine = subject.addresses.find((one) => one.value === value);
    const todo = "choose a free address";
    return machine
      ? [mistakeAt(where, `the same as ${machine.where}`, formatAddress(value), todo)]
      : [];
  });
  return [...misplaced(own, subject), ...together, ...inOneZone, ...taken];
}

/** EC2 hands packets to the one interface to which an address belongs, whoever announces it. */
function sharedAddress({ draft: { endpoint } }: AwsSubject): string[] {
  if (endpoint?.address === undefined) return [];
  const todo = "list one load balancer, or none and use aws.networkLoadBalancer";
  return [mistakeAt("endpoint.address", "not to be shared on EC2", endpoint.address, todo)];
}

const privateRanges = [
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
];

function isPrivate(address: number): boolean {
  return privateRanges.some((range) => holds(parseCidr(range)!, address));
}

/** Each range is listed once, since each is a rule of its own. */
function rangesOnce({ draft: { aws } }: AwsSubject): string[] {
  return (["sshFrom", "apiFrom", "nodePortsFrom"] as const).flatMap((list) => {
    const written = (aws?.[list] ?? []).map((value, index) => ({
      where: `aws.${list}[${index}]`,
      value: value ?? "",
    }));
    return conflicts(written.filter(({ value }) => value !== "")).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, "list each range once"),
    );
  });
}

/** The operator may log in, and not everybody. */
function access({ draft: { aws } }: AwsSubject): string[] {
  if (!aws?.sshFrom) return [];
  const todo = "write the range that you come from, like 203.0.113.7/32";
  if (aws.sshFrom.length === 0) {
    return [mistakeAt("aws.sshFrom", "nobody may log in", undefined, todo)];
  }
  const open = aws.sshFrom.flatMap((range, index) =>
    range?.endsWith("/0")
      ? [mistakeAt(`aws.sshFrom[${index}]`, "open to everybody", range, todo)]
      : [],
  );
  const host = aws.jumpBox?.host ?? "";
  const box = parseAddress(host);
  const isIn = aws.sshFrom.some((range) => {
    const cidr = parseCidr(range ?? "");
    return cidr === undefined || (box !== undefined && holds(cidr, box));
  });
  // A jump box with a private address, such as one behind a VPN, comes to the machines from another one.
  if (box === undefined || isIn || isPrivate(box)) return open;
  return [
    ...open,
    mistakeAt("aws.jumpBox.host", "in no range of aws.sshFrom", host, `add ${host}/32 there`),
  ];
}

/** The program itself asks the API, whose private address nobody outside reaches by default. */
function api({ draft: { aws } }: AwsSubject): string[] {
  if (!aws?.apiFrom || aws.endpoint !== undefined || aws.apiFrom.length > 0) return [];
  const todo = "write the near end of a tunnel, or aws.apiFrom";
  return [mistakeAt("aws.endpoint", "no way to the API", undefined, todo)];
}

/** An example of each architecture that is large enough for every role. */
const examples = { amd64: "t3.small", arm64: "t4g.small" } as const;

/** Types of instances are of the machines' architecture, and have the memory that the roles need. */
function sizes({
  draft: { aws, architecture },
  machines,
  context: { arch },
}: AwsSubject): string[] {
  const own = (architecture ?? arch) === "arm64" ? "arm64" : "amd64";
  const written = [
    ...(["loadBalancer", "controller", "worker"] as const).map((role) => ({
      where: `aws.sizes.${role}.instanceType`,
      type: aws?.sizes?.[role]?.instanceType,
      role,
    })),
    ...(aws?.machines ?? []).map((one, index) => ({
      where: `aws.machines[${index}].instanceType`,
      type: one?.instanceType,
      role: roleOf(machines.find(({ name }) => name !== undefined && name === one?.name)),
    })),
  ];
  return written.flatMap(({ where, type, role }) => {
    if (type === undefined || role === undefined) return [];
    if (architectureOf(type) !== own) {
      const todo = `use one of ${own} like ${examples[own]}, or another architecture`;
      return [mistakeAt(where, `not of architecture ${own}`, type, todo)];
    }
    const needed = room[role].memoryMiB;
    if ((memoryOf(type) ?? needed) >= needed) return [];
    const todo = `use one with at least ${needed} MiB of memory, like ${examples[own]}`;
    return [mistakeAt(where, "too small for what runs there", type, todo)];
  });
}

function roleOf(machine: Machine | undefined): Role | undefined {
  if (machine === undefined) return undefined;
  if (machine.where.startsWith("loadBalancers")) return "loadBalancer";
  return machine.where.startsWith("controllers") ? "controller" : "worker";
}

/** What is said of single machines is said once, and of machines that are there. */
function machineNames({ draft: { aws }, machines }: AwsSubject): string[] {
  return namedMachines("aws.machines", aws?.machines ?? [], machines);
}

/** The operator's key is there, with its public half, which the machines are given. */
function keys({ draft: { aws }, context }: AwsSubject): string[] {
  return loginWithPublicKey("aws", aws, context, ["ssh-ed25519", "ssh-rsa"]);
}
