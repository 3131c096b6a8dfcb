import { Instance } from "@pulumi/aws/ec2/instance.js";
import * as pulumi from "@pulumi/pulumi";
import { Builds, type Remembered } from "../builds.ts";
import type { AwsSettings, Named } from "./named.ts";

/** What a machine is made from: as the settings were when the machine was made, whatever they are today. */
export interface Build {
  readonly image: string;
  readonly instanceType: string;
  readonly diskGiB: number;
}

/** Remembers what each machine is made from, so that another image or size replaces no machine by itself. */
export function ec2Builds({ aws, ...settings }: AwsSettings, image: string): Builds<Build> {
  return new Builds("builds", {
    settings,
    where: "aws.machines",
    own: aws.machines,
    today: ({ name, role }) => {
      const size = aws.sizes[role];
      const own = aws.machines.find((machine) => machine.name === name);
      return {
        image,
        instanceType: own?.instanceType ?? size.instanceType,
        diskGiB: own?.diskGiB ?? size.diskGiB,
      };
    },
  });
}

/** An instance with a fixed address. */
export function makeInstance(
  machine: {
    readonly name: string;
    readonly address: string;
    readonly remembered: Remembered<Build>;
    readonly subnetId: pulumi.Input<string>;
    readonly securityGroup: pulumi.Input<string>;
    readonly keyName: string;
    readonly userData: pulumi.Input<string>;
    /** Whether AWS drops packets that are not from or to the address of the machine, such as those of pods. */
    readonly sourceDestCheck: boolean;
  },
  { aws }: AwsSettings,
  { name, opts }: Named,
): Instance {
  const { build, generation } = machine.remembered;
  return new Instance(
    machine.name,
    {
      ami: build.image,
      instanceType: build.instanceType,
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
        volumeSize: build.diskGiB,
        encrypted: true,
        tags: { ...aws.tags, Name: `${name}-${machine.name}` },
      },
      tags: { Name: `${name}-${machine.name}` },
    },
    {
      ...opts,
      // Two instances cannot have one address.
      deleteBeforeReplace: true,
      // A machine is made anew when its generation is raised, and for no other reason.
      replacementTrigger: generation,
      // User data acts at the first boot alone, and a change would stop and start the machine. A machine that somebody stopped has no
      // public address, which must not replace the machine. The name of the key pair has the stack's name, which may change.
      ignoreChanges: ["userData", "associatePublicIpAddress", "keyName"],
    },
  );
}
