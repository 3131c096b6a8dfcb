/** A network of IPv4 addresses, `first` being a number of 32 bits. */
export interface Cidr {
  readonly first: number;
  readonly prefix: number;
}

/** The address as a number of 32 bits; undefined unless the text is four decimal numbers without leading zeros. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** The address in its usual four numbers. */
export function formatAddress(address: number): string {
  return [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(address / unit) % 256).join(".");
}

/** The network that contains `address/prefix`, whose first address may be another one; undefined if the text does not parse. */
export function enclosingCidr(text: string): Cidr | undefined {
  const [, start = "", length = ""] = /^([\d.]+)\/(0|[1-9]\d?)$/.exec(text) ?? [];
  const address = parseAddress(start);
  const prefix = Number(length);
  if (address === undefined || prefix > 32) return undefined;
  return { first: address - (address % 2 ** (32 - prefix)), prefix };
}

/** The network written as `first/prefix`; undefined if the text does not parse or `first` is not the first address. */
export function parseCidr(text: string): Cidr | undefined {
  const cidr = enclosingCidr(text);
  return cidr && formatCidr(cidr) === text ? cidr : undefined;
}

/** The network as `first/prefix`. */
export function formatCidr({ first, prefix }: Cidr): string {
  return `${formatAddress(first)}/${prefix}`;
}

/** How many addresses the network has, its first and last included. */
export function sizeOf({ prefix }: Cidr): number {
  return 2 ** (32 - prefix);
}

/** The network's last address, its broadcast address. */
export function lastOf(cidr: Cidr): number {
  return cidr.first + sizeOf(cidr) - 1;
}

/** Whether the address is one of the network's. */
export function holds(cidr: Cidr, address: number): boolean {
  return cidr.first <= address && address <= lastOf(cidr);
}

/** Whether every address of `inner` is one of `outer`. */
export function encloses(outer: Cidr, inner: Cidr): boolean {
  return holds(outer, inner.first) && holds(outer, lastOf(inner));
}

/** Whether the networks have an address in common. */
export function overlap(a: Cidr, b: Cidr): boolean {
  return encloses(a, b) || encloses(b, a);
}

/** The nth address of the network as text, counted from 0; throws a RangeError if the network has no such address. */
export function nthAddress(cidr: Cidr, n: number): string {
  if (!Number.isInteger(n) || n < 0 || n >= sizeOf(cidr)) {
    throw new RangeError(`${formatCidr(cidr)} has no address ${n}`);
  }
  return formatAddress(cidr.first + n);
}
