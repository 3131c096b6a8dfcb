import { getAmi } from "@pulumi/aws/ec2/getAmi.js";
import { getAvailabilityZones } from "@pulumi/aws/getAvailabilityZones.js";
import type * as pulumi from "@pulumi/pulumi";
import { mistakeAt } from "../../settings/mistake.ts";
import type { AwsSettings } from "./named.ts";

/** What only AWS knows of the settings. */
export interface Found {
  /** The zone of each subnet, in the order of the settings. */
  readonly zones: readonly string[];
  /** The id of the image for new machines. */
  readonly image: string;
  /** Why no machine can be made from the image, where that is so. */
  readonly mistakesOfImage: readonly string[];
}

interface Mistakes {
  readonly mistakes: readonly string[];
}

/** The owner of Debian's images: https://wiki.debian.org/Cloud/AmazonEC2Image */
const debian = "136693071363";

/** The zones of the subnets and the image of the machines, or all mistakes that AWS shows in the settings. */
export async function lookUp(
  settings: AwsSettings,
  subnets: readonly { readonly zone?: string | undefined }[],
  provider: pulumi.ProviderResource,
): Promise<Found | Mistakes> {
  const [zones, image] = await Promise.all([
    zonesOf(settings, subnets, provider),
    imageOf(settings, provider),
  ]);
  return isMistaken(zones) || isMistaken(image)
    ? {
        // Where AWS does not answer, it answers neither of the two.
        mistakes: [
          ...new Set([zones, image].flatMap((one) => (isMistaken(one) ? one.mistakes : []))),
        ],
      }
    : { ...zones, ...image };
}

/** What AWS answers, or nothing where it finds nothing, or that it does not answer. */
async function answer<T>(
  { aws: { region, profile } }: AwsSettings,
  question: Promise<T>,
): Promise<T | undefined | Mistakes> {
  try {
    return await question;
  } catch (error) {
    const said = (error as Error).message.trim().replaceAll(/\s+/g, " ");
    if (said.includes("query returned no results")) return undefined;
    const wrong = `AWS does not answer in ${region} (${said})`;
    const todo =
      "see that the credentials are valid, may describe images and zones, and are for this region";
    return { mistakes: [mistakeAt("aws.profile", wrong, profile, todo)] };
  }
}

const isMistaken = (one: object): one is Mistakes => "mistakes" in one;

async function zonesOf(
  settings: AwsSettings,
  subnets: readonly { readonly zone?: string | undefined }[],
  provider: pulumi.ProviderResource,
): Promise<Pick<Found, "zones"> | Mistakes> {
  const { aws } = settings;
  const filters = [{ name: "opt-in-status", values: ["opt-in-not-required"] }];
  const query = { state: "available", filters };
  const found = await answer(settings, getAvailabilityZones(query, { provider }));
  if (found !== undefined && isMistaken(found)) return found;
  const names = found?.names ?? [];
  const wanted = subnets.map(({ zone }) => zone);
  const unknown = wanted.flatMap((zone, index) => {
    if (zone === undefined || names.includes(zone)) return [];
    const todo = `use one of ${names.join(", ")}`;
    return [mistakeAt(`aws.subnets[${index}].zone`, `no zone of ${aws.region}`, zone, todo)];
  });
  if (unknown.length > 0) return { mistakes: unknown };
  const free = names.toSorted().filter((name) => !wanted.includes(name));
  const lacking = wanted.filter((zone) => zone === undefined).length - free.length;
  if (lacking > 0) {
    const wrong = `more subnets than ${aws.region} has zones, ${names.join(", ")}`;
    const todo = "list fewer, or write the zones of those that share one";
    return { mistakes: [mistakeAt("aws.subnets", wrong, subnets.length, todo)] };
  }
  return { zones: wanted.map((zone) => zone ?? free.shift()!) };
}

async function imageOf(
  settings: AwsSettings,
  provider: pulumi.ProviderResource,
): Promise<Omit<Found, "zones"> | Mistakes> {
  const {
    aws: { image, region },
    architecture,
  } = settings;
  const query =
    image === undefined
      ? {
          owners: [debian],
          filters: [{ name: "name", values: [`debian-12-${architecture}-*`] }],
          mostRecent: true,
        }
      : { filters: [{ name: "image-id", values: [image] }], includeDeprecated: true };
  const found = await answer(settings, getAmi(query, { provider }));
  if (found === undefined) {
    const todo = "write the id of an image of Debian in this region";
    const mistakes = [mistakeAt("aws.image", `not found in ${region}`, image, todo)];
    return image === undefined ? { mistakes } : { image, mistakesOfImage: mistakes };
  }
  if (isMistaken(found)) return found;
  const own = found.architecture === "x86_64" ? "amd64" : found.architecture;
  if (own === architecture) return { image: found.id, mistakesOfImage: [] };
  const todo = "choose another image, or set architecture";
  return { mistakes: [mistakeAt("aws.image", `an image of ${own}`, image ?? found.id, todo)] };
}
