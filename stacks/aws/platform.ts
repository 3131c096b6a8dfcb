import { virtualMachine } from "../../node/machine.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { apiEndpoint } from "../../settings/endpoint.ts";
import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { awsGroup } from "./settings.ts";
import { subnetHolding, subnetsOf } from "./subnets.ts";

/** Instances of EC2. */
export const aws: Platform<"aws", typeof awsGroup> = {
  group: awsGroup,
  onThisComputer: false,
  mirrorOnMachines: (folder) => folder,
  balancesApi: ({ aws }) => aws?.networkLoadBalancer !== undefined,
  check,
  claims: () => [],
  // Another region or network would replace all machines at once, and another subnet those in it.
  unchanging: (settings) => {
    const subnets = subnetsOf(settings);
    const ofMachines = machinesOf(settings).map(({ address }) => [
      // By the address, since a worker may leave and come again with another one.
      `aws.subnets at ${address}`,
      subnets[subnetHolding(subnets, address)]!.cidr,
    ]);
    return {
      machineCidr: settings.machineCidr,
      "aws.region": settings.aws.region,
      ...Object.fromEntries(ofMachines),
    };
  },
  endpoint: (settings) => {
    const { networkLoadBalancer, endpoint } = settings.aws;
    const [host, ...otherAddresses] = networkLoadBalancer?.addresses ?? [];
    const fromMachines = host === undefined ? apiEndpoint(settings) : { host, port: 6443 };
    return { fromMachines, fromOperator: endpoint ?? fromMachines, otherAddresses };
  },
  traits: () => virtualMachine,
  machines: async (...args) => (await import("./machines.ts")).ec2Machines(...args),
};
