import type * as pulumi from "@pulumi/pulumi";
import type { PlatformSettings } from "../platform.ts";
import type { awsGroup } from "./settings.ts";

/** Settings of a stack on EC2. */
export type AwsSettings = PlatformSettings<"aws", typeof awsGroup>;

/** The beginning of the names that resources have on AWS, and their options. */
export interface Named {
  readonly name: string;
  readonly opts: pulumi.CustomResourceOptions;
}

/** The beginning of the names of a stack's resources on AWS. */
export function nameOnAws(stack: string): string {
  return `kthw-${stack}`;
}
