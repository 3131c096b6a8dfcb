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
}

/** The owner of Debian's images: https://wiki.debian.org/Cloud/AmazonEC2Image */
const debian = "136693071363";

/** The zones of the subnets and the image of the machines, or all mistakes that AWS shows in the settings. */
export async function lookUp(
  settings: AwsSettings,
  subnets: readonly { readonly zone?: string | undefined }[],
  provider: pulumi.ProviderResource,
): Promise<Found | { readonly mistakes: readonly string[] }> {
  const [zones, image] = await Promise.all([
    zonesOf(settings, subnets, provider),
    imageOf(settings, provider),
  ]);
  return "mistakes" in zones || "mistakes" in image
    ? { mistakes: [zones, image].flatMap((one) => ("mistakes" in one ? one.mistakes : [])) }
    : { ...zones, ...image };
}

async function zonesOf(
  { aws }: AwsSettings,
  subnets: readonly { readonly zone?: string | undefined }[],
  provider: pulumi.ProviderResource,
): Promise<Pick<Found, "zones"> | { readonly mistakes: string[] }> {
  const filters = [{ name: "opt-in-status", values: ["opt-in-not-required"] }];
  const { names } = await getAvailabilityZones({ state: "available", filters }, { provider });
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
  { aws: { image, region }, architecture }: AwsSettings,
  provider: pulumi.ProviderResource,
): Promise<Pick<Found, "image"> | { readonly mistakes: string[] }> {
  const query =
    image === undefined
      ? {
          owners: [debian],
          filters: [{ name: "name", values: [`debian-12-${architecture}-*`] }],
          mostRecent: true,
        }
      : { filters: [{ name: "image-id", values: [image] }] };
  let found: Awaited<ReturnType<typeof getAmi>>;
  try {
    found = await getAmi(query, { provider });
  } catch (error) {
    const wrong = `not found in ${region} (${(error as Error).message.trim()})`;
    const todo = "write the id of an image of Debian in this region";
    return { mistakes: [mistakeAt("aws.image", wrong, image, todo)] };
  }
  const own = found.architecture === "x86_64" ? "amd64" : found.architecture;
  if (own === architecture) return { image: found.id };
  const todo = "choose another image, or set architecture";
  return { mistakes: [mistakeAt("aws.image", `an image of ${own}`, image ?? found.id, todo)] };
}
