import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Provider } from "@pulumi/aws/provider.js";
import { lookUp } from "../stacks/aws/lookups.ts";
import type { AwsSettings } from "../stacks/aws/named.ts";
import { type Graph, machineOf, runProgram, secretMark } from "./support/program.ts";
import { type Registration, record } from "./support/record.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const vpcType = "aws:ec2/vpc:Vpc";
const subnetType = "aws:ec2/subnet:Subnet";
const instanceType = "aws:ec2/instance:Instance";
const groupType = "aws:ec2/securityGroup:SecurityGroup";
const ingressType = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule";
const egressType = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule";
const balancerType = "aws:lb/loadBalancer:LoadBalancer";
const targetsType = "aws:lb/targetGroup:TargetGroup";
const listenerType = "aws:lb/listener:Listener";
const ami = "aws:ec2/getAmi:getAmi";
const attachmentType = "aws:lb/targetGroupAttachment:TargetGroupAttachment";

/** What AWS answers. */
const answers: Readonly<Record<string, Record<string, unknown>>> = {
  "aws:index/getAvailabilityZones:getAvailabilityZones": {
    names: ["eu-central-1b", "eu-central-1a", "eu-central-1c"],
  },
  [ami]: { id: "ami-0debian", architecture: "x86_64" },
};

const bridge = {
  network: "bridge",
  weave: {},
  controllers: [
    { name: "cp1", address: "10.240.0.11", podCidr: "10.200.11.0/24" },
    { name: "cp2", address: "10.240.0.12", podCidr: "10.200.12.0/24" },
    { name: "cp3", address: "10.240.0.13", podCidr: "10.200.13.0/24" },
  ],
  workerPools: [
    {
      name: "workers",
      machines: [{ name: "worker1", address: "10.240.0.21", podCidr: "10.200.21.0/24" }],
    },
  ],
};

