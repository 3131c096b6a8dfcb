/** Tags of resources, as the services take them and answer with them. */
import type { ResourceType, TagSpecification } from "@aws-sdk/client-ec2";
import type { Value } from "../protocol/values.ts";
import { account, type Tags } from "./account.ts";

/** Where the tags of a kind of resource are changed. */
export interface Tagging {
  set(id: string, tags: Tags): Promise<unknown>;
  remove(id: string, keys: string[]): Promise<unknown>;
}

/** Tags as a list of pairs. */
export const pairs = (tags: Tags) => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** Tags of a list of pairs, without those that AWS itself has set. */
export const unpaired = (
  tags: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined,
): Record<string, string> =>
  Object.fromEntries(
    (tags ?? []).flatMap(({ Key = "", Value = "" }) =>
      Key.startsWith("aws:") ? [] : [[Key, Value] as const],
    ),
  );

/** Tags that are not the provider's default ones, unless somebody gave them by name. */
export const ownTags = (tags: Tags, given: Value | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tags).filter(
      ([key, value]) =>
        account().defaultTags[key] !== value || (given as Tags | undefined)?.[key] === value,
    ),
  );

/** The part of a request to EC2 that has the tags of what is made. */
export const specified = (
  type: ResourceType,
  tags: Tags,
): { TagSpecifications?: TagSpecification[] } =>
  Object.keys(tags).length === 0
    ? {}
    : { TagSpecifications: [{ ResourceType: type, Tags: pairs(tags) }] };

/** Tags of what belongs to EC2. */
export const ec2Tags: Tagging = {
  set: (id, tags) => account().ec2.createTags({ Resources: [id], Tags: pairs(tags) }),
  remove: (id, keys) =>
    account().ec2.deleteTags({ Resources: [id], Tags: keys.map((Key) => ({ Key })) }),
};

/** Tags of what belongs to load balancing. */
export const elbTags: Tagging = {
  set: (arn, tags) => account().elb.addTags({ ResourceArns: [arn], Tags: pairs(tags) }),
  remove: (arn, keys) => account().elb.removeTags({ ResourceArns: [arn], TagKeys: keys }),
};
