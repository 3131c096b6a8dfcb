/** Instances, and the keys of those who log in to them. */
import type {
  _InstanceType,
  HttpTokensState,
  Instance,
  InstanceMetadataEndpointState,
  RunInstancesRequest,
  VolumeType,
} from "@aws-sdk/client-ec2";
import type { Context } from "../protocol/provider.ts";
import { flag, listOf, mapOf, object, oneOf, required, text, whole } from "../protocol/shape.ts";
import type { Properties, Value } from "../protocol/values.ts";
import { account, type Tags } from "./account.ts";
import { type Edit, kind, unlessMissing, until } from "./kind.ts";
import { ec2Tags, ownTags, specified, unpaired } from "./tags.ts";

const ec2 = () => account().ec2;

export const keyPair = kind({
  label: "EC2 Key Pair",
  inputs: { keyName: required(text), publicKey: required(text) },
  fixed: ["keyName", "publicKey"],
  unique: "keyName",
  outputs: ["keyPairId"],
  tagging: {
    set: async (name, tags) => ec2Tags.set(await keyPairId(name), tags),
    remove: async (name, keys) => ec2Tags.remove(await keyPairId(name), keys),
  },
  create: async ({ keyName, publicKey }, tags) => {
    const { KeyName } = await ec2().importKeyPair({
      KeyName: String(keyName),
      PublicKeyMaterial: Buffer.from(String(publicKey)),
      ...specified("key-pair", tags),
    });
    return KeyName!;
  },
  find: async (id) => {
    const { KeyPairs } = (await unlessMissing(ec2().describeKeyPairs({ KeyNames: [id] }))) ?? {};
    const found = KeyPairs?.[0];
    return (
      found && {
        keyName: id,
        keyPairId: found.KeyPairId ?? "",
        tagsAll: unpaired(found.Tags),
      }
    );
  },
  delete: async ({ id }) => {
    await unlessMissing(ec2().deleteKeyPair({ KeyName: id }));
  },
});

const keyPairId = async (name: string): Promise<string> =>
  (await ec2().describeKeyPairs({ KeyNames: [name] })).KeyPairs![0]!.KeyPairId!;

const section = (inputs: Properties, name: string): Properties =>
  (inputs[name] ?? {}) as Properties;
const strings = (value: Value | undefined): string[] => ((value ?? []) as Value[]).map(String);

async function instanceOf(id: string): Promise<Instance | undefined> {
  const found = await unlessMissing(ec2().describeInstances({ InstanceIds: [id] }));
  return found?.Reservations?.[0]?.Instances?.[0];
}

const reach = (id: string, state: "running" | "stopped" | "terminated", context: Context) =>
  until(
    `${id} to be ${state}`,
    async () => {
      const now = (await instanceOf(id))?.State?.Name ?? "terminated";
      if (now === "terminated" && state !== now) throw new Error(`${id} was terminated meanwhile`);
      return now === state;
    },
    context,
  );

const metadataOf = (inputs: Properties) => {
  const { httpEndpoint, httpTokens, httpPutResponseHopLimit } = section(inputs, "metadataOptions");
  return {
    HttpEndpoint: httpEndpoint as InstanceMetadataEndpointState | undefined,
    HttpTokens: httpTokens as HttpTokensState | undefined,
    HttpPutResponseHopLimit: httpPutResponseHopLimit as number | undefined,
  };
};

/** What comes into being with an instance goes with it. */
const passing = { DeleteOnTermination: true };

/** The instance's card, which alone can be asked for a public address. */
const cardOf = (inputs: Properties) => ({
  DeviceIndex: 0,
  SubnetId: String(inputs.subnetId),
  PrivateIpAddress: inputs.privateIp as string | undefined,
  AssociatePublicIpAddress: inputs.associatePublicIpAddress as boolean | undefined,
  Groups: strings(inputs.vpcSecurityGroupIds),
  ...passing,
});

/** The root device has the name that the image gives it. */
async function rootDevice(inputs: Properties): Promise<Partial<RunInstancesRequest>> {
  const { Images } = await ec2().describeImages({ ImageIds: [String(inputs.ami)] });
  const { volumeType, volumeSize, encrypted } = section(inputs, "rootBlockDevice");
  return {
    BlockDeviceMappings: [
      {
        DeviceName: Images?.[0]?.RootDeviceName,
        Ebs: {
          VolumeType: volumeType as VolumeType | undefined,
          VolumeSize: volumeSize as number | undefined,
          Encrypted: encrypted as boolean | undefined,
          ...passing,
        },
      },
    ],
  };
}

