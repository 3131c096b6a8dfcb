import { Instance } from "@pulumi/aws/ec2/instance.js";
import * as pulumi from "@pulumi/pulumi";
import { remembered } from "../../node/remembered.ts";
import type { AwsSettings, Named } from "./named.ts";

/** What an instance is made of. */
export interface Making {
  readonly image: string;
  readonly instanceType: string;
  readonly diskGiB: number;
}

/** What a machine was made of, which stays until its generation is raised, so that today's image or size replaces no machine by itself. */
export async function makingOf(
  machine: { readonly name: string; readonly role: keyof AwsSettings["aws"]["sizes"] },
  { aws }: AwsSettings,
  image: string,
  opts: pulumi.CustomResourceOptions,
): Promise<Making & { readonly generation: number }> {
  const { generation, ...own } = {
    generation: 1,
    ...aws.machines.find(({ name }) => name === machine.name),
  };
  const size = aws.sizes[machine.role];
  const today: Making = {
    image,
    instanceType: own.instanceType ?? size.instanceType,
    diskGiB: own.diskGiB ?? size.diskGiB,
  };
  const stash = new pulumi.Stash(
    `${machine.name}:made-${generation}`,
    { input: today },
    { ...opts, ignoreChanges: ["input"] },
  );
  const former = (await remembered(stash)) as Making | undefined;
  return { ...(former ?? today), generation };
}

/** An instance with a fixed address. */
export function makeInstance(
  machine: {
    readonly name: string;
    readonly address: string;
    readonly making: Making & { readonly generation: number };
    readonly subnetId: pulumi.Input<string>;
    readonly securityGroup: pulumi.Input<string>;
    readonly keyName: pulumi.Input<string>;
    readonly userData: pulumi.Input<string>;
    /** Whether AWS drops packets that are not from or to the address of the machine, such as those of pods. */
    readonly sourceDestCheck: boolean;
  },
  { aws }: AwsSettings,
  { name, opts }: Named,
): Instance {
  const { image, instanceType, diskGiB, generation } = machine.making;
  return new Instance(
    machine.name,
    {
      ami: image,
      instanceType,
      subnetId: machine.subnetId,
      privateIp: machine.address,
      vpcSecurityGroupIds: [machine.securityGroup],
      keyName: machine.keyName,
      userData: pulumi.secret(machine.userData),
      // The way out, since a NAT gateway costs more than the addresses; the security groups close it from outside.
      associatePublicIpAddress: true,
      sourceDestCheck: machine.sourceDestCheck,
      disableApiTermination: aws.terminationProtection,
      // Pods are one hop further away than the machine, and must not have its user data.
      metadataOptions: {
        httpEndpoint: "enabled",
        httpTokens: "required",
        httpPutResponseHopLimit: 1,
      },
      rootBlockDevice: {
        volumeType: "gp3",
        volumeSize: diskGiB,
        encrypted: true,
        tags: { ...aws.tags, Name: `${name}-${machine.name}` },
      },
      tags: { Name: `${name}-${machine.name}` },
    },
    {
      ...opts,
      // Two instances cannot have one address.
      deleteBeforeReplace: true,
      replacementTrigger: generation,
      // It acts at the first boot alone, and a change would stop and start the machine.
      ignoreChanges: ["userData"],
    },
  );
}
