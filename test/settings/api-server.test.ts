import assert from "node:assert/strict";
import { stringify } from "yaml";
import { clusterFacts } from "../../settings/facts.ts";
import { warnings } from "../../settings/warnings.ts";
import { authority } from "../support/authority.ts";
import { changed, itRefuses, mistakes, read, settings } from "../support/settings.ts";

/** A change of an object at a place in it, undefined to take a field out. */
function but(object: object, place: string, value: unknown): Record<string, unknown> {
  const copy = structuredClone(object) as Record<string, unknown>;
  const steps = place.match(/[^.[\]]+/g)!;
  const last = steps.pop()!;
  const group = steps.reduce<Record<string, unknown>>(
    (group, step) => group[step] as Record<string, unknown>,
    copy,
  );
  if (value === undefined) delete group[last];
  else group[last] = value;
  return copy;
}

/** Settings that read files of a map beside those of the project. */
const withFiles = (files: Readonly<Record<string, string>>) => ({
  read: (path: string) => files[path] ?? read(path),
});

describe("names in the certificates of the API servers:", () => {
  it("names and addresses are accepted", () =>
    assert.deepEqual(
      mistakes(
        changed({
          "apiServer.certificateNames": ["api.example.com", "*.k8s.example.com", "192.0.2.10"],
        }),
      ),
      [],
    ));
  const todo = "write it like api.example.com or 192.0.2.10";
  itRefuses([
    [
      { "apiServer.certificateNames": ["https://api.example.com", "a.*.example.com", ""] },
      `apiServer.certificateNames[0]: neither a DNS name nor an IPv4 address, got https://api.example.com; ${todo}`,
      `apiServer.certificateNames[1]: neither a DNS name nor an IPv4 address, got a.*.example.com; ${todo}`,
      `apiServer.certificateNames[2]: neither a DNS name nor an IPv4 address, got ""; ${todo}`,
    ],
    [
      { "apiServer.certificateNames": "api.example.com" },
      "apiServer.certificateNames: not a list, got api.example.com; write its items below it, a dash before each",
    ],
  ]);
});

const company = authority("Company").certificate;
/** An issuer with every field that an API server takes. */
const full = {
  issuer: {
    url: "https://login.example.com/realms/company",
    discoveryURL: "https://10.0.0.7/realms/company/.well-known/openid-configuration",
    certificateAuthority: company,
    audiences: ["kubernetes", "other"],
    audienceMatchPolicy: "MatchAny",
    egressSelectorType: "cluster",
  },
  claimValidationRules: [
    { claim: "hd", requiredValue: "example.com" },
    { expression: "claims.exp - claims.nbf <= 86400", message: "too long" },
  ],
  claimMappings: {
    username: { expression: "claims.email_verified ? claims.email : claims.sub" },
    groups: { claim: "groups", prefix: "oidc:" },
    uid: { claim: "sub" },
    extra: [{ key: "example.com/tenant", valueExpression: "claims.tenant" }],
  },
  userValidationRules: [
    { expression: "!user.username.startsWith('system:')", message: "reserved" },
  ],
};
/** The least that makes an issuer. */
const small = {
  issuer: { url: "https://login.example.com", audiences: ["kubernetes"] },
  claimMappings: { username: { claim: "sub", prefix: "oidc:" } },
};
const jwt = (...list: unknown[]) => ({ "apiServer.jwt": list });

