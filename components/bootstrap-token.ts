import { Secret } from "@pulumi/kubernetes/core/v1/secret.js";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { derive } from "../node/derive.ts";

/** The group of clients with a bootstrap token, by kubeadm's name. */
export const bootstrappers = "system:bootstrappers:kubeadm:default-node-token";

export interface BootstrapTokenArgs {
  /** The purpose of the token, for `kubeadm token list`. */
  readonly description: string;
  /** How long the token is valid, from its creation on. */
  readonly validityHours: number;
  /** A change of this value replaces the token. */
  readonly for?: pulumi.Input<string>;
  /** The token itself, a secret. @default random letters */
  readonly value?: string | undefined;
}

/** A bootstrap token, with which a machine without a certificate requests one from the cluster. */
export interface BootstrapToken {
  /** The token, a secret. */
  readonly value: pulumi.Output<string>;
  /** When the token expires (ISO 8601). */
  readonly expires: pulumi.Output<string>;
  /** The gate after which the cluster accepts the token. */
  readonly ready: pulumi.Resource;
}

/** Creates a bootstrap token in the cluster: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/ */
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
      // The token keeps its first expiry. Ignoring only the field `keepers.expires` would give a new token the expiry of the former one.
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
  // The id, which stands before the dot, is public: the name of the Secret and the signed ConfigMap cluster-info hold the id.
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
