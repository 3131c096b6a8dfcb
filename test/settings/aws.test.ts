import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { aws } from "../../stacks/aws/platform.ts";
import { architectureOf, memoryOf } from "../../stacks/aws/sizes.ts";
import {
  type Change,
  changed,
  mistakes,
  type Row,
  settings,
  worker1,
  worker2,
} from "../support/settings.ts";

const { privateKey } = generateKeyPairSync("ed25519", {
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});
const folder = mkdtempSync(path.join(tmpdir(), "kthw-keys-"));
const keyFile = path.join(folder, "key");
execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", keyFile]);
const openssh = readFileSync(keyFile, "utf8");
const opensshPublic = readFileSync(`${keyFile}.pub`, "utf8");
rmSync(folder, { recursive: true });

const files: Readonly<Record<string, string>> = {
  "/keys/openssh": openssh,
  "/keys/openssh.pub": opensshPublic,
  "/keys/other": openssh,
  "/keys/other.pub": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 other",
  "/keys/ecdsa": privateKey,
  "/keys/ecdsa.pub": "ecdsa-sha2-nistp256 AAAA",
  "/keys/ok": privateKey,
  "/keys/ok.pub": "ssh-ed25519 AAAA",
  "/keys/alone": privateKey,
};
const reading = (more: Readonly<Record<string, string>> = {}) => ({
  read: (file: string): string => {
    const text = { ...files, ...more }[file];
    if (text !== undefined) return text;
    throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
  },
});
/** A computer from which the account can be used. */
const operator = { ...reading(), env: { AWS_ACCESS_KEY_ID: "AKIA" }, stack: "aws" };

/** Settings of machines on EC2 with a change of theirs. */
function onAws(change: Change = {}): Record<string, unknown> {
  return changed({
    platform: "aws",
    "aws.sshFrom": ["203.0.113.7/32"],
    "aws.apiFrom": ["198.51.100.0/24"],
    "aws.privateKeyFile": "/keys/ok",
    ...change,
  });
}

/** The overlay, which hands out the addresses of pods itself. */
const overlay: Change = {
  network: "weave",
  ...Object.fromEntries(
    ["controllers[0]", "controllers[1]", "controllers[2]", worker1, worker2].map((machine) => [
      `${machine}.podCidr`,
      undefined,
    ]),
  ),
};

