import { type Cidr, holds, lastOf, parseAddress, parseCidr } from "../../settings/ipv4.ts";
import type { AwsSettings } from "./named.ts";

/** The subnets of the settings as networks; by default one, which is the machines' network. */
export function subnetsOf({
  machineCidr,
  aws: { subnets },
}: AwsSettings): AwsSettings["aws"]["subnets"] {
  return subnets.length === 0 ? [{ cidr: machineCidr }] : subnets;
}

/** The index of the subnet that holds an address; -1 if none does. */
export function subnetHolding(
  subnets: readonly { readonly cidr: string }[],
  address: string,
): number {
  return subnets.findIndex(({ cidr }) => holds(parseCidr(cidr)!, parseAddress(address)!));
}

/** Whether AWS keeps an address of a subnet for itself: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html */
export function isReserved(subnet: Cidr, address: number): boolean {
  return address < subnet.first + 4 || address === lastOf(subnet);
}
