import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import { derive } from "../node/derive.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import { isProxied, type Proxies, proxyVariables } from "../services/proxy.ts";
import { type Registry, registryFiles } from "../services/registries.ts";
import type { Texts } from "./placement.ts";

/** How machines reach what is outside of the cluster. */
export interface Egress {
  /** The variables of the proxies, a secret; undefined without a proxy. */
  readonly proxy: pulumi.Output<string> | undefined;
  /** The texts among containerd's credentials. */
  readonly texts: Texts;
}

/** Makes the texts by which machines reach what is outside of the cluster. */
export function egress(
  facts: ClusterFacts,
  settings: { readonly proxy: Proxies; readonly registries: readonly Registry[] },
): Egress {
  const proxy = isProxied(settings.proxy)
    ? derive([new RandomPassword("proxy", { length: 32, special: false }).result], (random) =>
        proxyVariables(facts, settings.proxy, random),
      )
    : undefined;
  const files = settings.registries.flatMap(registryFiles);
  return {
    proxy,
    texts: {
      ...(proxy && { proxy }),
      ...Object.fromEntries(files.map(({ path, text }) => [path, pulumi.secret(text)])),
    },
  };
}
