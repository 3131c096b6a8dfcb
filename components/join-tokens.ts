import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import { once } from "../node/gate.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { failingChecks, hostPort } from "../services/kubeadm.ts";
import { bootstrapToken } from "./bootstrap-token.ts";

export interface JoinTokensArgs {
  readonly tokens: readonly {
    readonly name: string;
    /** How long the token is valid, from its creation on. */
    readonly validityHours: number;
    /** The token itself, a secret. @default random letters */
    readonly token?: string | undefined;
  }[];
  readonly facts: ClusterFacts;
  readonly caCertHashes: pulumi.Input<string[]>;
  /** The traits of the machines that join. */
  readonly traits: { readonly container: boolean };
  readonly provider: pulumi.ProviderResource;
  /** The gates after which a machine can join. */
  readonly dependsOn: readonly pulumi.Resource[];
}

/** Bootstrap tokens for machines outside the settings. */
export class JoinTokens extends pulumi.ComponentResource {
  /** The command lines that join a machine, by the token's name, once a machine can join; secrets. */
  readonly commands: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: JoinTokensArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:JoinTokens", name, {}, opts);
    const ignored = failingChecks(args.traits).join(",");
    this.commands = Object.fromEntries(
      args.tokens.map((token) => {
        const { value, expires, ready } = bootstrapToken(
          `${name}:${token.name}`,
          { description: token.name, validityHours: token.validityHours, value: token.token },
          { parent: this, provider: args.provider },
        );
        const command = derive([value, args.caCertHashes, expires], (value, hashes, expires) =>
          [
            `kubeadm join ${hostPort(args.facts)} --token ${value}`,
            ...hashes.map((hash) => `--discovery-token-ca-cert-hash ${hash}`),
            ...(ignored === "" ? [] : [`--ignore-preflight-errors=${ignored}`]),
            `# until ${expires}`,
          ].join(" "),
        );
        return [token.name, once([...args.dependsOn, ready], command)];
      }),
    );
    this.registerOutputs({});
  }
}
