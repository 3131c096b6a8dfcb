import type { ClusterFacts } from "./cluster-facts.ts";

/** The proxies between machines and everything outside of the cluster. */
export interface Proxies {
  /** The proxy of http addresses. */
  readonly http?: string | undefined;
  /** The proxy of https addresses. */
  readonly https?: string | undefined;
  /** Hosts, domains and networks that are reached without a proxy, besides the cluster's own. */
  readonly noProxy: readonly string[];
}

/** Whether anything goes through a proxy. */
export function isProxied({ http, https }: Proxies): boolean {
  return http !== undefined || https !== undefined;
}

/**
 * The variables by which curl, apt and containerd find the proxies, as systemd's EnvironmentFile and the shell read them. The text
 * `random` keeps the hash of the file from giving the password of a proxy away.
 */
export function proxyVariables(
  facts: Pick<
    ClusterFacts,
    "clusterDomain" | "endpoint" | "machineCidr" | "podCidr" | "serviceCidr"
  >,
  { http, https, noProxy }: Proxies,
  random: string,
): string {
  const { fromMachines, otherAddresses = [] } = facts.endpoint;
  const direct = [
    "localhost",
    "127.0.0.1",
    facts.machineCidr,
    facts.podCidr,
    facts.serviceCidr,
    fromMachines.host,
    ...otherAddresses,
    ".svc",
    `.${facts.clusterDomain}`,
    ...noProxy,
  ];
  return [
    `# ${random}`,
    ...(http === undefined ? [] : [`http_proxy="${http}"`]),
    ...(https === undefined ? [] : [`https_proxy="${https}"`]),
    `no_proxy="${[...new Set(direct)].join(",")}"`,
    "",
  ].join("\n");
}
