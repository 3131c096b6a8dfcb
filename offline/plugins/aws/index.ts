/** Machines and their network on EC2, as the plugin aws makes them. */
import type { Plugin } from "../protocol/provider.ts";
import { configure, settings } from "./account.ts";
import { instance, keyPair } from "./instances.ts";
import { listener, loadBalancer, targetGroup, targetGroupAttachment } from "./load-balancing.ts";
import { getAmi, getAvailabilityZones } from "./lookups.ts";
import { defaultSecurityGroup, egressRule, ingressRule, securityGroup } from "./security-groups.ts";
import { internetGateway, routes, routeTable, routeTableAssociation, subnet, vpc } from "./vpc.ts";

/** The plugin aws 7.48.0. */
export const provider: Plugin = {
  name: "aws",
  version: "7.48.0",
  config: settings,
  configure,
  replacedBy: (old, now) => (old.region === now.region ? [] : ["region"]),
  resources: {
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": defaultSecurityGroup,
    "aws:ec2/instance:Instance": instance,
    "aws:ec2/internetGateway:InternetGateway": internetGateway,
    "aws:ec2/keyPair:KeyPair": keyPair,
    "aws:ec2/route:Route": routes,
    "aws:ec2/routeTable:RouteTable": routeTable,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": routeTableAssociation,
    "aws:ec2/securityGroup:SecurityGroup": securityGroup,
    "aws:ec2/subnet:Subnet": subnet,
    "aws:ec2/vpc:Vpc": vpc,
    "aws:lb/listener:Listener": listener,
    "aws:lb/loadBalancer:LoadBalancer": loadBalancer,
    "aws:lb/targetGroup:TargetGroup": targetGroup,
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": targetGroupAttachment,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": egressRule,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ingressRule,
  },
  functions: {
    "aws:ec2/getAmi:getAmi": getAmi,
    "aws:index/getAvailabilityZones:getAvailabilityZones": getAvailabilityZones,
  },
};
