/** The network: a VPC, its subnets, the way to the Internet, and routes. */
import { flag, required, text } from "../protocol/shape.ts";
import type { Properties } from "../protocol/values.ts";
import { account } from "./account.ts";
import { deleteUnused, kind, unlessMissing } from "./kind.ts";
import { ec2Tags, specified, unpaired } from "./tags.ts";

const ec2 = () => account().ec2;

export const vpc = kind({
  label: "EC2 VPC",
  inputs: { cidrBlock: required(text), enableDnsHostnames: flag },
  fixed: ["cidrBlock"],
  outputs: [],
  tagging: ec2Tags,
  create: async ({ cidrBlock }, tags) => {
    const { Vpc } = await ec2().createVpc({
      CidrBlock: String(cidrBlock),
      ...specified("vpc", tags),
    });
    return Vpc!.VpcId!;
  },
  complete: setHostnames,
  find: async (id) => {
    const { Vpcs } = (await unlessMissing(ec2().describeVpcs({ VpcIds: [id] }))) ?? {};
    const found = Vpcs?.[0];
    if (found === undefined) return undefined;
    const { EnableDnsHostnames } = await ec2().describeVpcAttribute({
      VpcId: id,
      Attribute: "enableDnsHostnames",
    });
    return {
      cidrBlock: found.CidrBlock!,
      enableDnsHostnames: EnableDnsHostnames?.Value ?? false,
      tagsAll: unpaired(found.Tags),
    };
  },
  update: async ({ id, inputs, has }) => {
    if (has("enableDnsHostnames")) await setHostnames(id, inputs);
  },
  delete: async ({ id }, context) => {
    await deleteUnused(id, () => ec2().deleteVpc({ VpcId: id }), context);
  },
});

async function setHostnames(id: string, { enableDnsHostnames }: Properties): Promise<void> {
  await ec2().modifyVpcAttribute({
    VpcId: id,
    EnableDnsHostnames: { Value: enableDnsHostnames === true },
  });
}

export const subnet = kind({
  label: "EC2 Subnet",
  inputs: {
    vpcId: required(text),
    cidrBlock: required(text),
    availabilityZone: text,
  },
  fixed: ["vpcId", "cidrBlock", "availabilityZone"],
  outputs: ["availabilityZone"],
  tagging: ec2Tags,
  create: async ({ vpcId, cidrBlock, availabilityZone }, tags) => {
    const { Subnet } = await ec2().createSubnet({
      VpcId: String(vpcId),
      CidrBlock: String(cidrBlock),
      ...(availabilityZone !== undefined && { AvailabilityZone: String(availabilityZone) }),
      ...specified("subnet", tags),
    });
    return Subnet!.SubnetId!;
  },
  find: async (id) => {
    const { Subnets } = (await unlessMissing(ec2().describeSubnets({ SubnetIds: [id] }))) ?? {};
    const found = Subnets?.[0];
    return (
      found && {
        vpcId: found.VpcId!,
        cidrBlock: found.CidrBlock!,
        availabilityZone: found.AvailabilityZone!,
        tagsAll: unpaired(found.Tags),
      }
    );
  },
  delete: async ({ id }, context) => {
    await deleteUnused(id, () => ec2().deleteSubnet({ SubnetId: id }), context);
  },
});

export const internetGateway = kind({
  label: "EC2 Internet Gateway",
  inputs: { vpcId: required(text) },
  outputs: [],
  tagging: ec2Tags,
  create: async (_, tags) => {
    const { InternetGateway } = await ec2().createInternetGateway(
      specified("internet-gateway", tags),
    );
    return InternetGateway!.InternetGatewayId!;
  },
  complete: async (id, { vpcId }) => {
    await ec2().attachInternetGateway({ InternetGatewayId: id, VpcId: String(vpcId) });
  },
  find: async (id) => {
    const { InternetGateways } =
      (await unlessMissing(ec2().describeInternetGateways({ InternetGatewayIds: [id] }))) ?? {};
    const found = InternetGateways?.[0];
    return (
      found && {
        vpcId: found.Attachments?.[0]?.VpcId ?? "",
        tagsAll: unpaired(found.Tags),
      }
    );
  },
  delete: async ({ id, properties }, context) => {
    await deleteUnused(
      id,
      () => ec2().detachInternetGateway({ InternetGatewayId: id, VpcId: String(properties.vpcId) }),
      context,
    );
    await deleteUnused(id, () => ec2().deleteInternetGateway({ InternetGatewayId: id }), context);
  },
});

export const routeTable = kind({
  label: "EC2 Route Table",
  inputs: { vpcId: required(text) },
  outputs: [],
  tagging: ec2Tags,
  create: async ({ vpcId }, tags) => {
    const { RouteTable } = await ec2().createRouteTable({
      VpcId: String(vpcId),
      ...specified("route-table", tags),
    });
    return RouteTable!.RouteTableId!;
  },
  find: async (id) => {
    const found = await tableOf(id);
    return (
      found && {
        vpcId: found.VpcId!,
        tagsAll: unpaired(found.Tags),
      }
    );
  },
  delete: async ({ id }, context) => {
    await deleteUnused(id, () => ec2().deleteRouteTable({ RouteTableId: id }), context);
  },
});

const tableOf = async (id: string) =>
  (await unlessMissing(ec2().describeRouteTables({ RouteTableIds: [id] })))?.RouteTables?.[0];

const route = (inputs: Properties) => ({
  RouteTableId: String(inputs.routeTableId),
  DestinationCidrBlock: String(inputs.destinationCidrBlock),
});

export const routes = kind({
  label: "EC2 Route",
  inputs: {
    routeTableId: required(text),
    destinationCidrBlock: required(text),
    gatewayId: required(text),
  },
  fixed: ["routeTableId", "destinationCidrBlock"],
  outputs: ["state"],
  create: async (inputs) => {
    await ec2().createRoute({ ...route(inputs), GatewayId: String(inputs.gatewayId) });
    return `r-${inputs.routeTableId}-${inputs.destinationCidrBlock}`;
  },
  find: async (_, properties) => {
    const { RouteTableId, DestinationCidrBlock } = route(properties);
    const found = (await tableOf(RouteTableId))?.Routes?.find(
      (one) => one.DestinationCidrBlock === DestinationCidrBlock,
    );
    return (
      found && {
        gatewayId: found.GatewayId ?? "",
        state: found.State ?? "",
      }
    );
  },
  update: async ({ inputs }) => {
    await ec2().replaceRoute({ ...route(inputs), GatewayId: String(inputs.gatewayId) });
  },
  delete: async ({ properties }) => {
    await unlessMissing(ec2().deleteRoute(route(properties)));
  },
});

export const routeTableAssociation = kind({
  label: "EC2 Route Table Association",
  inputs: { routeTableId: required(text), subnetId: required(text) },
  outputs: [],
  create: async ({ routeTableId, subnetId }) => {
    const { AssociationId } = await ec2().associateRouteTable({
      RouteTableId: String(routeTableId),
      SubnetId: String(subnetId),
    });
    return AssociationId!;
  },
  find: async (id) => {
    const { RouteTables } = await ec2().describeRouteTables({
      Filters: [{ Name: "association.route-table-association-id", Values: [id] }],
    });
    const found = RouteTables?.flatMap(({ Associations = [] }) => Associations).find(
      (one) => one.RouteTableAssociationId === id,
    );
    return found && { routeTableId: found.RouteTableId!, subnetId: found.SubnetId! };
  },
  delete: async ({ id }) => {
    await unlessMissing(ec2().disassociateRouteTable({ AssociationId: id }));
  },
});