describe("an issuer of tokens", () => {
  for (const [name, list] of [
    ["with the least", [small]],
    ["with every field", [full]],
    ["and another", [small, full]],
  ] as const)
    it(`${name} is accepted`, () => assert.deepEqual(mistakes(changed(jwt(...list))), []));

  it("may name the file of its authority, whose text is what API servers get", () => {
    const raw = changed(jwt(but(small, "issuer.certificateAuthority", "./company.pem")));
    const files = withFiles({ "./company.pem": company });
    const endpoint = { host: "10.240.0.10", port: 6443 };
    const { apiServer } = clusterFacts(settings(raw, files), {
      fromMachines: endpoint,
      fromOperator: endpoint,
    });
    assert.deepEqual(apiServer.jwt, [but(small, "issuer.certificateAuthority", company)]);
  });

  const at = "apiServer.jwt[0]";
  const https = "write it like https://login.example.com";
  const either = "neither a claim nor an expression, got nothing; write one like claim: sub";
  itRefuses([
    [
      jwt(but(small, "issuer.url", "http://login.example.com")),
      `${at}.issuer.url: not an https address, got http://login.example.com; ${https}`,
    ],
    [
      jwt(but(small, "issuer.url", undefined)),
      `${at}.issuer.url: not an https address, got nothing; ${https}`,
    ],
    [
      jwt(but(small, "issuer.url", "https://login.example.com/?tenant=1")),
      `${at}.issuer.url: more than host, port and path, got https://login.example.com/?tenant=1; leave out user, query and fragment`,
    ],
    [
      jwt(but(small, "issuer.url", "https://me:hunter2@login.example.com/")),
      `${at}.issuer.url: more than host, port and path, got [secret]; leave out user, query and fragment`,
    ],
    [
      jwt(but(small, "issuer.url", "https://kubernetes.default.svc.cluster.local")),
      `${at}.issuer.url: the issuer of service accounts' tokens, got https://kubernetes.default.svc.cluster.local; leave it out, since these tokens are taken anyway`,
    ],
    [
      {
        ...jwt(small),
        "apiServer.extraFlags.service-account-issuer": [
          "https://sa.example.com",
          "https://login.example.com",
        ],
      },
      `${at}.issuer.url: the issuer of service accounts' tokens, got https://login.example.com; leave it out, since these tokens are taken anyway`,
    ],
    [
      jwt(small, small),
      `apiServer.jwt[1].issuer.url: the same as ${at}.issuer.url, got https://login.example.com; list each once, with all audiences`,
    ],
    [
      jwt(but(small, "issuer.discoveryURL", "https://login.example.com/")),
      `${at}.issuer.discoveryURL: the same as url, got https://login.example.com/; leave it out`,
    ],
    [
      jwt(but(small, "issuer.discoveryURL", "login.internal")),
      `${at}.issuer.discoveryURL: not an https address, got login.internal; ${https}`,
    ],
    [
      jwt(but(small, "issuer.certificateAuthority", "ca.pem")),
      `${at}.issuer.certificateAuthority: neither PEM nor the path of a file, got ca.pem; write a path like /etc/ssl/company-root.pem`,
    ],
    [
      jwt(but(small, "issuer.certificateAuthority", "./nowhere.pem")),
      `${at}.issuer.certificateAuthority: not readable (no such file), got ./nowhere.pem; name a file of PEM that this computer can read`,
    ],
    [
      jwt(but(small, "issuer.certificateAuthority", "./Makefile")),
      `${at}.issuer.certificateAuthority: no certificates in PEM, got ./Makefile; give those by which the issuer is known`,
    ],
    [
      jwt(but(small, "issuer.audiences", [])),
      `${at}.issuer.audiences: no audience, got nothing; list the name by which the issuer knows this cluster, such as kubernetes`,
    ],
    [
      jwt(but(small, "issuer.audiences", ["a", "a", ""])),
      `${at}.issuer.audiences[1]: listed twice, got a; leave it out once`,
      `${at}.issuer.audiences[2]: an empty audience, got ""; leave it out`,
      `${at}.issuer.audienceMatchPolicy: needed for several audiences, got nothing; use MatchAny`,
    ],
    [
      jwt(but(small, "issuer.audienceMatchPolicy", "MatchAll")),
      `${at}.issuer.audienceMatchPolicy: not a policy for audiences, got MatchAll; use MatchAny`,
    ],
    [
      jwt(but(small, "issuer.egressSelectorType", "master")),
      `${at}.issuer.egressSelectorType: not a type of egress selectors, got master; use one of controlplane, cluster`,
    ],
    [
      jwt(but(small, "claimMappings.username", undefined)),
      `${at}.claimMappings.username: ${either}`,
    ],
    [
      jwt(but(small, "claimMappings.username.prefix", undefined)),
      `${at}.claimMappings.username.prefix: no prefix, got nothing; write one like "oidc:", or "" for none`,
    ],
    [
      jwt(but(small, "claimMappings.username.expression", "claims.sub")),
      `${at}.claimMappings.username: a claim and an expression, got sub; leave out one of them`,
    ],
    [
      jwt(but(small, "claimMappings.username", { expression: "claims.sub", prefix: "oidc:" })),
      `${at}.claimMappings.username.prefix: not taken beside expression, got oidc:; leave it out`,
    ],
    [
      jwt(but(small, "claimMappings.username", { expression: "claims.email" })),
      `${at}.claimMappings.username.expression: an address that nobody may have verified, got claims.email; use claims.email_verified too, there or in a rule of claimValidationRules`,
    ],
    [
      jwt(but(small, "claimMappings.groups", { prefix: "oidc:" })),
      `${at}.claimMappings.groups: ${either}`,
    ],
    [
      jwt(
        but(small, "claimMappings.extra", [
          { key: "Example.com/A", valueExpression: "claims.a" },
          { key: "x.k8s.io/a", valueExpression: "claims.a" },
          { key: "example.com/a" },
          { key: "example.com/a", valueExpression: "claims.a" },
        ]),
      ),
      `${at}.claimMappings.extra[0].key: not a key in small letters behind a domain, got Example.com/A; write it like example.com/tenant`,
      `${at}.claimMappings.extra[1].key: a key of Kubernetes, got x.k8s.io/a; write it like example.com/tenant`,
      `${at}.claimMappings.extra[2].valueExpression: no expression, got nothing; write one in CEL`,
      `${at}.claimMappings.extra[3].key: listed twice, got example.com/a; leave it out once`,
    ],
    [
      jwt(
        but(small, "claimValidationRules", [
          {},
          { claim: "hd", message: "no" },
          { expression: "true", requiredValue: "x" },
        ]),
      ),
      `${at}.claimValidationRules[0]: ${either}`,
      `${at}.claimValidationRules[1].message: not taken beside claim, got no; leave it out`,
      `${at}.claimValidationRules[2].requiredValue: not taken beside expression, got x; leave it out`,
    ],
    [
      jwt(but(small, "userValidationRules", [{ message: "no" }])),
      `${at}.userValidationRules[0].expression: no expression, got nothing; write one in CEL`,
    ],
    [
      jwt(but(small, "issuer.clientId", "kubernetes")),
      `${at}.issuer.clientId: not a field of Issuer in Kubernetes 1.36, got kubernetes; use one of url, discoveryURL, certificateAuthority, audiences, audienceMatchPolicy, egressSelectorType`,
    ],
    [
      jwt(but(small, "issuer.audiences", "kubernetes")),
      `${at}.issuer.audiences: not a list, got kubernetes; write its items below it, a dash before each`,
    ],
    [
      jwt("https://login.example.com"),
      `${at}: not an issuer, got https://login.example.com; write issuer and claimMappings below the dash`,
    ],
    [
      jwt(...Array.from({ length: 65 }, () => small)),
      "apiServer.jwt: too many issuers, got 65; give 64 at most",
    ],
  ]);
});

