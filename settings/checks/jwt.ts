import { serviceAccountIssuer } from "../../services/kube-apiserver.ts";
import { certificatesIn, isPem, pemOf } from "../authority.ts";
import type { Context } from "../context.ts";
import { isPath } from "../files.ts";
import { knownTo } from "../kubernetes.ts";
import { isDnsName } from "../label.ts";
import { place } from "../mistake.ts";
import { at, inStruct, type Path } from "./fields.ts";
import type { Subject } from "./subject.ts";

/** https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/#apiserver-config-k8s-io-v1-JWTAuthenticator */
interface JwtAuthenticator {
  readonly issuer?: Issuer;
  readonly claimValidationRules?: readonly ClaimOrExpression[];
  readonly claimMappings?: {
    readonly username?: ClaimOrExpression;
    readonly groups?: ClaimOrExpression;
    readonly uid?: ClaimOrExpression;
    readonly extra?: readonly { readonly key?: string; readonly valueExpression?: string }[];
  };
  readonly userValidationRules?: readonly { readonly expression?: string }[];
}
interface Issuer {
  readonly url?: string;
  readonly discoveryURL?: string;
  readonly certificateAuthority?: string;
  readonly audiences?: readonly string[];
  readonly audienceMatchPolicy?: string;
  readonly egressSelectorType?: string;
}
interface ClaimOrExpression {
  readonly claim?: string;
  readonly prefix?: string;
  readonly expression?: string;
  readonly message?: string;
  readonly requiredValue?: string;
}

/** An API server takes at most so many. */
const most = 64;

/** Each issuer is one that an API server takes: with a faulty one, the API server would not start. */
export function jwtAuthenticators({ draft, context }: Subject): string[] {
  const { kubernetesVersion, clusterDomain, apiServer } = draft;
  const { jwt = [], extraFlags = {} } = apiServer ?? {};
  if (kubernetesVersion === undefined || jwt.length === 0) return [];
  const root: Path = ["apiServer", "jwt"];
  if (jwt.length > most) {
    return [at(root, "too many issuers", jwt.length, `give ${most} at most`)];
  }
  const known = knownTo(kubernetesVersion);
  const ofServiceAccounts = String(
    extraFlags["service-account-issuer"] ?? serviceAccountIssuer(clusterDomain ?? ""),
  ).split(",");
  const sound: { path: Path; issuer: Issuer }[] = [];
  return jwt.flatMap((written, index) => {
    if (written === undefined) return [];
    const path = [...root, index];
    const mistakes = inStruct("JWTAuthenticator", written, path, known);
    if (mistakes.length > 0) return mistakes;
    const authenticator = written as JwtAuthenticator;
    const { issuer = {} } = authenticator;
    const earlier = [...sound];
    sound.push({ path, issuer });
    return [
      ...inIssuer(issuer, [...path, "issuer"], context),
      ...(ofServiceAccounts.includes(issuer.url ?? "")
        ? [
            at(
              [...path, "issuer", "url"],
              "the issuer of service accounts' tokens",
              issuer.url,
              "leave it out, since these tokens are taken anyway",
            ),
          ]
        : []),
      ...(["url", "discoveryURL"] as const).flatMap((field) => {
        const same = earlier.find(
          ({ issuer: other }) => other[field] !== undefined && other[field] === issuer[field],
        );
        if (same === undefined) return [];
        const wrong = `the same as ${place([...same.path, "issuer", field])}`;
        return [
          at(
            [...path, "issuer", field],
            wrong,
            issuer[field],
            "list each once, with all audiences",
          ),
        ];
      }),
      ...inClaims(authenticator, path),
    ];
  });
}

function inIssuer(issuer: Issuer, path: Path, { read }: Context): string[] {
  const { url, discoveryURL, certificateAuthority, audiences = [], audienceMatchPolicy } = issuer;
  const { egressSelectorType } = issuer;
  const bare = (text = "") => text.replace(/\/+$/, "");
  const mistakes = inAddress(url, [...path, "url"]);
  if (discoveryURL !== undefined) {
    mistakes.push(...inAddress(discoveryURL, [...path, "discoveryURL"]));
    if (bare(discoveryURL) === bare(url)) {
      const todo = "leave it out";
      mistakes.push(at([...path, "discoveryURL"], "the same as url", discoveryURL, todo));
    }
  }
  if (certificateAuthority !== undefined) {
    mistakes.push(...inAuthority(certificateAuthority, [...path, "certificateAuthority"], read));
  }
  if (audiences.length === 0) {
    const todo = "list the name by which the issuer knows this cluster, such as kubernetes";
    mistakes.push(at([...path, "audiences"], "no audience", undefined, todo));
  }
  audiences.forEach((audience, index) => {
    const where = [...path, "audiences", index];
    if (audience === "") mistakes.push(at(where, "an empty audience", audience, "leave it out"));
    else if (audiences.indexOf(audience) < index)
      mistakes.push(at(where, "listed twice", audience, "leave it out once"));
  });
  const where = [...path, "audienceMatchPolicy"];
  if (audienceMatchPolicy !== undefined && audienceMatchPolicy !== "MatchAny") {
    mistakes.push(at(where, "not a policy for audiences", audienceMatchPolicy, "use MatchAny"));
  } else if (audienceMatchPolicy === undefined && audiences.length > 1) {
    mistakes.push(at(where, "needed for several audiences", undefined, "use MatchAny"));
  }
  if (egressSelectorType !== undefined && !egressSelectors.includes(egressSelectorType)) {
    const todo = `use one of ${egressSelectors.join(", ")}`;
    const field = [...path, "egressSelectorType"];
    mistakes.push(at(field, "not a type of egress selectors", egressSelectorType, todo));
  }
  return mistakes;
}