describe("the program on EC2", () => {
  let folder: string;
  let graph: Graph;
  let exports: Awaited<ReturnType<typeof runProgram>>["exports"];
  let isImageGone = false;
  const { AWS_ACCESS_KEY_ID: credentials } = process.env;

  /** Runs the program with the settings of Pulumi.aws.yaml, three controllers and a change. */
  const onAws = (
    aws: object = {},
    { builds = {}, others = {}, preview = false }: Runs = {},
  ): ReturnType<typeof runProgram> =>
    runProgram({
      stack: "aws",
      preview,
      settings: (settings) => {
        settings.controllers = [1, 2, 3].map((n) => ({
          name: `cp${n}`,
          address: `10.240.0.1${n}`,
        })) as typeof settings.controllers;
        settings.artifacts = {};
        settings.aws = {
          ...(settings.aws as object),
          privateKeyFile: path.join(folder, "key"),
          ...aws,
        };
        Object.assign(settings, others);
      },
      call: ({ token }) => {
        if (isImageGone && token === ami)
          throw Object.assign(new Error(), { details: "Your query returned no results." });
        return answers[token] ?? {};
      },
      outputs: ({ type, name }) => {
        if (type === instanceType) return { publicIp: `192.0.2.${name.length}` };
        if (type === "pulumi:index:Stash" && name in builds) return { output: builds[name] };
        return undefined;
      },
    });
  interface Runs {
    /** What the state remembers of machines that are made, by the name of their record. */
    readonly builds?: Readonly<Record<string, unknown>>;
    readonly others?: object;
    readonly preview?: boolean;
  }

  before(async () => {
    process.env.AWS_ACCESS_KEY_ID = "AKIAEXAMPLE";
    folder = mkdtempSync(path.join(tmpdir(), "kthw-aws-"));
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path.join(folder, "key")]);
    ({ graph, exports } = await onAws());
  });
  after(() => {
    rmSync(folder, { recursive: true });
    if (credentials === undefined) delete process.env.AWS_ACCESS_KEY_ID;
    else process.env.AWS_ACCESS_KEY_ID = credentials;
  });

  const machines = ["lb", "cp1", "cp2", "cp3", "worker1"];
  const ofAws = (graph: Graph) => graph.resources.filter(({ type }) => type.startsWith("aws:"));
  const found = (graph: Graph, type: string, name: string): Registration => {
    const one = graph.ofType(type).find((resource) => resource.name === name);
    assert.ok(one, `${type} ${name}`);
    return one;
  };
  /** Every rule, as `group protocol ports source`. */
  const rules = (graph: Graph, type = ingressType) =>
    graph
      .ofType(type)
      .map(({ inputs }) => {
        const { securityGroupId, ipProtocol, fromPort, toPort, cidrIpv4 } = inputs;
        const ports = fromPort === toPort ? [fromPort] : [fromPort, toPort];
        const other = inputs.referencedSecurityGroupId ?? cidrIpv4;
        return [securityGroupId, ipProtocol, ports.join("-"), other]
          .filter((word) => word !== "")
          .map((word) => String(word).replace(/-id$/, ""))
          .join(" ");
      })
      .sort();
  const ownAddress = "203.0.113.7/32";

  describe("lets in", () => {
    const etcd = ["controllers tcp 2379 controllers", "controllers tcp 2380 controllers"];
    const ofNodes = [
      "controllers tcp 10250 controllers",
      "controllers tcp 10250 workers",
      "controllers tcp 6443 controllers",
      "controllers tcp 6443 load-balancer",
      "controllers tcp 6443 workers",
      "workers tcp 10250 controllers",
      "workers tcp 10250 workers",
    ];
    const pairs = ["controllers", "workers"].flatMap((to) =>
      ["controllers", "workers"].map((from) => [to, from] as const),
    );
    const overlay = pairs.flatMap(([to, from]) => [
      `${to} tcp 6783 ${from}`,
      `${to} udp 6783 ${from}`,
      `${to} udp 6784 ${from}`,
    ]);
    const nginx = ["controllers", "workers"].flatMap((from) => [
      `load-balancer tcp 443 ${from}`,
      `load-balancer tcp 6443 ${from}`,
    ]);
    const ssh = ["controllers", "load-balancer", "workers"].map(
      (to) => `${to} tcp 22 ${ownAddress}`,
    );

    it("what services declare, the overlay, and SSH from the operator", () => {
      assert.deepEqual(rules(graph), [...etcd, ...ofNodes, ...overlay, ...nginx, ...ssh].sort());
    });
    it("ESP too where the overlay is encrypted", async () => {
      process.env.PULUMI_CONFIG_SECRET_KEYS = '["kthw:weave"]';
      const { graph } = await onAws({}, { others: { weave: { password: "word" } } });
      delete process.env.PULUMI_CONFIG_SECRET_KEYS;
      const esp = pairs.map(([to, from]) => `${to} 50 ${from}`);
      assert.deepEqual(
        rules(graph),
        [...etcd, ...ofNodes, ...overlay, ...nginx, ...ssh, ...esp].sort(),
      );
    });
    it("pods from each other on bridges, and what nodes send to pods, but not to services", async () => {
      const { graph } = await onAws({}, { others: bridge });
      const free = {
        controllers: [
          "0-21",
          "23-2378",
          "2383-6442",
          "6444-10247",
          "10251-10255",
          "10258",
          "10260-65535",
        ],
        workers: ["0-21", "23-10247", "10251-10255", "10257-65535"],
      };
      const pods = pairs.flatMap(([to, from]) => [
        ...free[to as keyof typeof free].map((ports) => `${to} tcp ${ports} ${from}`),
        `${to} udp 0-65535 ${from}`,
      ]);
      const routed = ["controllers -1 10.200.0.0/16", "workers -1 10.200.0.0/16"];
      assert.deepEqual(
        rules(graph),
        [...etcd, ...ofNodes, ...nginx, ...ssh, ...pods, ...routed].sort(),
      );
      for (const name of machines)
        assert.equal(found(graph, instanceType, name).inputs.sourceDestCheck, name === "lb", name);
      // AWS's default quota: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
      const own = rules(graph).filter((rule) => rule.startsWith("controllers "));
      assert.ok(own.length <= 60, `${own.length}`);
    });
    it("the ranges of the settings, to the API and to node ports, and clients of the health proxy", async () => {
      const vpn = "198.51.100.0/24";
      const { graph: other } = await onAws(
        { apiFrom: [vpn], nodePortsFrom: ["0.0.0.0/0"] },
        { others: { controllerHealthProxy: true } },
      );
      const before = rules(graph);
      assert.deepEqual(
        rules(other).filter((rule) => !before.includes(rule)),
        [
          "controllers tcp 30000-32767 0.0.0.0/0",
          "controllers tcp 80 load-balancer",
          "controllers udp 30000-32767 0.0.0.0/0",
          `load-balancer tcp 443 ${vpn}`,
          `load-balancer tcp 6443 ${vpn}`,
          "workers tcp 30000-32767 0.0.0.0/0",
          "workers udp 30000-32767 0.0.0.0/0",
        ],
      );
    });
    it("nothing through the VPC's default group, which has no rules", () => {
      const [group, ...more] = graph.ofType("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup");
      assert.deepEqual(more, []);
      assert.deepEqual([group!.inputs.ingress, group!.inputs.egress], [undefined, undefined]);
      for (const { inputs, name } of graph.ofType(groupType))
        assert.deepEqual([inputs.ingress, inputs.egress], [undefined, undefined], name);
    });
  });

  it("lets machines out, to where packages and binaries are", () =>
    assert.deepEqual(
      rules(graph, egressType),
      ["controllers", "load-balancer", "workers"].map((from) => `${from} -1 0.0.0.0/0`),
    ));

  it("makes one subnet, the machines' network, in one zone", () => {
    assert.deepEqual(found(graph, vpcType, "vpc").inputs.cidrBlock, "10.240.0.0/24");
    const subnets = graph.ofType(subnetType);
    assert.deepEqual(
      subnets.map(({ inputs }) => [inputs.cidrBlock, inputs.availabilityZone]),
      [["10.240.0.0/24", "eu-central-1a"]],
    );
    assert.deepEqual(subnets[0]!.ignoreChanges, ["availabilityZone"]);
    assert.equal(subnets[0]!.inputs.mapPublicIpOnLaunch, undefined);
  });
  it("spreads subnets over zones, and machines over subnets by their addresses", async () => {
    const { graph } = await onAws({
      subnets: [
        { cidr: "10.240.0.0/28", zone: "eu-central-1b" },
        { cidr: "10.240.0.16/28" },
        { cidr: "10.240.0.32/27" },
      ],
    });
    assert.deepEqual(
      graph.ofType(subnetType).map(({ inputs }) => [inputs.cidrBlock, inputs.availabilityZone]),
      [
        ["10.240.0.0/28", "eu-central-1b"],
        ["10.240.0.16/28", "eu-central-1a"],
        ["10.240.0.32/27", "eu-central-1c"],
      ],
    );
    const subnet = (name: string) => found(graph, instanceType, name).inputs.subnetId;
    assert.equal(subnet("cp1"), "subnet:10.240.0.0/28-id");
    assert.equal(subnet("worker1"), "subnet:10.240.0.16/28-id");
    assert.equal(graph.ofType("aws:ec2/routeTableAssociation:RouteTableAssociation").length, 3);
  });

  it("makes instances with fixed addresses, encrypted disks and no way to the metadata from pods", () => {
    const { userData, tags, ...inputs } = found(graph, instanceType, "cp1").inputs;
    assert.deepEqual(inputs, {
      ami: "ami-0debian",
      instanceType: "t3.small",
      subnetId: "subnet:10.240.0.0/24-id",
      privateIp: "10.240.0.11",
      vpcSecurityGroupIds: ["controllers-id"],
      keyName: "kthw-mocks",
      associatePublicIpAddress: true,
      sourceDestCheck: true,
      disableApiTermination: false,
      metadataOptions: {
        httpEndpoint: "enabled",
        httpTokens: "required",
        httpPutResponseHopLimit: 1,
      },
      rootBlockDevice: {
        volumeType: "gp3",
        volumeSize: 10,
        encrypted: true,
        tags: { Name: "kthw-mocks-cp1" },
      },
    });
    const groups = machines.map(
      (name) => found(graph, instanceType, name).inputs.vpcSecurityGroupIds,
    );
    const ofRole = ["load-balancer-id", "controllers-id", "controllers-id", "controllers-id"];
    assert.deepEqual(
      groups,
      [...ofRole, "workers-id"].map((id) => [id]),
    );
  });
  it("protects instances, tags all, and asks AWS by a provider of its own, as the settings say", async () => {
    const tags = { team: "platform" };
    const { graph } = await onAws({ region: "eu-north-1", terminationProtection: true, tags });
    for (const name of machines)
      assert.equal(found(graph, instanceType, name).inputs.disableApiTermination, true);
    const disk = found(graph, instanceType, "lb").inputs.rootBlockDevice as { tags: object };
    assert.deepEqual(disk.tags, { ...tags, Name: "kthw-mocks-lb" });
    const [provider, ...more] = graph.ofType("pulumi:providers:aws");
    assert.deepEqual(more, []);
    assert.equal(provider!.inputs.region, "eu-north-1");
    assert.equal(provider!.inputs.defaultTags, JSON.stringify({ tags }));
    for (const { name, type, provider: used } of ofAws(graph))
      assert.equal(used, provider!.urn, `${type} ${name}`);
  });

  it("hides the keys of the machines", () => {
    for (const { name, inputs } of graph.ofType(instanceType)) {
      const { secret } = inputs.userData as { secret: string };
      assert.match(secret, new RegExp(`^#cloud-config\nhostname: ${name}\n`), name);
      assert.match(secret, new RegExp(`${secretMark} ${name}:host-key`), name);
    }
    for (const { name, inputs } of ofAws(graph)) {
      const { userData, ...open } = inputs;
      assert.doesNotMatch(JSON.stringify(open), new RegExp(secretMark), name);
    }
  });
  it("lets what counts at the first boot alone change nothing later, which would stop or replace a machine", () => {
    for (const { name, ignoreChanges } of graph.ofType(instanceType))
      assert.deepEqual(ignoreChanges, ["userData", "associatePublicIpAddress", "keyName"], name);
    const pair = found(graph, "aws:ec2/keyPair:KeyPair", "operator");
    assert.deepEqual(pair.ignoreChanges, ["publicKey"]);
  });

  it("removes each machine before all that it stands on, and its address is free before it comes again", () => {
    const route = found(graph, "aws:ec2/route:Route", "internet");
    for (const instance of graph.ofType(instanceType)) {
      const earlier = graph.awaited(instance);
      assert.ok(instance.deleteBeforeReplace, instance.name);
      for (const needed of [
        route,
        found(graph, vpcType, "vpc"),
        found(graph, "aws:ec2/internetGateway:InternetGateway", "internet"),
        found(graph, "aws:ec2/keyPair:KeyPair", "operator"),
        ...graph.ofType(subnetType),
        ...graph.ofType("aws:ec2/routeTableAssociation:RouteTableAssociation"),
        found(graph, "pulumi:index:Stash", `${instance.name}:address`),
        found(graph, "pulumi:index:Stash", `${instance.name}:build-1`),
      ])
        assert.ok(earlier.has(needed), `${instance.name} ${needed.name}`);
      const [group] = instance.inputs.vpcSecurityGroupIds as [string];
      const own = [...graph.ofType(ingressType), ...graph.ofType(egressType)].filter(
        ({ inputs }) => inputs.securityGroupId === group,
      );
      assert.ok(own.length > 1);
      for (const rule of own) assert.ok(earlier.has(rule), `${instance.name} ${rule.name}`);
    }
    for (const rule of graph.ofType(ingressType))
      for (const id of [rule.inputs.securityGroupId, rule.inputs.referencedSecurityGroupId])
        if (id !== undefined)
          assert.ok(
            graph.awaited(rule).has(found(graph, groupType, String(id).replace(/-id$/, ""))),
            rule.name,
          );
  });
  it("skips the commands of a machine that goes", () => {
    for (const { name, deletedWith } of graph.commands())
      assert.equal(graph.at(deletedWith), found(graph, instanceType, machineOf(name)), name);
  });
  it("has the same graph in a preview", async () => {
    const { graph: preview } = await onAws({}, { preview: true });
    const shape = (graph: Graph) =>
      graph.resources.map(({ urn, inputs }) => `${urn} ${Object.keys(inputs).sort()}`).sort();
    assert.deepEqual(shape(preview), shape(graph));
    const { ami, instanceType: size } = found(preview, instanceType, "cp1").inputs;
    assert.deepEqual([ami, size], ["ami-0debian", "t3.small"]);
  });

  describe("connects", () => {
    const connectionOf = (graph: Graph, name: string) =>
      (graph.command(name).inputs.connection as { secret: Record<string, unknown> }).secret;

    it("to the public address of a machine, which must show the key that it was given", () => {
      const { host, port, user, hostKey, proxy } = connectionOf(graph, "cp1:node");
      assert.deepEqual([host, port, user, proxy], ["192.0.2.3", 22, "root", undefined]);
      assert.equal(hostKey, "ssh-ed25519 cp1:host-key\n");
    });
    it("once the first boot is done, with all names known", () => {
      for (const name of machines) {
        assert.ok(graph.waits(`${name}:node`, `${name}:names`), name);
        assert.match(String(graph.command(`${name}:names`).inputs.stdin), /10.240.0.21 worker1\n/);
      }
    });
    it("through a jump box, once the machine answers", async () => {
      const jumpBox = { host: "203.0.113.7", user: "hop" };
      const { graph, exports } = await onAws({ jumpBox });
      const { host, proxy } = connectionOf(graph, "cp1:node");
      assert.equal(host, "192.0.2.3");
      assert.deepEqual((proxy as Record<string, unknown>).host, "203.0.113.7");
      const answers = found(graph, "command:local:Command", "cp1:answers");
      assert.ok(graph.awaited(graph.command("cp1:names")).has(answers));
      const { ssh } = exports.machines.find(({ name }) => name === "cp1")!;
      const line = await new Promise<string>((resolve) =>
        (ssh as { apply(f: (line: string) => void): unknown }).apply(resolve),
      );
      assert.match(line, / -W %h:%p hop@203\.0\.113\.7" root@192\.0\.2\.3$/);
      // The same instance opens the same shell: what changes with the machine has the wait made again.
      assert.deepEqual(answers.inputs.environment, {
        KTHW_SSH: line,
        KTHW_BOOT: "machine cp1-id",
      });
    });
    it("by a script that asks again until the machine answers", () => {
      const tried = path.join(folder, "tried");
      const ssh = path.join(folder, "ssh");
      // It refuses the first time.
      const script = `#!/bin/sh\necho "$@" >>'${tried}'\n[ "$(wc -l <'${tried}')" = 2 ]\n`;
      writeFileSync(ssh, script, { mode: 0o755 });
      const env = { ...process.env, KTHW_SSH: `${ssh} 'a b'` };
      assert.equal(spawnSync("stacks/answers.sh", ["cp1", "30"], { cwd: root, env }).status, 0);
      const asked = "a b -o BatchMode=yes -o ConnectTimeout=10 true\n";
      assert.equal(readFileSync(tried, "utf8"), asked.repeat(2));
    });
    it("by a script that says in the end which machine does not answer, and why", () => {
      const KTHW_SSH = "f() { printf 'refused\\r\\nclosed\\n' >&2; return 255; }; f";
      const env = { ...process.env, KTHW_SSH };
      const ended = spawnSync("stacks/answers.sh", ["cp1", "0"], { cwd: root, env });
      assert.deepEqual(
        [ended.status, String(ended.stderr)],
        [
          1,
          "cp1: no answer over SSH within 0 s, got: refused closed; see that the jump box and the machine run\n",
        ],
      );
    });
  });

  it("reach the API at the only controller where no machine is in front of it", async () => {
    const { graph: alone } = await onAws(
      { apiFrom: ["198.51.100.0/24"] },
      { others: { loadBalancers: [], controllers: [{ name: "cp1", address: "10.240.0.11" }] } },
    );
    const rules = alone.ofType("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule");
    const toApi = rules.filter(({ inputs }) => inputs.fromPort === 6443).map(({ name }) => name);
    assert.deepEqual(toApi.sort(), [
      "controllers:tcp-6443:198.51.100.0/24",
      "controllers:tcp-6443:controllers",
      "controllers:tcp-6443:workers",
    ]);
  });

  describe("behind a network load balancer", () => {
    let balanced: Graph;
    let outputs: typeof exports;
    const others = { loadBalancers: [] };
    const subnets = [{ cidr: "10.240.0.0/25" }, { cidr: "10.240.0.128/25" }];
    const networkLoadBalancer = { addresses: ["10.240.0.140", "10.240.0.10"] };
    before(async () => {
      const aws = { subnets, networkLoadBalancer, apiFrom: ["198.51.100.0/24"] };
      ({ graph: balanced, exports: outputs } = await onAws(aws, { others }));
    });

    it("has no machine for the API, and asks for it at the first address", async () => {
      assert.deepEqual(
        outputs.machines.map(({ name }) => name),
        ["cp1", "cp2", "cp3", "worker1"],
      );
      const { create } = balanced.command("cp1:control-plane-healthy").inputs;
      assert.match(String(create), /https:\/\/10\.240\.0\.140:6443\/readyz/);
    });
    it("is within the VPC alone, with known addresses", () => {
      const { inputs, deleteBeforeReplace } = found(balanced, balancerType, "api");
      assert.deepEqual(inputs, {
        name: "kthw-mocks-api",
        loadBalancerType: "network",
        internal: true,
        subnetMappings: [
          { subnetId: "subnet:10.240.0.128/25-id", privateIpv4Address: "10.240.0.140" },
          { subnetId: "subnet:10.240.0.0/25-id", privateIpv4Address: "10.240.0.10" },
        ],
        securityGroups: ["load-balancer-id"],
        enableCrossZoneLoadBalancing: true,
        tags: { Name: "kthw-mocks-api" },
      });
      assert.ok(deleteBeforeReplace);
    });
    it("has all addresses in the API servers' certificates", () => {
      const requests = balanced.ofType("tls:index/certRequest:CertRequest");
      const { inputs } = requests.find(({ name }) => /^cp1:.*apiserver/.test(name))!;
      const addresses = inputs.ipAddresses as string[];
      for (const address of networkLoadBalancer.addresses)
        assert.ok(addresses.includes(address), address);
    });
    it("passes TCP on to each controller's address, as a client of its own", () => {
      const { healthCheck, ...targets } = found(balanced, targetsType, "api").inputs;
      assert.deepEqual(targets, {
        namePrefix: "kthw-",
        port: 6443,
        protocol: "TCP",
        vpcId: "vpc-id",
        targetType: "ip",
        preserveClientIp: "false",
        deregistrationDelay: 30,
        connectionTermination: true,
        tags: { Name: "kthw-mocks-api" },
      });
      assert.deepEqual(healthCheck, {
        protocol: "HTTPS",
        path: "/readyz",
        matcher: "200",
        port: "6443",
        interval: 10,
        timeout: 6,
        healthyThreshold: 2,
        unhealthyThreshold: 2,
      });
      const attached = balanced.ofType(attachmentType).map(({ inputs }) => inputs.targetId);
      assert.deepEqual(attached.sort(), ["10.240.0.11", "10.240.0.12", "10.240.0.13"]);
      const { port, protocol } = found(balanced, listenerType, "api").inputs;
      assert.deepEqual([port, protocol], [6443, "TCP"]);
    });
    it("asks for no more than a connection where the settings say so", async () => {
      const aws = { networkLoadBalancer: { addresses: ["10.240.0.10"], healthCheck: "tcp" } };
      const { graph } = await onAws(aws, { others });
      const { healthCheck } = found(graph, targetsType, "api").inputs;
      const { protocol, path, matcher } = healthCheck as Record<string, unknown>;
      assert.deepEqual({ protocol, path, matcher }, { protocol: "TCP", path: "", matcher: "" });
    });
    it("is reached by nodes and the operator, and reaches the API servers", () => {
      const ofBalancer = (rule: string) => rule.includes("load-balancer");
      assert.deepEqual(rules(balanced).filter(ofBalancer), [
        "controllers tcp 6443 load-balancer",
        "load-balancer tcp 6443 198.51.100.0/24",
        "load-balancer tcp 6443 controllers",
        "load-balancer tcp 6443 workers",
      ]);
      assert.deepEqual(rules(balanced, egressType).filter(ofBalancer), [
        "load-balancer tcp 6443 controllers",
      ]);
    });
    it("is there before anything is placed on a controller", () => {
      const listener = found(balanced, listenerType, "api");
      assert.ok(balanced.awaited(balanced.command("cp2:node")).has(listener));
      assert.ok(!balanced.awaited(balanced.command("worker1:node")).has(listener));
      const own = [...balanced.ofType(ingressType), ...balanced.ofType(egressType)].filter(
        ({ inputs }) => inputs.securityGroupId === "load-balancer-id",
      );
      assert.ok(own.length > 1);
      for (const rule of own) assert.ok(balanced.awaited(listener).has(rule), rule.name);
    });
  });

  describe("has machines that stay as they were made", () => {
    const update = "the first";
    const build = { image: "ami-0former", instanceType: "m5.large", diskGiB: 7, update };
    const all = Object.fromEntries(
      machines.flatMap((name) => [
        [`${name}:first-update`, update],
        [`${name}:build-1`, build],
      ]),
    );
    const made = (graph: Graph, name: string) => {
      const { inputs, replacementTrigger } = found(graph, instanceType, name);
      const { volumeSize } = inputs.rootBlockDevice as { volumeSize: number };
      return [inputs.ami, inputs.instanceType, volumeSize, replacementTrigger];
    };
    const formerly = ["ami-0former", "m5.large", 7, 1];

    it("whatever image and size the settings have today", async () => {
      const sizes = { controller: { instanceType: "t3.large" } };
      const { graph } = await onAws({ image: "ami-0123456789abcdef0", sizes }, { builds: all });
      for (const name of machines) assert.deepEqual(made(graph, name), formerly, name);
    });
    it("although their image is gone", async () => {
      isImageGone = true;
      const { graph } = await onAws({ image: "ami-0123456789abcdef0" }, { builds: all });
      isImageGone = false;
      for (const name of machines) assert.deepEqual(made(graph, name), formerly, name);
    });
    it("but for one whose generation is raised", async () => {
      const own = [{ name: "cp2", generation: 2, instanceType: "t3.large" }];
      const { graph } = await onAws({ machines: own }, { builds: all });
      assert.deepEqual(made(graph, "cp1"), formerly);
      assert.deepEqual(made(graph, "cp2"), ["ami-0debian", "t3.large", 10, 2]);
    });
  });
});

