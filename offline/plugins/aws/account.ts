/** The account in which everything is made, reached by AWS's own SDK. */
import { EC2 } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2";
import { STS } from "@aws-sdk/client-sts";
import { flag, mapOf, object, type Rule, required, type Shape, text } from "../protocol/shape.ts";
import type { Properties } from "../protocol/values.ts";

/** Tags by their keys. */
export type Tags = Readonly<Record<string, string>>;

/** What the plugin works with once it is configured. */
export interface Account {
  readonly region: string;
  /** Tags of everything that can have some. */
  readonly defaultTags: Tags;
  readonly ec2: EC2;
  readonly elb: ElasticLoadBalancingV2;
}

let configured: Account | undefined;

/** The configured account. */
export function account(): Account {
  if (configured === undefined) throw new Error("the provider has not been configured");
  return configured;
}

/** A setting that is no text travels as JSON. */
const json =
  (rule: Rule): Rule =>
  (value, path, failures) =>
    rule(JSON.parse(String(value)), path, failures);

/** The provider's settings. */
export const settings: Shape = {
  region: required(text),
  profile: text,
  defaultTags: json(object({ tags: mapOf(text) })),
  skipCredentialsValidation: json(flag),
  skipRegionValidation: json(flag),
};

/** Errors name the operation and AWS's own code, as those of the real plugin do. */
function naming<Client extends EC2 | ElasticLoadBalancingV2 | STS>(client: Client): Client {
  (client as EC2).middlewareStack.add(
    (next, { clientName, commandName }) =>
      async (args) => {
        try {
          return await next(args);
        } catch (error) {
          if (error instanceof Error) {
            const operation = String(commandName).replace(/Command$/, "");
            const code = "$fault" in error ? `api error ${error.name}: ` : "";
            error.message = `operation error ${String(clientName).replace(/Client$/, "")}: ${operation}, ${code}${error.message}`;
          }
          throw error;
        }
      },
    { step: "initialize" },
  );
  return client;
}

/** Reaches the account. The SDK reads the same environment as the real plugin does. */
export async function configure(config: Properties): Promise<void> {
  const options = {
    region: String(config.region),
    ...(config.profile !== undefined && { profile: String(config.profile) }),
  };
  if (config.skipCredentialsValidation !== "true") await validate(naming(new STS(options)));
  const { tags = {} } = JSON.parse(String(config.defaultTags ?? "{}")) as { tags?: Tags };
  configured = {
    region: options.region,
    defaultTags: tags,
    ec2: naming(new EC2(options)),
    elb: naming(new ElasticLoadBalancingV2(options)),
  };
}

async function validate(sts: STS): Promise<void> {
  try {
    await sts.getCallerIdentity({});
  } catch (error) {
    const lacking = codeOf(error) === "CredentialsProviderError";
    const what = lacking ? "No valid credential sources found" : "Invalid credentials configured";
    throw new Error(`${what}.\nDetails: ${(error as Error).message}`);
  }
}

/** The code of an error that AWS answered with. */
export const codeOf = (error: unknown): string => (error instanceof Error ? error.name : "");
