import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ownPorts } from "../own.ts";
import { eventually, output } from "../run.ts";

/** The one image that there is; moto's own list has none of Debian. */
const image = {
  ami_id: "ami-0123456789abcdef0",
  name: "debian-12-amd64-20261101-1",
  owner_id: "136693071363",
  description: "Debian 12 (20261101-1)",
  architecture: "x86_64",
  root_device_name: "/dev/xvda",
  root_device_type: "ebs",
  virtualization_type: "hvm",
  hypervisor: "xen",
  image_type: "machine",
  public: true,
  creation_date: "2026-11-01T00:00:00.000Z",
};

const address = `http://127.0.0.1:${ownPorts + 670}`;
const region = "eu-central-1";

/** What the AWS SDK reads to work with moto instead of AWS; the keys open nothing. */
export const environment: NodeJS.ProcessEnv = {
  AWS_ENDPOINT_URL: address,
  AWS_ACCESS_KEY_ID: "moto",
  AWS_SECRET_ACCESS_KEY: "moto",
  // Neither the files of the user nor the metadata of a machine on EC2 count.
  AWS_CONFIG_FILE: "/nowhere/config",
  AWS_SHARED_CREDENTIALS_FILE: "/nowhere/credentials",
  AWS_EC2_METADATA_DISABLED: "true",
};

/** What an account has, as ids by their kinds. */
export type Inventory = Awaited<ReturnType<Moto["inventory"]>>;

/** moto's server, which answers like an empty account of AWS until something is made in it. */
export class Moto {
  readonly #folder: string;
  readonly #server: ChildProcess;

  private constructor(folder: string, server: ChildProcess) {
    this.#folder = folder;
    this.#server = server;
  }

  /** Starts the server, which keeps all that it knows in its memory. */
  static async start(cache: string): Promise<Moto> {
    const python = await installed(cache);
    const folder = await mkdtemp("/tmp/kthw-moto-");
    const images = join(folder, "images.json");
    await writeFile(images, JSON.stringify([image]));
    const { port, hostname } = new URL(address);
    // The server ends with this process, however this process ends.
    const log = openSync(join(folder, "log"), "w");
    const server = spawn(
      "setpriv",
      ["--pdeathsig", "TERM", python, "-m", "moto.server", "-H", hostname, "-p", port],
      {
        env: {
          ...process.env,
          MOTO_AMIS_PATH: images,
          MOTO_ENABLE_AMI_VALIDATION: "true",
          MOTO_ENABLE_KEYPAIR_VALIDATION: "true",
          MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION: "true",
        },
        stdio: ["ignore", log, log],
      },
    );
    const moto = new Moto(folder, server);
    await eventually(async () => {
      assertRunning(server);
      await fetch(address);
    });
    return moto;
  }

  /** Ends the server. */
  async stop(): Promise<void> {
    const ended = once(this.#server, "exit");
    if (this.#server.kill()) await ended;
    await rm(this.#folder, { recursive: true });
  }

  /** Asks EC2 or Elastic Load Balancing by its query protocol; returns the answer as XML. */
  async ask(
    service: "ec2" | "elasticloadbalancing",
    Action: string,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const Version = service === "ec2" ? "2016-11-15" : "2015-12-01";
    const response = await fetch(address, {
      method: "POST",
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=moto/20261101/${region}/${service}/aws4_request`,
      },
      body: new URLSearchParams({ Action, Version, ...parameters }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${Action}: ${text}`);
    return text;
  }

  /** What there is in the account. */
  async inventory() {
    const ec2 = async (Action: string, tag: string) => values(await this.ask("ec2", Action), tag);
    const elb = async (Action: string, tag: string) =>
      values(await this.ask("elasticloadbalancing", Action), tag);
    return {
      vpcs: await ec2("DescribeVpcs", "vpcId"),
      subnets: await ec2("DescribeSubnets", "subnetId"),
      gateways: await ec2("DescribeInternetGateways", "internetGatewayId"),
      routeTables: await ec2("DescribeRouteTables", "routeTableId"),
      securityGroups: await ec2("DescribeSecurityGroups", "groupId"),
      securityGroupRules: await ec2("DescribeSecurityGroupRules", "securityGroupRuleId"),
      keyPairs: await ec2("DescribeKeyPairs", "keyName"),
      instances: values(
        await this.ask("ec2", "DescribeInstances", {
          "Filter.1.Name": "instance-state-name",
          "Filter.1.Value.1": "pending",
          "Filter.1.Value.2": "running",
          "Filter.1.Value.3": "stopped",
        }),
        "instanceId",
      ),
      volumes: await ec2("DescribeVolumes", "volumeId"),
      interfaces: await ec2("DescribeNetworkInterfaces", "networkInterfaceId"),
      loadBalancers: await elb("DescribeLoadBalancers", "LoadBalancerArn"),
      targetGroups: await elb("DescribeTargetGroups", "TargetGroupArn"),
    };
  }
}

/** The texts of all elements of a name, each once and in order. */
export function values(xml: string, name: string): string[] {
  const found = [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))];
  return [...new Set(found.map(([, value]) => value!))].sort();
}

function assertRunning(server: ChildProcess): void {
  if (server.exitCode !== null) throw new Error(`moto has ended with status ${server.exitCode}`);
}

/** The Python that has moto, in the cache; installed there from PyPI at the first call. */
async function installed(cache: string): Promise<string> {
  const requirements = new URL("requirements.txt", import.meta.url).pathname;
  const digest = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  const home = join(cache, `moto-${digest.slice(0, 12)}`);
  const python = join(home, "bin/python");
  if (existsSync(python)) return python;
  const draft = await mkdtemp(`${home}.`);
  try {
    // Debian's Python, to which its package python3-venv belongs.
    await output("/usr/bin/python3", ["-m", "venv", draft]);
    const pip = ["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"];
    await output(join(draft, "bin/python"), [...pip, "--requirement", requirements]);
    await rename(draft, home);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  return python;
}