const policy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  metadata: { name: "company" },
  omitStages: ["RequestReceived"],
  omitManagedFields: true,
  rules: [
    { level: "None", nonResourceURLs: ["/healthz*", "*"] },
    { level: "RequestResponse", resources: [{ group: "apps", resources: ["deployments"] }] },
    { level: "Metadata", namespaces: ["kube-system"], omitStages: ["Panic"] },
  ],
};

describe("an audit policy", () => {
  const withPolicy = (change: object) => ({ "apiServer.auditPolicy": stringify(change) });
  it("is accepted as a text or as a file, and is what API servers get", () => {
    for (const [written, files] of [
      [stringify(policy), {}],
      ["./audit.yaml", { "./audit.yaml": `# ours\n${stringify(policy)}` }],
    ] as const)
      assert.deepEqual(
        settings(changed({ "apiServer.auditPolicy": written }), withFiles(files)).apiServer
          .auditPolicy,
        policy,
      );
  });
  const at = "apiServer.auditPolicy";
  itRefuses([
    [
      { [at]: "audit.yaml" },
      `${at}: neither YAML nor the path of a file, got audit.yaml; write a path like ./audit-policy.yaml`,
    ],
    [
      { [at]: "./nowhere.yaml" },
      `${at}: not readable (no such file), got ./nowhere.yaml; name a file that this computer can read`,
    ],
    [
      { [at]: "kind: Policy\nrules: [\n" },
      `${at}: no YAML (bad indent in line 3), got a text; mend that`,
    ],
    [
      { [at]: "- kind: Policy" },
      `${at}: no group of fields in YAML, got a text; write it, or a path like ./policy.yaml`,
    ],
    [
      withPolicy({ ...policy, apiVersion: "audit.k8s.io/v1beta1" }),
      `${at}: not a document of kind Policy, got audit.k8s.io/v1beta1 Policy; give one of apiVersion audit.k8s.io/v1 and kind Policy`,
    ],
    [withPolicy({ ...policy, rules: [] }), `${at}.rules: no rule, got nothing; list one at least`],
    [
      withPolicy(but(policy, "rules[0].levels", "None")),
      `${at}.rules[0].levels: not a field of PolicyRule in Kubernetes 1.36, got None; did you mean level?`,
    ],
    [
      withPolicy(but(policy, "rules[0].level", "All")),
      `${at}.rules[0].level: not a level, got All; use one of None, Metadata, Request, RequestResponse`,
    ],
    [
      withPolicy(but(policy, "rules[2].omitStages", ["Started"])),
      `${at}.rules[2].omitStages[0]: not a stage, got Started; use some of RequestReceived, ResponseStarted, ResponseComplete, Panic`,
    ],
    [
      withPolicy(but(policy, "rules[0].nonResourceURLs", ["healthz", "/a*/b"])),
      `${at}.rules[0].nonResourceURLs[0]: not a path of the API, got healthz; write it like /healthz or /healthz*`,
      `${at}.rules[0].nonResourceURLs[1]: not a path of the API, got /a*/b; write it like /healthz or /healthz*`,
    ],
    [
      withPolicy(but(policy, "rules[0].namespaces", ["default"])),
      `${at}.rules[0].nonResourceURLs: beside resources or namespaces, got ["/healthz*","*"]; write two rules`,
    ],
    [
      withPolicy(but(policy, "rules[1].resources", [{ group: "apps/v1", resourceNames: ["web"] }])),
      `${at}.rules[1].resources[0].group: not an API group, got apps/v1; write it like apps, without a version`,
      `${at}.rules[1].resources[0].resourceNames: names without resources, got ["web"]; list resources`,
    ],
  ]);
});

