import { readFileSync } from "node:fs";
import os from "node:os";
import type { Instance } from "@pulumi/aws/ec2/instance.js";
import { KeyPair } from "@pulumi/aws/ec2/keyPair.js";
import { Provider, type ProviderArgs } from "@pulumi/aws/provider.js";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { networks } from "../../networks/networks.ts";
import { derive } from "../../node/derive.ts";
import { type Machine, virtualMachine } from "../../node/machine.ts";
import { apiClients } from "../../services/api-load-balancer.ts";
import type { MachineFacts, Role } from "../../services/cluster-facts.ts";
import { machinesOf } from "../../settings/cluster.ts";
import { refuse } from "../../settings/refuse.ts";
import type { MachineRecords } from "../../settings/unchanged.ts";
import { userData } from "../cloud-init.ts";
import { afterFirstBoot } from "../first-boot.ts";
import type { Machines, ServicesByMachine } from "../platform.ts";
import {
  expanded,
  keyFor,
  passphrasesOf,
  type SshTarget,
  secretsFor,
  sshCommandLine,
  sshConnection,
  sshTarget,
} from "../ssh.ts";
import { ec2Builds, makeInstance } from "./instances.ts";
import { makeLoadBalancer } from "./load-balancer.ts";
import { lookUp } from "./lookups.ts";
import { type AwsSettings, type Named, nameOnAws } from "./named.ts";
import { makeNetwork, type Network } from "./network.ts";
import { type Listeners, rulesFor } from "./rules.ts";
import { makeSecurityGroups, type Reach, type SecurityGroups } from "./security-groups.ts";
import { subnetHolding, subnetsOf } from "./subnets.ts";

/** Makes instances of EC2, and their network with its security groups. */
export function ec2Machines(
  settings: AwsSettings,
  records: MachineRecords,
  services: ServicesByMachine,
): Promise<Machines> {
  return new Ec2Machines("machines", settings).make(records, services);
}

class Ec2Machines extends pulumi.ComponentResource {
  readonly #settings: AwsSettings;
  readonly #named: Named;
  readonly #jumpBox: SshTarget | undefined;
  /** The public half of the operator's key, in the form of authorized_keys. */
  readonly #operatorKey: string;

