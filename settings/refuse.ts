import * as pulumi from "@pulumi/pulumi";

/** Shows each mistake and ends the program; a thrown error would be shown after half a minute, with a stack trace. */
export async function refuse(mistakes: readonly string[]): Promise<never> {
  for (const mistake of mistakes) await pulumi.log.error(mistake);
  process.exit(32);
}
