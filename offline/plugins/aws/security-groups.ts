/** Security groups and their rules. */
import type { SecurityGroupRule, SecurityGroupRuleRequest } from "@aws-sdk/client-ec2";
import type { State } from "../protocol/provider.ts";
import { required, text, whole } from "../protocol/shape.ts";
import type { Properties } from "../protocol/values.ts";
import { account } from "./account.ts";
import { deleteUnused, kind, unlessMissing } from "./kind.ts";
import { ec2Tags, specified, unpaired } from "./tags.ts";

const ec2 = () => account().ec2;

const groupOf = async (id: string) =>
  (await unlessMissing(ec2().describeSecurityGroups({ GroupIds: [id] })))?.SecurityGroups?.[0];

const rulesOf = async (group: string): Promise<SecurityGroupRule[]> =>
  (
    await ec2().describeSecurityGroupRules({
      Filters: [{ Name: "group-id", Values: [group] }],
    })
  ).SecurityGroupRules ?? [];

async function revoke(group: string, rules: readonly SecurityGroupRule[]): Promise<void> {
  const [egress, ingress] = [true, false].map((out) =>
    rules.flatMap((rule) => (rule.IsEgress === out ? [rule.SecurityGroupRuleId!] : [])),
  ) as [string[], string[]];
  if (egress.length > 0)
    await ec2().revokeSecurityGroupEgress({ GroupId: group, SecurityGroupRuleIds: egress });
  if (ingress.length > 0)
    await ec2().revokeSecurityGroupIngress({ GroupId: group, SecurityGroupRuleIds: ingress });
}

export const securityGroup = kind({
  label: "Security Group",
  inputs: { name: required(text), description: required(text), vpcId: required(text) },
  unique: "name",
  outputs: [],
  tagging: ec2Tags,
  create: async ({ name, description, vpcId }, tags) => {
    const { GroupId } = await ec2().createSecurityGroup({
      GroupName: String(name),
      Description: String(description),
      VpcId: String(vpcId),
      ...specified("security-group", tags),
    });
    return GroupId!;
  },
  /** AWS lets everything out of a new group; the real plugin takes that rule away. */
  complete: async (id) =>
    revoke(
      id,
      (await rulesOf(id)).filter(({ IsEgress }) => IsEgress),
    ),
  find: async (id) => {
    const found = await groupOf(id);
    return (
      found && {
        name: found.GroupName!,
        description: found.Description!,
        vpcId: found.VpcId!,
        tagsAll: unpaired(found.Tags),
      }
    );
  },
  delete: async ({ id }, context) => {
    await deleteUnused(id, () => ec2().deleteSecurityGroup({ GroupId: id }), context);
  },
});

/** The group that every VPC comes with: it is emptied, kept empty, and left when the resource goes. */
export const defaultSecurityGroup = kind({
  label: "Default Security Group",
  inputs: { vpcId: required(text) },
  outputs: ["description", "name"],
  tagging: ec2Tags,
  strayed: ({ properties }: State) => (properties.rules === 0 ? [] : ["rules"]),
  replaces: (path) => path === "vpcId",
  fixed: [],
  create: async ({ vpcId }) => {
    const { SecurityGroups } = await ec2().describeSecurityGroups({
      Filters: [
        { Name: "vpc-id", Values: [String(vpcId)] },
        { Name: "group-name", Values: ["default"] },
      ],
    });
    return SecurityGroups![0]!.GroupId!;
  },
  complete: async (id, _, tags) => {
    await revoke(id, await rulesOf(id));
    if (Object.keys(tags).length > 0) await ec2Tags.set(id, tags);
  },
  find: async (id) => {
    const found = await groupOf(id);
    return (
      found && {
        name: found.GroupName!,
        description: found.Description!,
        vpcId: found.VpcId!,
        rules: (await rulesOf(id)).length,
        tagsAll: unpaired(found.Tags),
      }
    );
  },
  update: async ({ id }) => revoke(id, await rulesOf(id)),
  delete: async () => {},
});

/** The other side of a rule; a rule has exactly one. */
const peers = ["cidrIpv4", "referencedSecurityGroupId"];

/** Only these protocols have ports, or types of messages in their place. */
const hasPorts = ({ ipProtocol }: Properties) => /^(tcp|udp|icmp|icmpv6)$/.test(String(ipProtocol));

