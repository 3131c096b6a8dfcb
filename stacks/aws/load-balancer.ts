import { Listener } from "@pulumi/aws/lb/listener.js";
import { LoadBalancer } from "@pulumi/aws/lb/loadBalancer.js";
import { TargetGroup } from "@pulumi/aws/lb/targetGroup.js";
import { TargetGroupAttachment } from "@pulumi/aws/lb/targetGroupAttachment.js";
import type * as pulumi from "@pulumi/pulumi";
import type { Named } from "./named.ts";

/** The port of the API servers, and of the endpoint. */
const port = 6443;

/** An internal network load balancer that passes TCP on to the API servers. */
export function makeLoadBalancer(
  args: {
    readonly vpcId: pulumi.Input<string>;
    /** The address of the load balancer in each of its subnets. */
    readonly addresses: readonly {
      readonly address: string;
      readonly subnetId: pulumi.Input<string>;
    }[];
    readonly securityGroup: pulumi.Input<string>;
    /** The rules of the security group, without which nothing passes. */
    readonly rules: readonly pulumi.Resource[];
    readonly healthCheck: "https" | "tcp";
    readonly controllers: readonly { readonly name: string; readonly address: string }[];
  },
  { name, opts }: Named,
): pulumi.Resource[] {
  const loadBalancer = new LoadBalancer(
    "api",
    {
      name: `${name}-api`,
      loadBalancerType: "network",
      internal: true,
      subnetMappings: args.addresses.map(({ address, subnetId }) => ({
        subnetId,
        privateIpv4Address: address,
      })),
      securityGroups: [args.securityGroup],
      // Without it, an address leads to the controllers of its own zone only.
      enableCrossZoneLoadBalancing: true,
      tags: { Name: `${name}-api` },
    },
    // Its name and addresses are free again only when it is gone.
    { ...opts, deleteBeforeReplace: true },
  );
  const targets = new TargetGroup(
    "api",
    {
      // A fixed name could not be replaced under a listener.
      namePrefix: "kthw-",
      port,
      protocol: "TCP",
      vpcId: args.vpcId,
      // A controller that reaches itself through the load balancer would otherwise get packets from its own address.
      targetType: "ip",
      preserveClientIp: "false",
      deregistrationDelay: 30,
      connectionTermination: true,
      healthCheck: {
        port: `${port}`,
        interval: 10,
        timeout: 6,
        healthyThreshold: 2,
        unhealthyThreshold: 2,
        ...(args.healthCheck === "https"
          ? { protocol: "HTTPS", path: "/readyz", matcher: "200" }
          : // Left out, both would keep the values of an earlier check.
            { protocol: "TCP", path: "", matcher: "" }),
      },
      tags: { Name: `${name}-api` },
    },
    opts,
  );
  const listener = new Listener(
    "api",
    {
      loadBalancerArn: loadBalancer.arn,
      port,
      protocol: "TCP",
      // As long as nginx keeps a silent connection: watches of the API are silent for minutes.
      tcpIdleTimeoutSeconds: 3_600,
      defaultActions: [{ type: "forward", targetGroupArn: targets.arn }],
    },
    { ...opts, dependsOn: [...args.rules] },
  );
  const attachments = args.controllers.map(
    (controller) =>
      new TargetGroupAttachment(
        `api:${controller.name}`,
        { targetGroupArn: targets.arn, targetId: controller.address, port },
        opts,
      ),
  );
  return [listener, ...attachments];
}
