import { X509Certificate } from "node:crypto";
import { authorityPlaces } from "./authority.ts";
import type { ClusterSettings } from "./cluster.ts";
import type { Context } from "./context.ts";

/** Warnings about settings that are valid. */
export function warnings(settings: ClusterSettings, context: Pick<Context, "isSecret">): string[] {
  return checks.flatMap((check) => check(settings, context));
}

const checks: readonly ((
  settings: ClusterSettings,
  context: Pick<Context, "isSecret">,
) => string[])[] = [
  deprecatedMode,
  plainPasswords,
  plainKubeconfigs,
  shortLivedAuthority,
  usersOfFormerAuthority,
  tokensOfFormerKey,
];

function deprecatedMode({ kubeProxy: { mode } }: ClusterSettings): string[] {
  if (mode !== "ipvs") return [];
  return [
    "kubeProxy.mode: ipvs is deprecated in Kubernetes since 1.35 and will be removed; use nftables",
  ];
}

function plainKubeconfigs({ apiServer: { webhooks } }: ClusterSettings): string[] {
  return Object.entries(webhooks)
    .filter(([, { isPlain }]) => isPlain)
    .map(
      ([name]) =>
        `apiServer.webhooks.${name}: in plain text in the settings; encrypt it by pulumi config set --secret --path 'kthw:apiServer.webhooks.${name}', or name a file`,
    );
}

/** Programs that read the authority only when they start, and guests, which keep the authority with which they joined. */
function usersOfFormerAuthority({
  joinTokens,
  certificates: { turns },
}: ClusterSettings): string[] {
  const { phase, generation } = turns.kubernetesCa;
  if (phase !== "sign") return [];
  const where = "certificates.rotation.kubernetesCa";
  const until = `before drop ${generation - 1}`;
  return [
    `${where}: programs in Pods that use the API may have read only the former authority; start Pods from before trust ${generation} again ${until}, and give users their kubeconfigs anew`,
    ...(joinTokens.length === 0
      ? []
      : [
          `${where}: guests know only the authority with which they joined; let each join anew ${until}`,
        ]),
  ];
}

/** Kubelets of guests, and those who asked for tokens themselves, keep tokens until these end. */
function tokensOfFormerKey({ certificates: { turns } }: ClusterSettings): string[] {
  const { phase, generation } = turns.serviceAccountKey;
  if (phase !== "sign") return [];
  return [
    `certificates.rotation.serviceAccountKey: tokens of the former key outside of Pods and on guests are valid until they end, an hour as a rule; wait for that before drop ${generation - 1}`,
  ];
}

function shortLivedAuthority({
  certificates: { authorities, validityHours },
}: ClusterSettings): string[] {
  return authorities.flatMap(({ certificatePem }, index) => {
    const end = new Date(new X509Certificate(certificatePem).validTo);
    if (end.getTime() >= Date.now() + validityHours * 3_600_000) return [];
    const day = end.toISOString().slice(0, 10);
    return [
      `${authorityPlaces[index]}: ends on ${day}, before what it signs today; renew it by then, with the same key and name`,
    ];
  });
}

/** Passwords of proxies and registries reach machines as secrets, but stand in the settings file as they were written. */
function plainPasswords(
  { proxy, registries }: ClusterSettings,
  { isSecret }: Pick<Context, "isSecret">,
): string[] {
  const ofProxies = [
    { where: "proxy.http", url: proxy.http },
    { where: "proxy.https", url: proxy.https },
  ].filter(({ url }) => url !== undefined && new URL(url).password !== "");
  const ofRegistries = registries
    .flatMap((registry, index) => [
      { where: `registries[${index}]`, server: registry },
      ...registry.mirrors.map((server, at) => ({
        where: `registries[${index}].mirrors[${at}]`,
        server,
      })),
    ])
    .filter(({ server }) => server.password !== undefined)
    .map(({ where }) => ({ where: `${where}.password` }));
  return [
    ...(isSecret("proxy") ? [] : ofProxies),
    ...(isSecret("registries") ? [] : ofRegistries),
  ].map(
    ({ where }) =>
      `${where}: a password in plain text in the settings; encrypt it by pulumi config set --secret --path 'kthw:${where}'`,
  );
}