const egressSelectors = ["controlplane", "cluster"];

function inAddress(text: string | undefined, path: Path): string[] {
  if (text === undefined || !text.startsWith("https://") || !URL.canParse(text)) {
    return [at(path, "not an https address", text, "write it like https://login.example.com")];
  }
  const { username, password } = new URL(text);
  const got = username || password ? "[secret]" : text;
  return username || password || /[?#]/.test(text)
    ? [at(path, "more than host, port and path", got, "leave out user, query and fragment")]
    : [];
}

function inAuthority(written: string, path: Path, read: Context["read"]): string[] {
  if (!isPem(written) && !isPath(written)) {
    const todo = "write a path like /etc/ssl/company-root.pem";
    return [at(path, "neither PEM nor the path of a file", written, todo)];
  }
  const pem = pemOf(written, read);
  const shown = isPem(written) ? "a text" : written;
  if ("reason" in pem) {
    const todo = "name a file of PEM that this computer can read";
    return [at(path, `not readable (${pem.reason})`, shown, todo)];
  }
  if (certificatesIn(pem.text)) return [];
  return [at(path, "no certificates in PEM", shown, "give those by which the issuer is known")];
}

function inClaims(authenticator: JwtAuthenticator, path: Path): string[] {
  const { claimMappings = {}, claimValidationRules = [], userValidationRules = [] } = authenticator;
  const { username, groups, uid, extra = [] } = claimMappings;
  const mappings = [...path, "claimMappings"];
  const keys = extra.map(({ key }) => key);
  const expressions = [
    username?.expression,
    ...extra.map(({ valueExpression }) => valueExpression),
    ...claimValidationRules.map(({ expression }) => expression),
  ];
  const verifies = expressions.some((text) => /\bemail_verified\b/.test(text ?? ""));
  return [
    ...inClaim(username ?? {}, [...mappings, "username"], { required: true, prefixed: true }),
    ...(/\bclaims\.email\b/.test(username?.expression ?? "") && !verifies
      ? [
          at(
            [...mappings, "username", "expression"],
            "an address that nobody may have verified",
            username?.expression,
            "use claims.email_verified too, there or in a rule of claimValidationRules",
          ),
        ]
      : []),
    ...(groups ? inClaim(groups, [...mappings, "groups"], { prefixed: true }) : []),
    ...(uid ? inClaim(uid, [...mappings, "uid"], {}) : []),
    ...extra.flatMap(({ key = "", valueExpression }, index) => {
      const where = [...mappings, "extra", index];
      const [domain = "", ...rest] = key.split("/");
      const isReserved = /(^|\.)(k8s|kubernetes)\.io$/.test(domain);
      const isKey = isDnsName(domain) && /^\S+$/.test(rest.join("/")) && key === key.toLowerCase();
      return [
        ...(isKey && !isReserved
          ? []
          : [
              at(
                [...where, "key"],
                isReserved ? "a key of Kubernetes" : "not a key in small letters behind a domain",
                key === "" ? undefined : key,
                "write it like example.com/tenant",
              ),
            ]),
        ...(keys.indexOf(key) < index
          ? [at([...where, "key"], "listed twice", key, "leave it out once")]
          : []),
        ...(valueExpression ? [] : [noExpression([...where, "valueExpression"])]),
      ];
    }),
    ...claimValidationRules.flatMap((rule, index) =>
      inClaim(rule, [...path, "claimValidationRules", index], { required: true }),
    ),
    ...userValidationRules.flatMap(({ expression }, index) =>
      expression ? [] : [noExpression([...path, "userValidationRules", index, "expression"])],
    ),
  ];
}

function noExpression(path: Path): string {
  return at(path, "no expression", undefined, "write one in CEL");
}

/** Either a claim or an expression in CEL. */
function inClaim(
  { claim, prefix, expression, message, requiredValue }: ClaimOrExpression,
  path: Path,
  { required, prefixed }: { readonly required?: true; readonly prefixed?: true },
): string[] {
  if (claim && expression) {
    return [at(path, "a claim and an expression", claim, "leave out one of them")];
  }
  if (claim) {
    return [
      ...(prefixed && prefix === undefined
        ? [
            at(
              [...path, "prefix"],
              "no prefix",
              undefined,
              'write one like "oidc:", or "" for none',
            ),
          ]
        : []),
      ...(message === undefined ? [] : [ofOther(path, "message", message, "claim")]),
    ];
  }
  if (expression) {
    return [
      ...(prefix === undefined ? [] : [ofOther(path, "prefix", prefix, "expression")]),
      ...(requiredValue ? [ofOther(path, "requiredValue", requiredValue, "expression")] : []),
    ];
  }
  return required || prefix !== undefined
    ? [at(path, "neither a claim nor an expression", undefined, "write one like claim: sub")]
    : [];
}

function ofOther(path: Path, field: string, value: string, beside: string): string {
  return at([...path, field], `not taken beside ${beside}`, value, "leave it out");
}
