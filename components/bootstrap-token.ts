import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { derive } from "../node/derive.ts";

/** The group of those who come with a bootstrap token, as kubeadm calls it. */
export const bootstrappers = "system:bootstrappers:kubeadm:default-node-token";

export interface BootstrapTokenArgs {
  /** What it is for, as `kubeadm token list` shows it. */
  readonly description: string;
  /** How long it can be used, from when it is made. */
  readonly validityHours: number;
  /** Another value makes another token. */
  readonly for?: pulumi.Input<string>;
  /** The token itself, a secret. @default made of random letters */
  readonly value?: string | undefined;
}

/** A bootstrap token, by which a machine that has no certificate yet may ask the cluster for one. */
export interface BootstrapToken {
  /** Secret. */
  readonly value: pulumi.Output<string>;
  /** When it ends (ISO 8601). */
  readonly expires: pulumi.Output<string>;
  /** The gate after which the cluster knows it. */
  readonly ready: pulumi.Resource;
}

/** Makes a bootstrap token in the cluster: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/ */
export function bootstrapToken(
  name: string,
  args: BootstrapTokenArgs,
  opts: {
    readonly parent: pulumi.Resource;
    readonly provider: pulumi.ProviderResource;
  },
): BootstrapToken {
  const end = new Date(Date.now() + args.validityHours * 3_600_000);
  const random = new RandomPassword(
    name,
    {
      length: 22,
      special: false,
      upper: false,
      keepers: { expires: `${end.toISOString().slice(0, 19)}Z` },
    },
    {
      parent: opts.parent,
      // The end stays what it was when the token was made. Of a field within keepers the former value would outlast the token.
      ignoreChanges: ["keepers"],
      replacementTrigger: {
        for: args.for ?? "",
        hours: args.validityHours,
        ...(args.value !== undefined && { id: args.value.slice(0, 6) }),
      },
    },
  );
  const value =
    args.value === undefined
      ? derive([random.result], (letters) => `${letters.slice(0, 6)}.${letters.slice(6)}`)
      : pulumi.secret(args.value);
  const expires = derive([random.keepers], (keepers) => String(keepers?.expires));
  // What stands before the dot is public: it is in the name of the Secret and in what the cluster signs.
  const id = pulumi.unsecret(derive([value], (token) => token.slice(0, 6)));
  const ready = new Secret(
    name,
    {
      metadata: { name: pulumi.interpolate`bootstrap-token-${id}`, namespace: "kube-system" },
      type: "bootstrap.kubernetes.io/token",
      stringData: {
        description: args.description,
        "token-id": id,
        "token-secret": derive([value], (token) => token.slice(7)),
        expiration: expires,
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": bootstrappers,
      },
    },
    { parent: opts.parent, provider: opts.provider, deletedWith: opts.provider },
  );
  return { value, expires, ready };
}
