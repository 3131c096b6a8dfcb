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
} from "../ipv4.ts";
import { mistakeAt } from "../mistake.ts";
import { conflicts, type Setting, type Subject } from "./subject.ts";

/** The three networks have no address in common. */
export function rangesApart({ machineCidr, podCidr, serviceCidr }: Subject): string[] {
  const ranges = Object.entries({ machineCidr, podCidr, serviceCidr }).flatMap(([where, value]) =>
    value ? [{ where, value }] : [],
  );
  return conflicts(ranges, overlap).map(({ where, value, earlier }) => {
    const wrong = `overlaps ${earlier.where} ${formatCidr(earlier.value)}`;
    return mistakeAt(where, wrong, formatCidr(value), "choose networks that are apart");
  });
}

/** Networks whose addresses no machine, pod or service can have: https://www.iana.org/assignments/iana-ipv4-special-registry/ */
const unusable = [
  ["0.0.0.0/8", "of no host"],
  ["127.0.0.0/8", "of each machine's own loopback"],
  ["169.254.0.0/16", "of one link only"],
  ["224.0.0.0/3", "multicast or reserved"],
] as const;

/** Each network has addresses that hosts can have. */
export function rangesUsable({ draft: { machineCidr, podCidr, serviceCidr } }: Subject): string[] {
  const examples = {
    machineCidr: "10.240.0.0/24",
    podCidr: "10.200.0.0/16",
    serviceCidr: "10.32.0.0/24",
  };
  return Object.entries({ machineCidr, podCidr, serviceCidr }).flatMap(([where, text]) => {
    const range = parseCidr(text ?? "");
    const found = unusable.find(([cidr]) => range && encloses(parseCidr(cidr)!, range));
    if (!found) return [];
    const todo = `choose a private network like ${examples[where as keyof typeof examples]}`;
    return [mistakeAt(where, `addresses ${found[1]}`, text, todo)];
  });
}

/** Whether a network has addresses for so many machines; the first, the second (the gateway's) and the last are not for machines. */
function hasRoom(cidr: Cidr, machines: number): boolean {
  return sizeOf(cidr) - 3 >= machines;
}

/** The machines' network has an address for each. */
export function machineRange({ machineCidr, machines }: Subject): string[] {
  if (!machineCidr || hasRoom(machineCidr, machines.length)) return [];
  const wrong = `too small for ${machines.length} machines`;
  return [mistakeAt("machineCidr", wrong, formatCidr(machineCidr), "choose a larger network")];
}

function holdsAll(cidr: Cidr, parts: readonly Setting<Cidr>[]): boolean {
  return sizeOf(cidr) >= parts.reduce((sum, { value }) => sum + sizeOf(value), 0);
}

/** The pods' network holds the ranges of all machines. */
export function podRange({ podCidr, podCidrs }: Subject): string[] {
  if (!podCidr || holdsAll(podCidr, podCidrs)) return [];
  const wrong = `too small for the ranges of ${podCidrs.length} machines`;
  return [mistakeAt("podCidr", wrong, formatCidr(podCidr), "choose a larger network")];
}

const longestServicePrefix = 28;

/** The services' network has room for services. */
export function serviceRange({ serviceCidr }: Subject): string[] {
  if (!serviceCidr || serviceCidr.prefix <= longestServicePrefix) return [];
  const todo = `choose at least a /${longestServicePrefix}`;
  return [mistakeAt("serviceCidr", "too small for services", formatCidr(serviceCidr), todo)];
}

/** The address of the cluster's DNS server is a free address in the services' network. */
export function dnsAddress({ draft, serviceCidr }: Subject): string[] {
  const value = parseAddress(draft.dnsAddress ?? "");
  if (value === undefined || !serviceCidr || serviceCidr.prefix > longestServicePrefix) return [];
  const wrong = holds(serviceCidr, value)
    ? reserved(serviceCidr, value, "the address of the API's own service")
    : `not in serviceCidr ${formatCidr(serviceCidr)}`;
  if (wrong === undefined) return [];
  const todo = `leave it out for ${nthAddress(serviceCidr, 10)}, or choose another in between`;
  return [mistakeAt("dnsAddress", wrong, formatAddress(value), todo)];
}

/** Why a network's first, second or last address is not free; undefined for other addresses. */
export function reserved(cidr: Cidr, address: number, second?: string): string | undefined {
  if (address === cidr.first) return "the address of the network itself";
  if (address === cidr.first + 1) return second;
  return address === lastOf(cidr) ? "the network's broadcast address" : undefined;
}

/** Each machine has a free address of its own in the machines' network. */
export function machineAddresses({ machineCidr, machines, addresses }: Subject): string[] {
  const twice = conflicts(addresses).map(({ where, value, earlier }) => {
    const wrong = `the same as ${earlier.where}`;
    return mistakeAt(where, wrong, formatAddress(value), "give each machine an address of its own");
  });
  if (!machineCidr || !hasRoom(machineCidr, machines.length)) return twice;
  const [inside, outside] = parted(addresses, (address) => holds(machineCidr, address));
  const taken = inside.flatMap(({ where, value }) => {
    const wrong = reserved(machineCidr, value);
    const todo = `choose a free one in machineCidr ${formatCidr(machineCidr)}`;
    return wrong ? [mistakeAt(where, wrong, formatAddress(value), todo)] : [];
  });
  return [
    ...twice,
    ...taken,
    ...strays("machineCidr", machineCidr, inside, outside, formatAddress),
  ];
}

/** Each machine has a range of its own in the pods' network. */
export function machinePodRanges({ podCidr, podCidrs }: Subject): string[] {
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

/** The mistakes of settings outside a network; if all settings are outside, the only mistake is the network. */
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
