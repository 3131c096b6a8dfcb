import { DefaultSecurityGroup } from "@pulumi/aws/ec2/defaultSecurityGroup.js";
import { InternetGateway } from "@pulumi/aws/ec2/internetGateway.js";
import { Route } from "@pulumi/aws/ec2/route.js";
import { RouteTable } from "@pulumi/aws/ec2/routeTable.js";
import { RouteTableAssociation } from "@pulumi/aws/ec2/routeTableAssociation.js";
import { Subnet } from "@pulumi/aws/ec2/subnet.js";
import { Vpc } from "@pulumi/aws/ec2/vpc.js";
import type * as pulumi from "@pulumi/pulumi";
import type { Named } from "./named.ts";

/** The network of the machines. */
export interface Network {
  readonly vpc: Vpc;
  /** In the order of the settings. */
  readonly subnets: readonly Subnet[];
  /** Resources after which machines reach the internet. */
  readonly ready: readonly pulumi.Resource[];
}

/** A VPC with subnets that lead to the internet. */
export function makeNetwork(
  cidr: string,
  subnets: readonly { readonly cidr: string; readonly zone: string }[],
  { name, opts }: Named,
): Network {
  const vpc = new Vpc(
    "vpc",
    { cidrBlock: cidr, enableDnsHostnames: true, tags: { Name: name } },
    opts,
  );
  const vpcId = vpc.id;
  // Without any rule nobody can make use of it by mistake.
  new DefaultSecurityGroup("default", { vpcId, tags: { Name: `${name}-default` } }, opts);
  const gateway = new InternetGateway("internet", { vpcId, tags: { Name: name } }, opts);
  const table = new RouteTable("routes", { vpcId, tags: { Name: name } }, opts);
  const route = new Route(
    "internet",
    { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", gatewayId: gateway.id },
    opts,
  );
  const made = subnets.map(({ cidr, zone }) => {
    const subnet = new Subnet(
      `subnet:${cidr}`,
      { vpcId, cidrBlock: cidr, availabilityZone: zone, tags: { Name: `${name}-${cidr}` } },
      // Another zone would replace the subnet, and with it the machines.
      { ...opts, ignoreChanges: ["availabilityZone"] },
    );
    const association = new RouteTableAssociation(
      `subnet:${cidr}`,
      { subnetId: subnet.id, routeTableId: table.id },
      opts,
    );
    return { subnet, association };
  });
  return {
    vpc,
    subnets: made.map(({ subnet }) => subnet),
    ready: [route, ...made.map(({ association }) => association)],
  };
}