const rootVolumeOf = (instance: Instance): string | undefined =>
  instance.BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === instance.RootDeviceName)
    ?.Ebs?.VolumeId;

/** The volume, but for the default tags that it was not given by name. */
async function volumeOf(instance: Instance, like: Properties): Promise<Properties> {
  const id = rootVolumeOf(instance)!;
  const found = (await ec2().describeVolumes({ VolumeIds: [id] })).Volumes![0]!;
  return {
    volumeId: id,
    volumeType: found.VolumeType!,
    volumeSize: found.Size!,
    encrypted: found.Encrypted ?? false,
    tags: ownTags(unpaired(found.Tags), like.tags),
  };
}

const setSourceDestCheck = async (id: string, { sourceDestCheck }: Properties) => {
  await ec2().modifyInstanceAttribute({
    InstanceId: id,
    SourceDestCheck: { Value: sourceDestCheck !== false },
  });
};

const setProtection = async (id: string, on: boolean) => {
  await ec2().modifyInstanceAttribute({ InstanceId: id, DisableApiTermination: { Value: on } });
};

export const instance = kind({
  label: "EC2 Instance",
  inputs: {
    ami: required(text),
    instanceType: required(text),
    subnetId: required(text),
    privateIp: text,
    vpcSecurityGroupIds: listOf(text),
    keyName: text,
    userData: text,
    associatePublicIpAddress: flag,
    sourceDestCheck: flag,
    disableApiTermination: flag,
    forceDestroy: flag,
    metadataOptions: object({
      httpEndpoint: oneOf(["enabled", "disabled"]),
      httpTokens: oneOf(["optional", "required"]),
      httpPutResponseHopLimit: whole(1, 64),
    }),
    rootBlockDevice: object({
      volumeType: text,
      volumeSize: whole(1),
      encrypted: flag,
      tags: mapOf(text),
    }),
  },
  fixed: [
    "ami",
    "subnetId",
    "privateIp",
    "keyName",
    "associatePublicIpAddress",
    "rootBlockDevice.encrypted",
  ],
  outputs: ["instanceState", "primaryNetworkInterfaceId", "privateIp", "publicIp"],
  tagging: ec2Tags,
  create: async (inputs, tags) => {
    const { userData, keyName, disableApiTermination } = inputs;
    const { Instances } = await ec2().runInstances({
      MinCount: 1,
      MaxCount: 1,
      ImageId: String(inputs.ami),
      InstanceType: String(inputs.instanceType) as _InstanceType,
      ...(keyName !== undefined && { KeyName: String(keyName) }),
      ...(userData !== undefined && { UserData: base64(userData) }),
      ...(disableApiTermination !== undefined && {
        DisableApiTermination: disableApiTermination === true,
      }),
      ...(inputs.metadataOptions !== undefined && { MetadataOptions: metadataOf(inputs) }),
      ...(inputs.rootBlockDevice !== undefined && (await rootDevice(inputs))),
      NetworkInterfaces: [cardOf(inputs)],
      ...specified("instance", tags),
    });
    return Instances![0]!.InstanceId!;
  },
  complete: async (id, inputs, _, context) => {
    await reach(id, "running", context);
    // A server such as moto's lets go of it when the instance is made.
    if (inputs.disableApiTermination === true) await setProtection(id, true);
    if (inputs.sourceDestCheck === false) await setSourceDestCheck(id, inputs);
    await tagVolume(id, inputs);
  },
  find: async (id, properties) => {
    const found = await instanceOf(id);
    const state = found?.State?.Name ?? "terminated";
    if (found === undefined || state === "terminated" || state === "shutting-down")
      return undefined;
    const attribute = (Attribute: "disableApiTermination" | "userData") =>
      ec2().describeInstanceAttribute({ InstanceId: id, Attribute });
    const { DisableApiTermination } = await attribute("disableApiTermination");
    const { UserData } = properties.userData === undefined ? {} : await attribute("userData");
    const primary = found.NetworkInterfaces?.find(
      ({ Attachment }) => Attachment?.DeviceIndex === 0,
    );
    const root = properties.rootBlockDevice as Properties | undefined;
    const { HttpEndpoint, HttpTokens, HttpPutResponseHopLimit } = found.MetadataOptions ?? {};
    return {
      ami: found.ImageId!,
      instanceType: found.InstanceType!,
      instanceState: state,
      subnetId: found.SubnetId!,
      privateIp: found.PrivateIpAddress!,
      publicIp: found.PublicIpAddress ?? "",
      primaryNetworkInterfaceId: primary?.NetworkInterfaceId ?? "",
      vpcSecurityGroupIds: (primary?.Groups ?? []).map(({ GroupId }) => GroupId!),
      sourceDestCheck: found.SourceDestCheck ?? true,
      disableApiTermination: DisableApiTermination?.Value ?? false,
      ...(found.KeyName !== undefined && { keyName: found.KeyName }),
      ...(UserData?.Value !== undefined && {
        userData: Buffer.from(UserData.Value, "base64").toString(),
      }),
      ...(HttpTokens !== undefined && {
        metadataOptions: {
          httpEndpoint: HttpEndpoint!,
          httpTokens: HttpTokens,
          httpPutResponseHopLimit: HttpPutResponseHopLimit!,
        },
      }),
      ...(root !== undefined && { rootBlockDevice: await volumeOf(found, root) }),
      tagsAll: unpaired(found.Tags),
    };
  },
  update: async (edit, context) => {
    const { id, inputs, has } = edit;
    if (has("instanceType", "userData")) await changeStopped(edit, context);
    if (has("vpcSecurityGroupIds"))
      await ec2().modifyNetworkInterfaceAttribute({
        NetworkInterfaceId: String(edit.state.properties.primaryNetworkInterfaceId),
        Groups: strings(inputs.vpcSecurityGroupIds),
      });
    if (has("sourceDestCheck")) await setSourceDestCheck(id, inputs);
    if (has("disableApiTermination"))
      await setProtection(id, inputs.disableApiTermination === true);
    if (has("metadataOptions"))
      await ec2().modifyInstanceMetadataOptions({ InstanceId: id, ...metadataOf(inputs) });
    if (has("rootBlockDevice")) await changeVolume(edit, context);
  },
  delete: async ({ id, properties }, context) => {
    // Only what an earlier update has noted counts.
    if (properties.forceDestroy === true && properties.disableApiTermination === true)
      await unlessMissing(setProtection(id, false));
    await unlessMissing(ec2().terminateInstances({ InstanceIds: [id] }));
    await reach(id, "terminated", context);
  },
});