describe("what AWS alone knows", () => {
  const asked: { token: string; inputs: Record<string, unknown> }[] = [];
  /** What is found out with these answers. */
  const find = async (
    aws: object,
    subnets: readonly { zone?: string }[],
    differing: Record<string, Record<string, unknown>> = {},
  ) => {
    const settings = { architecture: "amd64", aws: { region: "eu-central-1", ...aws } };
    const { exports } = await record(
      async () => {
        const provider = new Provider("aws", { region: "eu-central-1" });
        return await lookUp(settings as unknown as AwsSettings, subnets, provider);
      },
      {
        call: ({ token, inputs }) => {
          asked.push({ token, inputs });
          const answer = { ...answers, ...differing }[token]!;
          if (answer.error !== undefined)
            throw Object.assign(new Error(), { details: answer.error });
          return answer;
        },
      },
    );
    return exports;
  };
  it("is which image of Debian is the newest", async () => {
    assert.deepEqual(await find({}, [{}]), {
      zones: ["eu-central-1a"],
      image: "ami-0debian",
      mistakesOfImage: [],
    });
    const { inputs } = asked.findLast(({ token }) => token === ami)!;
    assert.deepEqual(inputs, {
      owners: ["136693071363"],
      filters: [{ name: "name", values: ["debian-12-amd64-*"] }],
      mostRecent: true,
    });
  });
  it("is that an image is not there", async () => {
    const image = "ami-0123456789abcdef0";
    const error =
      "Your query returned no results. Please change your search criteria and try again.";
    const found = await find({ image }, [{}], { [ami]: { error } });
    const { inputs } = asked.findLast(({ token }) => token === ami)!;
    assert.deepEqual(inputs, {
      filters: [{ name: "image-id", values: [image] }],
      includeDeprecated: true,
    });
    const todo = "write the id of an image of Debian in this region";
    assert.deepEqual(found, {
      zones: ["eu-central-1a"],
      image,
      mistakesOfImage: [`aws.image: not found in eu-central-1, got ${image}; ${todo}`],
    });
    assert.deepEqual(await find({}, [{}], { [ami]: { error } }), {
      mistakes: [`aws.image: not found in eu-central-1, got nothing; ${todo}`],
    });
  });
  it("is that it does not answer, in one line", async () => {
    const error = "operation error EC2\n  api error UnauthorizedOperation: not allowed\n";
    const mistake =
      "aws.profile: AWS does not answer in eu-central-1 (operation error EC2 api error UnauthorizedOperation: not allowed), got nothing; see that the credentials are valid, may describe images and zones, and are for this region";
    const zones = "aws:index/getAvailabilityZones:getAvailabilityZones";
    for (const failing of [[ami], [zones], [ami, zones]])
      assert.deepEqual(
        await find({}, [{}], Object.fromEntries(failing.map((token) => [token, { error }]))),
        { mistakes: [mistake] },
      );
  });
  it("is the architecture of an image, and that a region has too few zones", async () => {
    const arm = { [ami]: { id: "ami-1", architecture: "arm64" } };
    assert.deepEqual(await find({}, [{}, {}, {}, {}], arm), {
      mistakes: [
        "aws.subnets: more subnets than eu-central-1 has zones, eu-central-1b, eu-central-1a, eu-central-1c, got 4; list fewer, or write the zones of those that share one",
        "aws.image: an image of arm64, got ami-1; choose another image, or set architecture",
      ],
    });
  });
  it("is that a zone is not there", async () => {
    assert.deepEqual(await find({}, [{}, { zone: "eu-central-1z" }]), {
      mistakes: [
        "aws.subnets[1].zone: no zone of eu-central-1, got eu-central-1z; use one of eu-central-1b, eu-central-1a, eu-central-1c",
      ],
    });
  });
});

describe("the library of AWS", () => {
  it("is loaded for machines on EC2 alone", () => {
    const script = `
      import { createRequire } from "node:module";
      await import("./stacks/platforms.ts");
      const { cache } = createRequire(import.meta.url);
      const loaded = Object.keys(cache).filter((file) => file.includes("@pulumi/aws/"));
      process.stdout.write(JSON.stringify(loaded.length));`;
    const flags = ["--import", "tsx", "--input-type", "module", "--eval", script];
    assert.equal(execFileSync("node", flags, { cwd: root, encoding: "utf8" }), "0");
  });
});