  constructor(name: string, settings: AwsSettings, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:Ec2Machines", name, {}, opts);
    const { region, profile, tags } = settings.aws;
    this.#settings = settings;
    this.#jumpBox = jumpBoxOf(settings);
    this.#operatorKey = readFileSync(
      `${expanded(settings.aws.privateKeyFile, os.homedir())}.pub`,
      "utf8",
    ).trim();
    const provider = new Provider(
      "aws",
      {
        region: region as NonNullable<ProviderArgs["region"]>,
        ...(profile !== undefined && { profile }),
        ...(Object.keys(tags).length > 0 && { defaultTags: { tags } }),
      },
      { parent: this },
    );
    this.#named = { name: nameOnAws(pulumi.getStack()), opts: { parent: this, provider } };
  }

  async make(records: MachineRecords, services: ServicesByMachine): Promise<Machines> {
    const settings = this.#settings;
    const { aws } = settings;
    const { opts } = this.#named;
    const wanted = subnetsOf(settings);
    const found = await lookUp(settings, wanted, opts.provider!);
    if ("mistakes" in found) return await refuse(found.mistakes);
    const builds = await ec2Builds(settings, found.image).result;
    if ("mistakes" in builds) return await refuse(builds.mistakes);
    // Machines that are there stay as they were made, whatever has become of the image.
    if (found.mistakesOfImage.length > 0 && [...builds.values()].some(({ isMade }) => !isMade))
      return await refuse(found.mistakesOfImage);

    const subnets = wanted.map(({ cidr }, index) => ({ cidr, zone: found.zones[index]! }));
    const network = makeNetwork(settings.machineCidr, subnets, this.#named);
    const subnetOf = (address: string) => network.subnets[subnetHolding(subnets, address)]!.id;

    const groups = this.#groups(network, services);
    const balancer = aws.networkLoadBalancer;
    const balanced = balancer
      ? makeLoadBalancer(
          {
            vpcId: network.vpc.id,
            addresses: balancer.addresses.map((address) => ({
              address,
              subnetId: subnetOf(address),
            })),
            securityGroup: groups.ids.get("loadBalancer")!,
            rules: groups.rules.get("loadBalancer")!,
            healthCheck: balancer.healthCheck,
            controllers: settings.controllers,
          },
          this.#named,
        )
      : [];

    const keyPair = new KeyPair(
      "operator",
      { keyName: this.#named.name, publicKey: this.#operatorKey },
      // Another pair would replace all machines, and would bring no key to them that the first boot has not brought.
      { ...opts, ignoreChanges: ["publicKey"] },
    );
    const { routed } = networks[settings.network];
    const all = machinesOf(settings);
    const known = all.map(({ name, address }) => ({ name, address }));
    const machines = all.map(({ name, address, role }): Machine => {
      const remembered = builds.get(name)!;
      const hostKey = new tls.PrivateKey(
        `${name}:host-key`,
        { algorithm: "ED25519" },
        { parent: this },
      );
      const instance = makeInstance(
        {
          name,
          address,
          remembered,
          subnetId: subnetOf(address),
          securityGroup: groups.ids.get(role)!,
          keyName: this.#named.name,
          userData: derive(
            [hostKey.privateKeyOpenssh, hostKey.publicKeyOpenssh],
            (privateKey, publicKey) =>
              userData({
                name,
                hostKey: { privateKey, publicKey },
                operatorKey: this.#operatorKey,
                machines: known,
              }),
          ),
          sourceDestCheck: !routed || role === "loadBalancer",
        },
        settings,
        {
          ...this.#named,
          opts: {
            ...opts,
            dependsOn: [
              ...records.get(name)!,
              ...remembered.records,
              ...network.ready,
              ...groups.rules.get(role)!,
              keyPair,
            ],
          },
        },
      );
      const { ready, ...reached } = this.#reached(name, instance, hostKey, known);
      return {
        name,
        address,
        ...reached,
        // The API servers are asked through the load balancer, which takes minutes to come.
        ready: role === "controller" ? [...ready, ...balanced] : ready,
        sudo: false,
        id: instance.id,
        resource: instance,
        traits: virtualMachine,
      };
    });
    this.registerOutputs({});
    return new Map(machines.map((machine) => [machine.name, machine]));
  }

  /** A security group for each role, and for the load balancer that is no machine. */
  #groups({ vpc }: Network, services: ServicesByMachine): SecurityGroups {
    const { aws, network, podCidr } = this.#settings;
    const all = machinesOf(this.#settings);
    const roles = [...new Set(all.map(({ role }) => role))];
    // Machines of a role have the same services.
    const listeners = new Map<Role, Listeners>(
      roles.map((role) => [role, services.get(all.find((one) => one.role === role)!.name)!]),
    );
    const reach = new Map<Role, Reach>(roles.map((role) => [role, "everywhere"]));
    if (aws.networkLoadBalancer) {
      listeners.set("loadBalancer", [{ name: "API", clients: { 6443: apiClients } }]);
      reach.set("loadBalancer", { role: "controller", port: 6443 });
    }
    const routedPods = networks[network].routed ? podCidr : undefined;
    const rules = rulesFor(listeners, { roles, routedPods, outside: aws });
    return makeSecurityGroups(vpc.id, reach, rules, this.#named);
  }

  /** How the operator reaches a machine, and from when on. */
  #reached(
    name: string,
    instance: Instance,
    hostKey: tls.PrivateKey,
    machines: readonly MachineFacts[],
  ): Pick<Machine, "connection" | "ready" | "ssh" | "secrets"> {
    const jumpBox = this.#jumpBox;
    const target = <Text>(host: Text, hostKey: Text): SshTarget<Text> => ({
      host,
      port: 22,
      user: "root",
      ...keyFor(this.#settings.aws, os.homedir()),
      hostKey,
    });
    const ssh = derive([instance.publicIp, hostKey.publicKeyOpenssh], (host, key) =>
      sshCommandLine(target(host, key.trim()), jumpBox),
    );
    const passphrases = passphrasesOf(target("", ""), jumpBox);
    const connection = {
      ...sshConnection(target(instance.publicIp, hostKey.publicKeyOpenssh), jumpBox),
      dialErrorLimit: 60 * this.#settings.timeoutFactor,
      perDialTimeout: 5,
    };
    const booted = afterFirstBoot(
      {
        name,
        connection,
        boot: pulumi.interpolate`machine ${instance.id}`,
        resource: instance,
        machines,
        jump: jumpBox && { ssh, passphrases },
        timeoutFactor: this.#settings.timeoutFactor,
      },
      { parent: this },
    );
    return { connection, ready: [booted], ssh, secrets: secretsFor(passphrases) };
  }
}

/** The host through which all machines are reached; it takes the operator's key unless it has one of its own. */
function jumpBoxOf({ aws }: AwsSettings): SshTarget | undefined {
  const common = { ...aws, user: "root", port: 22 };
  return aws.jumpBox && sshTarget(aws.jumpBox.host, aws.jumpBox, common, os.homedir());
}
