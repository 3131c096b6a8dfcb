import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import service from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { provider } from "../plugins/aws/index.ts";
import { clientOptions, credentials } from "../plugins/protocol/plugin.ts";
import { mistakes } from "../plugins/protocol/shape.ts";
import { changes, type Properties } from "../plugins/protocol/values.ts";
import { context, kind, wrong } from "./support.ts";

const instance = kind(provider, "aws:ec2/instance:Instance");
const rule = kind(provider, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule");
const group = kind(provider, "aws:lb/targetGroup:TargetGroup");
const balancer = kind(provider, "aws:lb/loadBalancer:LoadBalancer");

const machine: Properties = {
  ami: "ami-1",
  instanceType: "t3.small",
  subnetId: "subnet-1",
  userData: "#cloud-config",
  vpcSecurityGroupIds: ["sg-1"],
  rootBlockDevice: { volumeSize: 8, encrypted: true },
};
const ssh: Properties = {
  securityGroupId: "sg-1",
  ipProtocol: "tcp",
  fromPort: 22,
  toPort: 22,
  cidrIpv4: "203.0.113.7/32",
};
const portless: Properties = { securityGroupId: "sg-1", ipProtocol: "udp", cidrIpv4: "10.0.0.0/8" };
const targets: Properties = {
  namePrefix: "kthw-",
  port: 6443,
  protocol: "TCP",
  vpcId: "vpc-1",
  healthCheck: { protocol: "TCP", path: "/readyz" },
};
const network: Properties = {
  name: "api",
  loadBalancerType: "network",
  internal: true,
  subnetMappings: [{ subnetId: "subnet-1", privateIpv4Address: "10.240.0.10" }],
  securityGroups: ["sg-1"],
};

describe("inputs that are refused", () => {
  const cases: [of: typeof rule, inputs: Properties, field: string, message: RegExp][] = [
    [instance, { ...machine, networkInterfaces: [] }, "networkInterfaces", /not implemented/],
    [instance, { ...machine, volumeTags: {} }, "volumeTags", /not implemented/],
    [
      instance,
      { ...machine, rootBlockDevice: { kmsKeyId: "k" } },
      "rootBlockDevice.kmsKeyId",
      /not implemented/,
    ],
    [
      instance,
      { ...machine, metadataOptions: { httpTokens: "yes" } },
      "metadataOptions.httpTokens",
      /one of optional, required/,
    ],
    [rule, { ...ssh, referencedSecurityGroupId: "sg-2" }, "cidrIpv4", /exactly one of/],
    [rule, { ...ssh, ipProtocol: "-1" }, "fromPort", /-1 goes without ports/],
    [rule, portless, "fromPort", /udp goes with ports/],
    [balancer, { ...network, loadBalancerType: "application" }, "loadBalancerType", /network/],
    [group, targets, "healthCheck.path", /cannot be specified when "health_check.protocol"/],
    [balancer, { ...network, name: "a".repeat(33) }, "name", /up to 32 letters/],
    [
      kind(provider, "aws:ec2/securityGroup:SecurityGroup"),
      { name: "n", description: "d", vpcId: "vpc-1", ingress: [] },
      "ingress",
      /not implemented/,
    ],
  ];
  for (const [of, inputs, field, message] of cases)
    it(field, () => assert.match(wrong(of, inputs)[field] ?? "", message));

  it("settings of the provider, which travel as JSON", () => {
    const told = (config: Properties) =>
      mistakes(provider.config!, { region: "eu-central-1", ...config });
    assert.deepEqual(told({ defaultTags: '{"tags":{"team":"platform"}}' }), {});
    assert.match(told({ defaultTags: '{"tags":["team"]}' })["defaultTags.tags"]!, /an object/);
    assert.match(told({ accessKey: "k" }).accessKey!, /not implemented/);
  });
});

describe("changes that need a new resource", () => {
  const replaced = (of: typeof rule, old: Properties, change: Properties) => {
    const now = { ...old, ...change };
    const state = { id: "i", properties: old, inputs: old };
    return [...changes(old, now).keys()].some((path) => of.replaces(path, state, now));
  };
  const more = [...(network.subnetMappings as []), { subnetId: "subnet-2" }];
  const cases: [
    title: string,
    of: typeof rule,
    old: Properties,
    change: Properties,
    is: boolean,
  ][] = [
    ["another image", instance, machine, { ami: "ami-2" }, true],
    ["another type", instance, machine, { instanceType: "t3.large" }, false],
    ["other user data", instance, machine, { userData: "#!/bin/sh" }, false],
    ["other security groups", instance, machine, { vpcSecurityGroupIds: ["sg-2"] }, false],
    ["other tags", instance, machine, { tags: { team: "storage" } }, false],
    [
      "a larger disk",
      instance,
      machine,
      { rootBlockDevice: { volumeSize: 9, encrypted: true } },
      false,
    ],
    [
      "an encrypted disk",
      instance,
      machine,
      { rootBlockDevice: { volumeSize: 8, encrypted: false } },
      true,
    ],
    ["another range", rule, ssh, { cidrIpv4: "203.0.113.8/32" }, false],
    ["a group for a range", rule, ssh, { cidrIpv4: null, referencedSecurityGroupId: "g" }, true],
    ["a further subnet", balancer, network, { subnetMappings: more }, false],
    ["one subnet less", balancer, { ...network, subnetMappings: more }, network, true],
    ["another security group", balancer, network, { securityGroups: ["sg-2"] }, false],
    ["no security group any more", balancer, network, { securityGroups: [] }, true],
  ];
  for (const [title, of, old, change, is] of cases)
    it(`${title}: ${is ? "yes" : "no"}`, () => assert.equal(replaced(of, old, change), is));
});

describe("a check of health that shall only connect", () => {
  const before = { protocol: "HTTPS", path: "/readyz", matcher: "200" };
  const switched = (healthCheck: Properties) => {
    const old = { ...targets, healthCheck: before };
    const state = { id: "arn:targets", properties: old, inputs: old };
    return group.update!(state, { ...targets, healthCheck }, context());
  };
  it("keeps the former path as long as that is not taken away", () =>
    assert.rejects(switched({ protocol: "TCP" }), /"health_check.path" cannot be specified/));
  it("keeps the former codes as long as those are not taken away", () =>
    assert.rejects(
      switched({ protocol: "TCP", path: "" }),
      /"health_check.matcher" cannot be specified/,
    ));
});

describe("questions that a program asks", () => {
  let plugin: ChildProcess;
  let client: InstanceType<typeof service.ResourceProviderClient>;

  before(async () => {
    const program = `
      import { provide } from "./plugins/protocol/provider.ts";
      import { provider } from "./plugins/aws/index.ts";
      void provide(provider);`;
    plugin = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", program],
      { cwd: new URL("..", import.meta.url), stdio: ["pipe", "pipe", "inherit"] },
    );
    const [port] = await once(plugin.stdout!, "data");
    client = new service.ResourceProviderClient(
      `127.0.0.1:${String(port).trim()}`,
      credentials,
      clientOptions,
    );
  });

  after(() => {
    client.close();
    plugin.kill();
  });

  const ask = (token: string, args: Properties) => {
    const request = new pb.InvokeRequest();
    request.setTok(token);
    request.setArgs(structs.Struct.fromJavaScript(args as never));
    return new Promise<string[]>((resolve, reject) =>
      client.invoke(request, (error, reply) =>
        error
          ? reject(error)
          : resolve(
              reply.getFailuresList().map((one) => `${one.getProperty()}: ${one.getReason()}`),
            ),
      ),
    );
  };

  it("are refused where there is no answer", async () => {
    await assert.rejects(
      ask("aws:ec2/getVpc:getVpc", {}),
      /function 'aws:ec2\/getVpc:getVpc' is not implemented by the stand-in for the plugin aws 7.48.0; it implements aws:ec2\/getAmi:getAmi, /,
    );
  });
  it("are refused with arguments that are not understood", async () => {
    const [failure] = await ask("aws:ec2/getAmi:getAmi", { nameRegex: "debian" });
    assert.match(failure!, /^nameRegex: 'nameRegex' is not implemented/);
  });
});
