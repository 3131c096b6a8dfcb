import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { PreviewStep } from "../../operations/plan/steps.ts";
import { LiveStack, type WrittenSettings } from "./support/live-stack.ts";
import { environment, type Inventory, Moto, values } from "./support/moto/moto.ts";
import { output, type Result, step, succeeded } from "./support/run.ts";

const kinds = (inventory: Inventory) => Object.keys(inventory) as (keyof Inventory)[];

const addresses = { cp1: "10.240.0.11", worker1: "10.240.0.21" };

/** The program's machines on EC2, by the real engine, where moto's server answers in place of AWS. */
describe("EC2", function () {
  this.timeout(900_000);
  let stack: LiveStack;
  let moto: Moto;
  let empty: Inventory;
  let original: WrittenSettings;
  let connectsToNone = false;
  let isUp = false;
  let hasFailed = false;

  const itOnceUp = (title: string, test: () => Promise<void>) =>
    it(title, function () {
      if (!isUp) this.skip();
      return test();
    });

  const pulumi = (title: string, ...args: string[]): Promise<Result> =>
    step(title, () => stack.with("machines-of-moto.ts", ...args));
  const up = async (title = "pulumi up") => {
    const { stdout } = succeeded(await pulumi(title, "up", "--yes", "--skip-preview"));
    return stdout;
  };
  const refresh = async () => {
    const { stdout } = succeeded(
      await pulumi("pulumi refresh", "refresh", "--yes", "--skip-preview"),
    );
    return stdout;
  };
  const assertUnchanged = (said: string) => assert.match(said, /^Resources:\n +\d+ unchanged$/m);
  const ec2 = (action: string, parameters?: Readonly<Record<string, string>>) =>
    moto.ask("ec2", action, parameters);
  /** The one instance with an address that has not been terminated, as EC2 describes it. */
  const instanceAt = (address: string) =>
    ec2("DescribeInstances", {
      "Filter.1.Name": "private-ip-address",
      "Filter.1.Value.1": address,
      "Filter.2.Name": "instance-state-name",
      "Filter.2.Value.1": "running",
    });
  const idAt = async (address: string) => {
    const ids = values(await instanceAt(address), "instanceId");
    assert.equal(ids.length, 1, address);
    return ids[0]!;
  };
  const rulesOf = async (group: string) => {
    const found = await ec2("DescribeSecurityGroups", {
      "Filter.1.Name": "group-name",
      "Filter.1.Value.1": group,
      "Filter.2.Name": "vpc-id",
      "Filter.2.Value.1": (await ownVpc())!,
    });
    const id = values(found, "securityGroupArn")[0]!.split("/")[1]!;
    const rules = await ec2("DescribeSecurityGroupRules", {
      "Filter.1.Name": "group-id",
      "Filter.1.Value.1": id,
    });
    return { id, ids: values(rules, "securityGroupRuleId"), rules };
  };
  const ownVpc = async () => (await moto.inventory()).vpcs.find((id) => !empty.vpcs.includes(id));

  before(async () => {
    stack = await step("remove what an earlier run left", () => LiveStack.create());
    moto = await step("start moto", () => Moto.start(stack.environment.KTHW_CACHE!));
    Object.assign(stack.environment, environment);
    empty = await moto.inventory();
    const key = join(stack.logs, "id_ed25519");
    await output("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
    const worker1 = { name: "worker1", address: addresses.worker1 };
    await stack.write({
      platform: "aws",
      network: "weave",
      architecture: "amd64",
      loadBalancers: [],
      controllers: [{ name: "cp1", address: addresses.cp1 }],
      workerPools: [{ name: "workers", machines: [worker1] }],
      aws: {
        subnets: [{ cidr: "10.240.0.0/25" }],
        sshFrom: ["203.0.113.7/32"],
        endpoint: { host: "127.0.0.1", port: 16_443 },
        privateKeyFile: key,
        tags: { team: "platform" },
        networkLoadBalancer: { addresses: ["10.240.0.10"], healthCheck: "https" },
      },
    });
    original = stack.settings;
  });

  beforeEach(function () {
    console.log(`  ${this.currentTest?.title}`);
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") hasFailed = true;
  });

  after(async () => {
    await stack?.remove();
    await moto?.stop();
    if (hasFailed) console.log(`\n  logs of what failed: ${stack.logs}`);
    else await rm(stack.logs, { recursive: true });
  });

  it("refuses an image that is not there, and an environment without credentials", async () => {
    await stack.configure(({ aws }) => {
      aws!.image = "ami-00000000000000000";
    });
    const image = await pulumi("pulumi up", "up", "--yes");
    assert.match(
      image.stdout,
      /aws\.image: not found in eu-central-1, got ami-00000000000000000; write/,
    );
    await stack.write(original);
    const { AWS_ACCESS_KEY_ID: key } = stack.environment;
    delete stack.environment.AWS_ACCESS_KEY_ID;
    const { stdout } = await pulumi("pulumi preview", "preview");
    stack.environment.AWS_ACCESS_KEY_ID = key;
    assert.match(stdout, /aws\.profile: no credentials, .*; set AWS_ACCESS_KEY_ID/);
    assert.deepEqual(await moto.inventory(), empty);
  });

  it("shows in a preview what it would make, and makes nothing", async () => {
    const { stdout } = succeeded(await pulumi("pulumi preview", "preview", "--json"));
    const steps: readonly PreviewStep[] = JSON.parse(stdout).steps;
    const inputs = (type: string) =>
      steps.flatMap(({ op, newState }) =>
        op === "create" && newState?.type === type ? [newState.inputs] : [],
      );
    assert.equal(inputs("aws:ec2/instance:Instance").length, 2);
    assert.equal(inputs("aws:lb/loadBalancer:LoadBalancer").length, 1);
    assert.deepEqual(await moto.inventory(), empty);
    // The public addresses that moto makes up belong to others.
    for (const given of inputs("command:remote:Command")) assert.equal(given?.create, undefined);
    connectsToNone = true;
  });

  it("makes the machines and all that they need, and nothing twice", async () => {
    assert.ok(connectsToNone);
    await up();
    isUp = true;
    const made = await moto.inventory();
    for (const kind of kinds(empty)) assert.ok(made[kind].length > empty[kind].length, kind);
    const worker = await instanceAt(addresses.worker1);
    assert.deepEqual(values(worker, "imageId"), ["ami-0123456789abcdef0"]);
    assert.deepEqual(values(worker, "instanceType"), ["t3.small"]);
    assert.deepEqual(values(worker, "httpTokens"), ["required"]);
    assert.deepEqual(values(worker, "httpPutResponseHopLimit"), ["1"]);
    assert.match(worker, /<key>team<\/key>\s*<value>platform<\/value>/);
    const userData = await ec2("DescribeInstanceAttribute", {
      Attribute: "userData",
      InstanceId: await idAt(addresses.worker1),
    });
    const [encoded] = [...userData.matchAll(/<value>([^<]+)<\/value>/g)].map(([, text]) => text);
    assert.match(Buffer.from(encoded!, "base64").toString(), /^#cloud-config\nhostname: worker1\n/);
    assert.equal((await rulesOf("default")).ids.length, 0);
    const balancer = await rulesOf(`kthw-${stack.name}-load-balancer`);
    assert.deepEqual(values(balancer.rules, "cidrIpv4"), []);
    assertUnchanged(await up("pulumi up again"));
    assertUnchanged(await refresh());
    assert.deepEqual(await moto.inventory(), made);
  });

  itOnceUp("fails with what AWS says, and goes on once that is mended", async () => {
    const failing = async (title: string) => {
      const args = ["up", "--yes", "--skip-preview", "--continue-on-error"];
      const { stdout, code } = await pulumi(title, ...args);
      assert.notEqual(code, 0);
      return stdout;
    };
    const VpcId = (await ownVpc())!;
    const other = await ec2("CreateSubnet", { VpcId, CidrBlock: "10.240.0.128/26" });
    await stack.configure(({ aws }) => {
      aws!.subnets!.push({ cidr: "10.240.0.128/25" });
    });
    assert.match(
      await failing("pulumi up with a subnet that overlaps another"),
      /creating EC2 Subnet: .*InvalidSubnet\.Conflict: The CIDR '10\.240\.0\.128\/25' conflicts with another subnet/,
    );
    await ec2("DeleteSubnet", { SubnetId: values(other, "subnetId")[0]! });
    await stack.write(original);

    await ec2("DeleteKeyPair", { KeyName: `kthw-${stack.name}` });
    await stack.configure(({ aws, workerPools }) => {
      const worker2 = { name: "worker2", address: "10.240.0.22" };
      workerPools![0]!.machines!.push(worker2);
      aws!.machines = [{ name: "worker2", instanceType: "t3.huge" }];
    });
    assert.match(
      await failing("pulumi up with a key that is gone"),
      /creating EC2 Instance: .*RunInstances, api error InvalidKeyPair\.NotFound: /,
    );
    await refresh();
    assert.match(
      await failing("pulumi up with a type that is not there"),
      /creating EC2 Instance: .*RunInstances, api error Invalid.*t3\.huge/,
    );
    assert.ok((await moto.inventory()).keyPairs.includes(`kthw-${stack.name}`));
    await stack.write(original);
    await up();
    assertUnchanged(await up("pulumi up again"));
  });

  itOnceUp("changes a size only for a machine that is asked for by name", async () => {
    const before = await idAt(addresses.worker1);
    await stack.configure(({ aws }) => {
      aws!.sizes = { worker: { instanceType: "t3.medium" } };
    });
    assertUnchanged(await up("pulumi up with another size"));
    await stack.configure(({ aws }) => {
      aws!.machines = [{ name: "worker1", generation: 2 }];
    });
    await up("pulumi up with the machine's name");
    assert.notEqual(await idAt(addresses.worker1), before);
    assert.deepEqual(values(await instanceAt(addresses.worker1), "instanceType"), ["t3.medium"]);
    assert.deepEqual(values(await instanceAt(addresses.cp1), "instanceType"), ["t3.small"]);
  });

  itOnceUp("sees in a refresh what somebody did to it, and puts it right again", async () => {
    const made = await moto.inventory();
    const worker = await idAt(addresses.worker1);
    await ec2("TerminateInstances", { "InstanceId.1": worker });
    const group = await rulesOf("default");
    await ec2("AuthorizeSecurityGroupIngress", {
      GroupId: group.id,
      "IpPermissions.1.IpProtocol": "tcp",
      "IpPermissions.1.FromPort": "22",
      "IpPermissions.1.ToPort": "22",
      "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0",
    });
    const said = await refresh();
    assert.match(said, /^ - +aws:ec2:Instance worker1/m);
    assert.match(said, /^ ~ +aws:ec2:DefaultSecurityGroup default/m);
    await up();
    assert.notEqual(await idAt(addresses.worker1), worker);
    assert.equal((await rulesOf("default")).ids.length, 0);
    const mended = await moto.inventory();
    for (const kind of kinds(made)) assert.equal(mended[kind].length, made[kind].length);
    assertUnchanged(await up("pulumi up again"));
  });

  itOnceUp("asks for no more than a connection once the settings say so", async () => {
    const checked = () => moto.ask("elasticloadbalancing", "DescribeTargetGroups");
    assert.deepEqual(values(await checked(), "HealthCheckProtocol"), ["HTTPS"]);
    await stack.configure(({ aws }) => {
      aws!.networkLoadBalancer = { addresses: ["10.240.0.10"], healthCheck: "tcp" };
    });
    await up("pulumi up with a check that connects");
    assert.deepEqual(values(await checked(), "HealthCheckProtocol"), ["TCP"]);
    assertUnchanged(await refresh());
    await stack.write(original);
    await up("pulumi up with the former check");
    assert.deepEqual(values(await checked(), "HealthCheckProtocol"), ["HTTPS"]);
  });

  itOnceUp("changes tags in place", async () => {
    const made = await moto.inventory();
    await stack.configure(({ aws }) => {
      aws!.tags = { team: "storage" };
    });
    const said = await up();
    assert.doesNotMatch(said, /^ *[-+]{1,2} /m);
    assert.match(await instanceAt(addresses.cp1), /<key>team<\/key>\s*<value>storage<\/value>/);
    assert.deepEqual(await moto.inventory(), made);
    assertUnchanged(await refresh());
  });

  itOnceUp("is destroyed to an empty account, once protection is taken away", async () => {
    const protect = (on: boolean) =>
      stack.configure(({ aws }) => {
        aws!.terminationProtection = on;
      });
    await protect(true);
    await up();
    const destroy = () => pulumi("pulumi destroy", "destroy", "--yes", "--skip-preview");
    const refused = await destroy();
    assert.notEqual(refused.code, 0);
    assert.match(
      refused.stdout,
      /deleting EC2 Instance .*OperationNotPermitted: .*may not be terminated/,
    );
    await idAt(addresses.cp1);
    await protect(false);
    await up();
    succeeded(await destroy());
    isUp = false;
    assert.deepEqual(await moto.inventory(), empty);
  });
});