describe("settings of machines on EC2", () => {
  it("need a range to log in from, a way to the API and a key", () => {
    const { aws: own, artifacts } = settings(onAws(), operator);
    assert.deepEqual(own, {
      region: "eu-central-1",
      tags: {},
      subnets: [],
      sshFrom: ["203.0.113.7/32"],
      apiFrom: ["198.51.100.0/24"],
      nodePortsFrom: [],
      privateKeyFile: "/keys/ok",
      useAgent: false,
      sizes: {
        loadBalancer: { instanceType: "t3.micro", diskGiB: 8 },
        controller: { instanceType: "t3.small", diskGiB: 10 },
        worker: { instanceType: "t3.small", diskGiB: 20 },
      },
      machines: [],
      terminationProtection: false,
    });
    assert.equal(artifacts.mirror, undefined);
  });

  it("have the API behind the load balancer, or behind addresses of a network load balancer", () => {
    const nginx = aws.endpoint(settings(onAws(), operator));
    assert.deepEqual(nginx.fromMachines, { host: "10.240.0.10", port: 6443 });
    assert.deepEqual(nginx.fromOperator, nginx.fromMachines);
    const balanced = onAws({
      ...overlay,
      loadBalancers: [],
      "aws.subnets": [{ cidr: "10.240.0.0/25" }, { cidr: "10.240.0.128/25" }],
      "aws.networkLoadBalancer": { addresses: ["10.240.0.140", "10.240.0.10"] },
      "aws.endpoint": { host: "api.example.com" },
    });
    assert.deepEqual(aws.endpoint(settings(balanced, operator)), {
      fromMachines: { host: "10.240.0.140", port: 6443 },
      fromOperator: { host: "api.example.com", port: 6443 },
      otherAddresses: ["10.240.0.10"],
    });
  });

  it("have the near end of a tunnel in place of ranges that reach the API", () =>
    assert.deepEqual(
      mistakes(onAws({ "aws.apiFrom": undefined, "aws.endpoint.host": "127.0.0.1" }), operator),
      [],
    ));

  it("may not lead to another region or network on a living cluster", () => {
    const change = { "aws.region": "eu-north-1" };
    const unchanging = aws.unchanging(settings(onAws(change), operator));
    assert.equal(unchanging.machineCidr, "10.240.0.0/24");
    assert.equal(unchanging["aws.region"], "eu-north-1");
  });

  it("have a jump box with a private address, and a key whose public half lies beside it", () => {
    for (const host of ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"])
      assert.deepEqual(mistakes(onAws({ "aws.jumpBox": { host } }), operator), []);
    assert.deepEqual(mistakes(onAws({ "aws.privateKeyFile": "/keys/openssh" }), operator), []);
  });

  it("keep the machines of a living cluster in their subnets", () => {
    const subnets = [{ cidr: "10.240.0.0/28" }, { cidr: "10.240.0.16/28" }];
    const unchanging = aws.unchanging(
      settings(onAws({ ...overlay, "aws.subnets": subnets }), operator),
    );
    assert.equal(unchanging["aws.subnets at 10.240.0.11"], "10.240.0.0/28");
    assert.equal(unchanging["aws.subnets at 10.240.0.21"], "10.240.0.16/28");
  });

  const rangeTodo = "write the range that you come from, like 203.0.113.7/32";
  const free = "choose one from 10.240.0.4 to 10.240.0.254";
  const halves = [{ cidr: "10.240.0.0/27" }, { cidr: "10.240.0.64/26" }];
  const balancer = { addresses: ["10.240.0.10"] };
  const wrong: readonly Row[] = [
    [
      { "aws.subnets": [{ cidr: "10.240.0.0/25" }, { cidr: "10.240.0.128/25" }] },
      "aws.subnets: several, between which network bridge has no routes, got 2; use one, or network weave",
    ],
    [
      { "aws.region": "Frankfurt" },
      "aws.region: not a region, got Frankfurt; write it like eu-central-1",
    ],
    [
      { "aws.image": "debian-12" },
      "aws.image: not the id of an image, got debian-12; write it like ami-0123456789abcdef0",
    ],
    [{ "aws.sshFrom": undefined }, `aws.sshFrom: nobody may log in, got nothing; ${rangeTodo}`],
    [
      { "aws.sshFrom": ["0.0.0.0/0"] },
      `aws.sshFrom[0]: open to everybody, got 0.0.0.0/0; ${rangeTodo}`,
    ],
    [
      { "aws.jumpBox": { host: "172.32.0.1" } },
      "aws.jumpBox.host: in no range of aws.sshFrom, got 172.32.0.1; add 172.32.0.1/32 there",
    ],
    [
      {
        "aws.sshFrom": ["203.0.113.7/32", "203.0.113.7/32"],
        "aws.apiFrom": ["198.51.100.0/24", "203.0.113.0/24", "198.51.100.0/24"],
        "aws.nodePortsFrom": ["0.0.0.0/0", "0.0.0.0/0"],
      },
      "aws.sshFrom[1]: the same as aws.sshFrom[0], got 203.0.113.7/32; list each range once",
      "aws.apiFrom[2]: the same as aws.apiFrom[0], got 198.51.100.0/24; list each range once",
      "aws.nodePortsFrom[1]: the same as aws.nodePortsFrom[0], got 0.0.0.0/0; list each range once",
    ],
    [
      { "aws.tags": { Name: "mine", "aws:team": "platform", team: "platform" } },
      "aws.tags: a tag of the program's, got Name; choose another name",
      "aws.tags: a tag of AWS's own, got aws:team; choose another name",
    ],
    [
      { "aws.privateKeyFile": "/keys/ecdsa" },
      "aws.privateKeyFile: beside it a public key of a type that the platform does not take, got ecdsa-sha2-nistp256; use a key of type ssh-ed25519 or ssh-rsa, as ssh-keygen -t ed25519 makes",
    ],
    [
      { "aws.privateKeyFile": "/keys/other" },
      "aws.privateKeyFile: the public key beside it is another key's, got /keys/other; write it by ssh-keygen -y -f /keys/other >/keys/other.pub",
    ],
    [
      {
        ...overlay,
        loadBalancers: [],
        "aws.subnets": ["10.240.0.0/25", "10.240.0.128/25"].map((cidr) => ({
          cidr,
          zone: "eu-central-1a",
        })),
        "aws.networkLoadBalancer": { addresses: ["10.240.0.10", "10.240.0.140"] },
      },
      "aws.networkLoadBalancer.addresses[1]: in eu-central-1a, the zone of aws.networkLoadBalancer.addresses[0], got 10.240.0.140; list one for each zone",
    ],
    [
      { "aws.apiFrom": undefined },
      "aws.endpoint: no way to the API, got nothing; write the near end of a tunnel, or aws.apiFrom",
    ],
    [
      { "aws.jumpBox": { host: "198.51.100.1" } },
      "aws.jumpBox.host: in no range of aws.sshFrom, got 198.51.100.1; add 198.51.100.1/32 there",
    ],
    [
      { "controllers[1].address": "10.240.0.3" },
      `controllers[1].address: kept by AWS in the subnet 10.240.0.0/24, got 10.240.0.3; ${free}`,
    ],
    [
      { "controllers[1].address": "10.240.0.255" },
      "controllers[1].address: the network's broadcast address, got 10.240.0.255; choose a free one in machineCidr 10.240.0.0/24",
    ],
    [
      { ...overlay, "aws.subnets": halves, [`${worker1}.address`]: "10.240.0.40" },
      `${worker1}.address: in no subnet of aws.subnets, got 10.240.0.40; choose one in 10.240.0.0/27, 10.240.0.64/26, or add a subnet`,
    ],
    [
      { ...overlay, "aws.subnets": [{ cidr: "10.240.0.0/27" }, { cidr: "10.241.0.0/27" }] },
      "aws.subnets[1].cidr: not in machineCidr 10.240.0.0/24, got 10.241.0.0/27; choose a part of it",
    ],
    [
      { ...overlay, "aws.subnets": [{ cidr: "10.240.0.0/27" }, { cidr: "10.240.0.0/28" }] },
      "aws.subnets[1].cidr: overlaps aws.subnets[0].cidr 10.240.0.0/27, got 10.240.0.0/28; choose networks that are apart",
    ],
    [
      { ...overlay, "aws.subnets": [{ cidr: "10.240.0.0/27" }, { cidr: "10.240.0.64/30" }] },
      "aws.subnets[1].cidr: not of a size that AWS has, got 10.240.0.64/30; use a /16 to a /28",
    ],
    [
      { machineCidr: "10.240.0.0/12", podCidr: "10.200.0.0/16" },
      "machineCidr: not of a size that AWS has, got 10.240.0.0/12; use a /16 to a /28",
    ],
    [
      { "aws.subnets": [{ cidr: "10.240.0.0/24", zone: "a" }] },
      "aws.subnets[0].zone: not a zone, got a; write it like eu-central-1a",
    ],
    [
      { "aws.networkLoadBalancer": balancer },
      "loadBalancers: a machine in front of the API beside the platform's own load balancer, got 1; list none, or leave that one out",
      "aws.networkLoadBalancer.addresses[0]: the same as loadBalancers[0].address, got 10.240.0.10; choose a free address",
    ],
    [
      { loadBalancers: [] },
      "loadBalancers: no machine in front of 3 controllers, got nothing; list one, or two with endpoint.address, or write endpoint.host",
    ],
    [
      {
        "loadBalancers[1]": { name: "lb2", address: "10.240.0.9" },
        "endpoint.address": "10.240.0.5",
      },
      "endpoint.address: not to be shared on EC2, got 10.240.0.5; list one load balancer, or none and use aws.networkLoadBalancer",
    ],
    [
      { loadBalancers: [], "aws.networkLoadBalancer": {} },
      "aws.networkLoadBalancer.addresses: no address, got nothing; list one for each subnet in which it should be",
    ],
    [
      {
        loadBalancers: [],
        "aws.networkLoadBalancer": { addresses: ["10.240.0.10", "10.240.0.2"] },
      },
      `aws.networkLoadBalancer.addresses[1]: kept by AWS in the subnet 10.240.0.0/24, got 10.240.0.2; ${free}`,
      "aws.networkLoadBalancer.addresses[1]: in the subnet of aws.networkLoadBalancer.addresses[0], got 10.240.0.2; list one for each subnet",
    ],
    [
      { loadBalancers: [], "aws.networkLoadBalancer": { ...balancer, healthCheck: "http" } },
      "aws.networkLoadBalancer.healthCheck: not a check of health, got http; use one of https, tcp",
    ],
    [
      { "aws.sizes.controller.instanceType": "t3.micro" },
      "aws.sizes.controller.instanceType: too small for what runs there, got t3.micro; use one with at least 1700 MiB of memory, like t3.small",
    ],
    [
      { "aws.sizes.worker.instanceType": "t4g.medium" },
      "aws.sizes.worker.instanceType: not of architecture amd64, got t4g.medium; use one of amd64 like t3.small, or another architecture",
    ],
    [
      { "aws.machines": [{ name: "cp1", instanceType: "t3.nano" }] },
      "aws.machines[0].instanceType: too small for what runs there, got t3.nano; use one with at least 1700 MiB of memory, like t3.small",
    ],
    [
      { "aws.machines": [{ name: "cp9" }, { name: "cp1" }, { name: "cp1" }] },
      "aws.machines[0].name: the name of no machine, got cp9; use the name of a load balancer, controller or worker",
      "aws.machines[2].name: the same as aws.machines[1].name, got cp1; list each machine once",
    ],
    [
      { "aws.sizes.worker.diskGiB": 4 },
      "aws.sizes.worker.diskGiB: not a size of a disk, got 4; use a whole number from 8 to 16384",
    ],
    [
      { "aws.privateKeyFile": "/keys/alone" },
      "aws.privateKeyFile: no public key beside it, got /keys/alone; write it by ssh-keygen -y -f /keys/alone >/keys/alone.pub",
    ],
    [
      { "aws.privateKeyFile": "/keys/none" },
      "aws.privateKeyFile: no such file, got /keys/none; name the file of a private key for SSH",
    ],
    [
      { "artifacts.mirror": "/srv/kthw" },
      "artifacts.mirror: out of reach for machines on EC2, got /srv/kthw; serve the folder over http, and write that address",
    ],
  ];
  for (const [change, ...expected] of wrong)
    it(expected[0]!, () => assert.deepEqual(mistakes(onAws(change), operator), expected));

  it("fit into names of AWS", () => {
    const todo = "name the stack with up to 23 letters, digits and dashes, like aws";
    for (const stack of ["a".repeat(24), "my_stack"])
      assert.deepEqual(mistakes(onAws(), { ...operator, stack }), [
        `stack: not usable in names on AWS, which have up to 32 characters, got ${stack}; ${todo}`,
      ]);
    assert.deepEqual(mistakes(onAws(), { ...operator, stack: "a".repeat(23) }), []);
  });
});

describe("credentials for EC2", () => {
  const found = (surroundings: object, change: Change = {}) =>
    mistakes(onAws(change), { ...operator, env: {}, ...surroundings });

  it("are missed before AWS is asked", () =>
    assert.deepEqual(found({}), [
      "aws.profile: no credentials, neither in the environment nor in ~/.aws, got nothing; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write a profile of ~/.aws",
    ]));
  it("are in the environment, in files, or with the instance that this computer is", () => {
    const elsewhere = { AWS_SHARED_CREDENTIALS_FILE: "/keys/ok" };
    assert.deepEqual(found({ env: { AWS_WEB_IDENTITY_TOKEN_FILE: "/token" } }), []);
    assert.deepEqual(found(reading({ "/home/operator/.aws/credentials": "" })), []);
    assert.deepEqual(found({ env: elsewhere }), []);
    const vendor = "/sys/devices/virtual/dmi/id/sys_vendor";
    assert.deepEqual(found(reading({ [vendor]: "Amazon EC2\n" })), []);
    assert.equal(found(reading({ [vendor]: "QEMU\n" })).length, 1);
  });
  it("are of a profile that there is", () => {
    const config = reading({
      "/home/operator/.aws/config": "[default]\nregion = eu-central-1\n[profile lab]\n",
      "/home/operator/.aws/credentials": "[old]\n",
    });
    for (const profile of ["lab", "old", "default"])
      assert.deepEqual(found(config, { "aws.profile": profile }), []);
    assert.deepEqual(found(config, { "aws.profile": "la" }), [
      "aws.profile: in no file of AWS's command line, got la; write the name of a profile there, or add it by aws configure",
    ]);
  });
});

describe("types of instances", () => {
  it("tell their architecture", () => {
    const of = (architecture: string, types: readonly string[]) =>
      types.every((type) => architectureOf(type) === architecture);
    assert.ok(of("arm64", ["t4g.small", "a1.medium", "m6gd.large", "c7gn.large", "im4gn.large"]));
    assert.ok(of("arm64", ["x2gd.medium", "is4gen.medium", "hpc7g.4xlarge", "g5g.xlarge"]));
    assert.ok(of("amd64", ["t3.small", "t3a.small", "m5.large", "g4dn.xlarge", "c6in.large"]));
    assert.ok(of("amd64", ["g6.xlarge", "p4de.24xlarge", "u7i-12tb.224xlarge", "mac1.metal"]));
  });
  it("tell their memory where it may be too little", () => {
    assert.deepEqual(["t3.nano", "t4g.micro", "t3.small"].map(memoryOf), [512, 1_024, 2_048]);
    assert.equal(memoryOf("m5.large"), undefined);
  });
});