const requestOf = (inputs: Properties): SecurityGroupRuleRequest => ({
  IpProtocol: String(inputs.ipProtocol),
  // AWS does without ports of other protocols, a server such as moto's does not.
  FromPort: hasPorts(inputs) ? Number(inputs.fromPort) : -1,
  ToPort: hasPorts(inputs) ? Number(inputs.toPort) : -1,
  CidrIpv4: inputs.cidrIpv4 as string | undefined,
  ReferencedGroupId: inputs.referencedSecurityGroupId as string | undefined,
  Description: inputs.description as string | undefined,
});

const permissionOf = (inputs: Properties) => {
  const { CidrIpv4, ReferencedGroupId, Description, ...rest } = requestOf(inputs);
  return {
    ...rest,
    ...(CidrIpv4 && { IpRanges: [{ CidrIp: CidrIpv4, Description }] }),
    ...(ReferencedGroupId && { UserIdGroupPairs: [{ GroupId: ReferencedGroupId, Description }] }),
  };
};

const rule = (way: "Ingress" | "Egress") =>
  kind({
    label: `VPC Security Group ${way} Rule`,
    inputs: {
      securityGroupId: required(text),
      ipProtocol: required(text),
      fromPort: whole(-1, 65_535),
      toPort: whole(-1, 65_535),
      ...Object.fromEntries(peers.map((peer) => [peer, text])),
      description: text,
    },
    fixed: ["securityGroupId"],
    outputs: ["securityGroupRuleId"],
    tagging: ec2Tags,
    refuse: (inputs): Record<string, string> => {
      if (peers.filter((peer) => inputs[peer] !== undefined).length !== 1)
        return { cidrIpv4: `exactly one of ${peers.join(", ")} must be given` };
      const ports = ["fromPort", "toPort"].filter((name) => inputs[name] !== undefined);
      if (ports.length !== (hasPorts(inputs) ? 2 : 0))
        return {
          fromPort: `${inputs.ipProtocol} goes ${hasPorts(inputs) ? "with" : "without"} ports`,
        };
      return {};
    },
    /** A rule cannot be about another kind of peer. */
    replaces: (path, state, inputs) =>
      peers.includes(path) && (state.inputs[path] === undefined) !== (inputs[path] === undefined),
    create: async (inputs, tags) => {
      const request = {
        GroupId: String(inputs.securityGroupId),
        IpPermissions: [permissionOf(inputs)],
        ...specified("security-group-rule", tags),
      };
      const { SecurityGroupRules } = await (way === "Ingress"
        ? ec2().authorizeSecurityGroupIngress(request)
        : ec2().authorizeSecurityGroupEgress(request));
      return SecurityGroupRules![0]!.SecurityGroupRuleId!;
    },
    find: async (id) => {
      const { SecurityGroupRules } =
        (await unlessMissing(ec2().describeSecurityGroupRules({ SecurityGroupRuleIds: [id] }))) ??
        {};
      const found = SecurityGroupRules?.[0];
      if (found === undefined) return undefined;
      const properties = {
        securityGroupRuleId: id,
        securityGroupId: found.GroupId,
        ipProtocol: found.IpProtocol,
        fromPort: found.FromPort,
        toPort: found.ToPort,
        cidrIpv4: found.CidrIpv4,
        referencedSecurityGroupId: found.ReferencedGroupInfo?.GroupId,
        description: found.Description,
        tagsAll: unpaired(found.Tags),
      };
      return Object.fromEntries(
        Object.entries(properties).flatMap(([key, value]) =>
          value === undefined || value === -1 ? [] : [[key, value]],
        ),
      );
    },
    update: async ({ id, inputs, has }) => {
      if (!has("ipProtocol", "fromPort", "toPort", "description", ...peers)) return;
      await ec2().modifySecurityGroupRules({
        GroupId: String(inputs.securityGroupId),
        SecurityGroupRules: [{ SecurityGroupRuleId: id, SecurityGroupRule: requestOf(inputs) }],
      });
    },
    delete: async ({ id, properties }) => {
      const GroupId = String(properties.securityGroupId);
      const request = { GroupId, SecurityGroupRuleIds: [id] };
      await unlessMissing(
        way === "Ingress"
          ? ec2().revokeSecurityGroupIngress(request)
          : ec2().revokeSecurityGroupEgress(request),
      );
    },
  });

export const ingressRule = rule("Ingress");
export const egressRule = rule("Egress");
