import type { Platform } from "../platform.ts";
import { check } from "./checks.ts";
import { awsGroup } from "./settings.ts";

/** Instances of EC2. */
export const aws: Platform<"aws", typeof awsGroup> = {
  group: awsGroup,
  onThisComputer: false,
  mirrorOnMachines: (folder) => folder,
  balancesApi: ({ aws }) => aws?.networkLoadBalancer !== undefined,
  check,
  claims: () => [],
  // Another region or network would replace all machines at once.
  unchanging: ({ machineCidr, aws: { region } }) => ({ machineCidr, "aws.region": region }),
  endpoint: ({ aws: { networkLoadBalancer, endpoint }, loadBalancers }) => {
    const [first, ...otherAddresses] =
      networkLoadBalancer?.addresses ?? loadBalancers.map(({ address }) => address);
    const fromMachines = { host: first!, port: 6443 };
    return { fromMachines, fromOperator: endpoint ?? fromMachines, otherAddresses };
  },
  traits: () => ({ cgroupVersion: 2, container: false, restrictOomScoreAdj: false }),
  machines: async (...args) => (await import("./machines.ts")).ec2Machines(...args),
};