describe("a configuration of admission plugins", () => {
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: [{ name: "PodSecurity", configuration: { defaults: { enforce: "baseline" } } }],
  };
  const at = "apiServer.admissionConfiguration";
  it("is accepted", () =>
    assert.deepEqual(mistakes(changed({ [at]: stringify(configuration) })), []));
  itRefuses([
    [
      { [at]: stringify({ ...configuration, kind: "Admission" }) },
      `${at}: not a document of kind AdmissionConfiguration, got apiserver.config.k8s.io/v1 Admission; give one of apiVersion apiserver.config.k8s.io/v1 and kind AdmissionConfiguration`,
    ],
    [
      { [at]: stringify(but(configuration, "plugins[0].name", "PodSecurty")) },
      `${at}.plugins[0].name: not an admission plugin, got PodSecurty; did you mean PodSecurity?`,
    ],
    [
      {
        [at]: stringify(configuration),
        "apiServer.extraFlags.admission-control-config-file": "/etc/admission.yaml",
      },
      "apiServer.extraFlags.admission-control-config-file: beside apiServer.admissionConfiguration, got /etc/admission.yaml; leave it out",
    ],
  ]);
});

const kubeconfig = {
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "audit", cluster: { server: "https://audit.example.com" } }],
  users: [{ name: "api", user: { token: "hunter2" } }],
  contexts: [{ name: "audit", context: { cluster: "audit", user: "api" } }],
  "current-context": "audit",
};

