/** What a program asks of AWS without making anything. */
import type { Image } from "@aws-sdk/client-ec2";
import type { Question } from "../protocol/provider.ts";
import { flag, listOf, object, oneOf, required, text } from "../protocol/shape.ts";
import type { Properties, Value } from "../protocol/values.ts";
import { account } from "./account.ts";

const given = listOf(object({ name: required(text), values: required(listOf(text)) }));

const filtered = ({ filters }: Properties) =>
  filters === undefined
    ? {}
    : {
        Filters: (filters as Properties[]).map(({ name, values }) => ({
          Name: String(name),
          Values: (values as Value[]).map(String),
        })),
      };

/** The one image that has all that was asked for. */
export const getAmi: Question = {
  inputs: {
    owners: listOf(text),
    filters: given,
    mostRecent: flag,
    includeDeprecated: flag,
  },
  answer: async (inputs) => {
    const { Images = [] } = await account().ec2.describeImages({
      ...(inputs.owners !== undefined && { Owners: (inputs.owners as Value[]).map(String) }),
      ...(inputs.includeDeprecated === true && { IncludeDeprecated: true }),
      ...filtered(inputs),
    });
    const [newest, ...others] = Images.toSorted((one, other) => created(other) - created(one));
    if (newest === undefined)
      throw new Error(
        "Your query returned no results. Please change your search criteria and try again.",
      );
    if (others.length > 0 && inputs.mostRecent !== true)
      throw new Error(
        "Your query returned more than one result. Please try a more specific search criteria, or set `most_recent` attribute to true.",
      );
    return {
      id: newest.ImageId!,
      name: newest.Name ?? "",
      architecture: newest.Architecture ?? "",
    };
  },
};

const created = ({ CreationDate }: Image): number => Date.parse(CreationDate ?? "") || 0;

/** The zones of the provider's region. */
export const getAvailabilityZones: Question = {
  inputs: {
    state: oneOf(["available", "information", "impaired", "unavailable"]),
    filters: given,
  },
  answer: async (inputs) => {
    const { ec2, region } = account();
    const { AvailabilityZones = [] } = await ec2.describeAvailabilityZones(filtered(inputs));
    const zones = AvailabilityZones.filter(
      ({ State }) => inputs.state === undefined || State === inputs.state,
    ).toSorted((one, other) => one.ZoneName!.localeCompare(other.ZoneName!));
    return {
      id: region,
      names: zones.map(({ ZoneName }) => ZoneName!),
    };
  },
};