const base64 = (value: Value): string => Buffer.from(String(value)).toString("base64");

/** The size and the user data can be changed only while an instance is stopped. */
async function changeStopped({ id, inputs, has }: Edit, context: Context): Promise<void> {
  await ec2().stopInstances({ InstanceIds: [id] });
  await reach(id, "stopped", context);
  if (has("instanceType"))
    await ec2().modifyInstanceAttribute({
      InstanceId: id,
      InstanceType: { Value: String(inputs.instanceType) },
    });
  if (has("userData"))
    await ec2().modifyInstanceAttribute({
      InstanceId: id,
      UserData: { Value: Buffer.from(String(inputs.userData ?? "")) },
    });
  await ec2().startInstances({ InstanceIds: [id] });
  await reach(id, "running", context);
}

async function changeVolume({ id, inputs, state }: Edit, context: Context): Promise<void> {
  const [old, now] = [state.inputs, inputs].map((each) => section(each, "rootBlockDevice"));
  const VolumeId = rootVolumeOf((await instanceOf(id))!)!;
  const { volumeType, volumeSize } = now!;
  if (old!.volumeType !== volumeType || old!.volumeSize !== volumeSize) {
    await ec2().modifyVolume({
      VolumeId,
      VolumeType: volumeType as VolumeType | undefined,
      Size: volumeSize as number | undefined,
    });
    await until(
      `${VolumeId} to be changed`,
      async () =>
        (await ec2().describeVolumesModifications({ VolumeIds: [VolumeId] }))
          .VolumesModifications?.[0]?.ModificationState !== "modifying",
      context,
    );
  }
  const gone = Object.keys(section(old!, "tags")).filter((key) => !(key in section(now!, "tags")));
  if (gone.length > 0) await ec2Tags.remove(VolumeId, gone);
  await tagVolume(id, inputs);
}

/** The volume has the provider's default tags too. */
async function tagVolume(id: string, inputs: Properties): Promise<void> {
  const { tags } = section(inputs, "rootBlockDevice");
  const all = { ...account().defaultTags, ...(tags as Tags | undefined) };
  const volume = rootVolumeOf((await instanceOf(id))!);
  if (tags !== undefined && volume !== undefined && Object.keys(all).length > 0)
    await ec2Tags.set(volume, all);
}