describe("the kubeconfig of a webhook", () => {
  const at = "apiServer.webhooks.audit";
  const path = "/etc/kubernetes/webhooks/audit.conf";
  const flag = "apiServer.extraFlags.audit-webhook-config-file";
  const text = stringify(kubeconfig);

  it("is accepted where a flag names it", () =>
    assert.deepEqual(mistakes(changed({ [at]: text, [flag]: path })), []));
  it("is accepted where the configuration of admission plugins names it", () => {
    const configuration = {
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AdmissionConfiguration",
      plugins: [
        { name: "ImagePolicyWebhook", configuration: { imagePolicy: { kubeConfigFile: path } } },
      ],
    };
    const change = { [at]: text, "apiServer.admissionConfiguration": stringify(configuration) };
    assert.deepEqual(mistakes(changed(change)), []);
  });
  it("in plain text in the settings is warned of, one in a file or in a secret is not", () => {
    const warned = (written: string, isSecret: boolean) => {
      const context = { isSecret: () => isSecret, ...withFiles({ "./audit.conf": text }) };
      return warnings(settings(changed({ [at]: written, [flag]: path }), context), context);
    };
    assert.deepEqual(warned(text, false), [
      "apiServer.webhooks.audit: in plain text in the settings; encrypt it by pulumi config set --secret --path 'kthw:apiServer.webhooks.audit', or name a file",
    ]);
    assert.deepEqual(warned(text, true), []);
    assert.deepEqual(warned("./audit.conf", false), []);
  });
  it("is shown in no mistake", () => {
    for (const change of [
      { [at]: text },
      { [at]: text.replace("v1", "v2"), [flag]: path },
      { [at]: `${text}\n{`, [flag]: path },
      { [at]: { text }, [flag]: path },
      { "apiServer.webhooks": text },
      { "apiServer.webhook": { audit: text } },
      { apiServers: { webhooks: { audit: "token hunter2" } } },
      { [at]: "token hunter2", [flag]: path },
    ]) {
      const found = mistakes(changed(change));
      assert.notDeepEqual(found, []);
      assert.doesNotMatch(found.join("\n"), /hunter2|apiVersion:/);
    }
  });
  const nothing =
    "let current-context name a context whose cluster has the webhook's address as server";
  itRefuses([
    [
      { [at]: text },
      `${at}: named by no flag, got [secret]; let one such as audit-webhook-config-file of apiServer.extraFlags be ${path}, or name that in apiServer.admissionConfiguration`,
    ],
    [
      { [at]: text, [flag]: "/etc/kubernetes/webhooks/audits.conf" },
      `${at}: named by no flag, got [secret]; let one such as audit-webhook-config-file of apiServer.extraFlags be ${path}, or name that in apiServer.admissionConfiguration`,
      `${flag}: no webhook of apiServer.webhooks, got /etc/kubernetes/webhooks/audits.conf; did you mean ${path}?`,
    ],
    [{ [flag]: path }, `${flag}: no webhook of apiServer.webhooks, got ${path}; list it there`],
    [
      { [at]: "./Makefile", [flag]: path },
      `${at}: no YAML (multiline implicit key in line 1), got ./Makefile; mend that`,
    ],
    [
      { [at]: "kind: Pod", [flag]: path },
      `${at}: not a kubeconfig, got [secret]; give one of apiVersion v1 and kind Config`,
    ],
    [
      { [at]: stringify({ ...kubeconfig, "current-context": "other" }), [flag]: path },
      `${at}: a kubeconfig without the address of the webhook, got [secret]; ${nothing}`,
    ],
    [
      { "apiServer.webhooks": { Audit_1: text }, "apiServer.extraFlags": {} },
      'apiServer.webhooks["Audit_1"]: not a DNS label, got Audit_1; use up to 63 small letters, digits and inner dashes, like audit',
    ],
  ]);
});
