import { SecurityGroup } from "@pulumi/aws/ec2/securityGroup.js";
import { SecurityGroupEgressRule } from "@pulumi/aws/vpc/securityGroupEgressRule.js";
import { SecurityGroupIngressRule } from "@pulumi/aws/vpc/securityGroupIngressRule.js";
import type * as pulumi from "@pulumi/pulumi";
import type { Role } from "../../services/cluster-facts.ts";
import type { Named } from "./named.ts";
import type { Rule } from "./rules.ts";

/** The security groups of the roles. */
export interface SecurityGroups {
  readonly ids: ReadonlyMap<Role, pulumi.Output<string>>;
  /** The rules that let traffic to the machines of a role in, and traffic of theirs out. */
  readonly rules: ReadonlyMap<Role, readonly pulumi.Resource[]>;
}

/** Where the machines of a role may connect to: everywhere, or a port of another role. */
export type Reach = "everywhere" | { readonly role: Role; readonly port: number };

/** What each role is called in the names of groups. */
const titles: Readonly<Record<Role, string>> = {
  loadBalancer: "load-balancer",
  controller: "controllers",
  worker: "workers",
};

/** Security groups that let in what the rules say and nothing else. */
export function makeSecurityGroups(
  vpcId: pulumi.Input<string>,
  reach: ReadonlyMap<Role, Reach>,
  rules: readonly Rule[],
  { name, opts }: Named,
): SecurityGroups {
  const groups = new Map(
    [...reach.keys()].map((role) => {
      const own = `${name}-${titles[role]}`;
      const about = { description: `Kubernetes ${titles[role]}`, tags: { Name: own } };
      return [role, new SecurityGroup(titles[role], { name: own, vpcId, ...about }, opts)] as const;
    }),
  );
  const made = new Map([...groups.keys()].map((role) => [role, [] as pulumi.Resource[]]));
  for (const { to, from, protocol, ports, what } of rules) {
    const title = typeof from === "object" ? from.cidr : titles[from];
    const port = ports === undefined ? "" : `-${[...new Set(ports)].join("-")}`;
    made.get(to)!.push(
      new SecurityGroupIngressRule(
        `${titles[to]}:${protocol === "-1" ? "all" : protocol}${port}:${title}`,
        {
          securityGroupId: groups.get(to)!.id,
          ipProtocol: protocol,
          ...(ports && { fromPort: ports[0], toPort: ports[1] }),
          ...(typeof from === "object"
            ? { cidrIpv4: from.cidr }
            : { referencedSecurityGroupId: groups.get(from)!.id }),
          description: what,
        },
        opts,
      ),
    );
  }
  for (const [role, to] of reach) {
    made.get(role)!.push(
      new SecurityGroupEgressRule(
        titles[role],
        {
          securityGroupId: groups.get(role)!.id,
          ...(to === "everywhere"
            ? { ipProtocol: "-1", cidrIpv4: "0.0.0.0/0" }
            : {
                ipProtocol: "tcp",
                fromPort: to.port,
                toPort: to.port,
                referencedSecurityGroupId: groups.get(to.role)!.id,
              }),
        },
        opts,
      ),
    );
  }
  return { ids: new Map([...groups].map(([role, { id }]) => [role, id])), rules: made };
}
