import assert from "node:assert/strict";
import { reservedApiServerFlags } from "../../services/kube-apiserver.ts";
import { knownTo } from "../../settings/kubernetes.ts";
import { changed, mistakes } from "../support/settings.ts";

type Service = "apiServer" | "controllerManager" | "scheduler";

/** A flag that is refused, and what is said of it. */
function refuses(service: Service, flag: string, value: unknown, expected: string): void {
  const where = `${service}.extraFlags.${flag}`;
  it(`${where}: ${expected}`, () =>
    assert.deepEqual(mistakes(changed({ [`${service}.extraFlags`]: { [flag]: value } })), [
      `${where}: ${expected}`,
    ]));
}

/** Flags that are accepted together. */
function accepts(service: Service, flags: Readonly<Record<string, unknown>>): void {
  it(`${service}.extraFlags: ${JSON.stringify(flags)} is accepted`, () =>
    assert.deepEqual(mistakes(changed({ [`${service}.extraFlags`]: flags })), []));
}

describe("an extra flag that tunes is accepted", () => {
  accepts("apiServer", {
    "event-ttl": "2h30m",
    v: 2,
    "service-node-port-range": "30000+2767",
    "default-watch-cache-size": "+2147483648",
    vmodule: "a b='c' \"d\" $HOME ; z",
    "max-requests-inflight": "800",
    "goaway-chance": 0.01,
    profiling: true,
    "watch-cache": "false",
    "audit-log-maxage": 7,
    "tls-min-version": "VersionTLS13",
    "enable-admission-plugins": "AlwaysPullImages",
    "disable-admission-plugins": "DefaultStorageClass,PodSecurity",
    "authorization-mode": "Webhook",
    "authorization-webhook-config-file": "/etc/authorize.yaml",
    "feature-gates": "kube:WatchList=true,ContextualLogging=false",
    "runtime-config": "batch/v2alpha1=true,resource.k8s.io/v1beta1=false",
    "service-account-issuer": ["https://issuer.example.com", "https://former.example.com"],
    "tls-sni-cert-key": ["/etc/a.crt,/etc/a.key", "/etc/b.crt,/etc/b.key"],
    "strict-transport-security-directives": ["max-age=31536000", "includeSubDomains"],
  });
  accepts("controllerManager", {
    "node-monitor-period": "5s",
    "leader-elect": true,
    "leader-elect-lease-duration": "30s",
    controllers: "-cronjob,selinux-warning-controller",
    "concurrent-service-syncs": 3,
    "cluster-signing-duration": "720h",
  });
  accepts("scheduler", { v: "4", "leader-elect-retry-period": "3s" });
});

describe("an extra flag that the program does not know is refused", () => {
  const api = "kube-apiserver 1.36";
  refuses("apiServer", "event-tll", "2h", `not a flag of ${api}, got 2h; did you mean event-ttl?`);
  refuses(
    "apiServer",
    "insecure-port",
    0,
    `not a flag of ${api}, got 0; did you mean secure-port?`,
  );
  refuses(
    "scheduler",
    "policy-configmap-namespace",
    "x",
    "not a flag of kube-scheduler 1.36, got x; use one that kube-scheduler --help lists",
  );
  refuses(
    "controllerManager",
    "event-ttl",
    "2h",
    "not a flag of kube-controller-manager 1.36, got 2h; use one that kube-controller-manager --help lists",
  );
});

describe("an extra flag whose value is of another kind is refused", () => {
  const duration = "not a duration, got 2h 30m; write it like 10s or 2h30m";
  refuses("apiServer", "event-ttl", "2h 30m", duration);
  refuses(
    "apiServer",
    "v",
    "2 --profiling=true",
    "not a whole number, got 2 --profiling=true; write it in digits",
  );
  refuses(
    "scheduler",
    "v",
    "99999999999",
    "not a number of 32 bits, got 99999999999; use one nearer to 0",
  );
  refuses(
    "apiServer",
    "service-node-port-range",
    "30000-32767-3",
    "not a range of ports, got 30000-32767-3; write it like 30000-32767",
  );
  refuses("apiServer", "goaway-chance", "often", "not a number, got often; write it like 0.5");
  refuses("apiServer", "watch-cache", "off", "neither true nor false, got off; write one of them");
  refuses(
    "apiServer",
    "peer-advertise-ip",
    { a: 1 },
    'not a line of text, got {"a":1}; write its value in one line',
  );
  refuses(
    "apiServer",
    "event-ttl",
    ["1h", "2h"],
    'a list for a flag that is given once, got ["1h","2h"]; write one value',
  );
  refuses("apiServer", "service-account-issuer", [], "an empty list, got []; leave it out");
  refuses(
    "apiServer",
    "service-account-issuer",
    ["https://a.example.com", null],
    'not a line of text, got ["https://a.example.com",null]; write its value in one line',
  );
  refuses(
    "apiServer",
    "vmodule",
    "a\nb",
    'not a line of text, got "a\\nb"; write its value in one line',
  );
});

describe("an extra flag that takes away what the program promises is refused", () => {
  const leaveOut = "leave it out";
  for (const flag of ["enable-bootstrap-token-auth", "allow-privileged", "service-account-lookup"])
    it(`apiServer.extraFlags.${flag}: false`, () => {
      for (const value of [false, "false", "0", "F"]) {
        const [mistake, ...others] = mistakes(changed({ [`apiServer.extraFlags.${flag}`]: value }));
        assert.match(
          mistake!,
          new RegExp(`^apiServer.extraFlags.${flag}: (keeps|takes|lets) .*; ${leaveOut}$`),
        );
        assert.deepEqual(others, []);
      }
      assert.deepEqual(mistakes(changed({ [`apiServer.extraFlags.${flag}`]: true })), []);
    });
  refuses(
    "controllerManager",
    "leader-elect",
    "false",
    "lets the controller managers of all controllers act at once, got false; leave it out",
  );
  refuses(
    "scheduler",
    "leader-elect",
    false,
    "lets the schedulers of all controllers act at once, got false; leave it out",
  );
  refuses(
    "controllerManager",
    "use-service-account-credentials",
    "false",
    "takes each controller's own rights away, got false; leave it out",
  );
  const modes = "add ABAC or Webhook to Node,RBAC, or leave it out";
  refuses(
    "apiServer",
    "authorization-mode",
    "AlwaysAllow",
    `lets everybody do everything, got AlwaysAllow; ${modes}`,
  );
  refuses(
    "apiServer",
    "authorization-mode",
    "Node,RBAC,AlwaysAllow",
    `lets everybody do everything, got Node,RBAC,AlwaysAllow; ${modes}`,
  );
  refuses("apiServer", "authorization-mode", "Rbac", `Rbac is no mode to add, got Rbac; ${modes}`);
  refuses(
    "apiServer",
    "authorization-mode",
    "Webhook",
    "Webhook needs the flag authorization-webhook-config-file, got Webhook; give that too",
  );
  refuses(
    "apiServer",
    "authorization-policy-file",
    "/etc/abac",
    "used by authorization-mode ABAC only, got /etc/abac; add ABAC there",
  );
  refuses(
    "apiServer",
    "authorization-webhook-config-file",
    "/etc/x",
    "used by authorization-mode Webhook only, got /etc/x; add Webhook there",
  );
  refuses(
    "apiServer",
    "disable-admission-plugins",
    "PodSecurity,NodeRestriction",
    "without NodeRestriction, lets each node change all others, got PodSecurity,NodeRestriction; keep NodeRestriction",
  );
  refuses(
    "apiServer",
    "enable-admission-plugins",
    "AlwaysPullImage",
    "AlwaysPullImage is not an admission plugin, got AlwaysPullImage; did you mean AlwaysPullImages?",
  );
  refuses(
    "apiServer",
    "enable-admission-plugins",
    "AlwaysDeny",
    "AlwaysDeny refuses every change, got AlwaysDeny; leave that out",
  );
  refuses(
    "controllerManager",
    "controllers",
    "*,-tokencleaner",
    "the cluster needs token-cleaner-controller, got *,-tokencleaner; leave out -tokencleaner",
  );
  refuses(
    "controllerManager",
    "controllers",
    "-node-lifecycle-controller",
    "the cluster needs node-lifecycle-controller, got -node-lifecycle-controller; leave out -node-lifecycle-controller",
  );
  refuses(
    "controllerManager",
    "controllers",
    "-cronjobs",
    "cronjobs is not a controller, got -cronjobs; did you mean cronjob?",
  );
  for (const service of ["apiServer", "controllerManager", "scheduler"] as const) {
    refuses(
      service,
      "tls-min-version",
      "VersionTLS10",
      "not TLS 1.2 or newer, got VersionTLS10; use VersionTLS12 or VersionTLS13",
    );
    refuses(
      service,
      "feature-gates",
      "WatchLists=true",
      "WatchLists is not a feature gate of Kubernetes 1.36, got WatchLists=true; did you mean WatchList?",
    );
    refuses(service, "version", "true", "decided by the program, got true; leave it out");
    refuses(service, "help", "true", "decided by the program, got true; leave it out");
  }
  refuses(
    "apiServer",
    "feature-gates",
    "WatchList=true,StructuredAuthenticationConfiguration=false",
    "StructuredAuthenticationConfiguration is always true in Kubernetes 1.36, got WatchList=true,StructuredAuthenticationConfiguration=false; leave that out",
  );
  refuses(
    "apiServer",
    "feature-gates",
    "WatchList",
    "WatchList is neither true nor false, got WatchList; write WatchList=true or WatchList=false",
  );
  for (const api of ["api/all=false", "api/ga=false", "v1=false", "apps/v1=false"])
    refuses(
      "apiServer",
      "runtime-config",
      `batch/v2alpha1=true,${api}`,
      `${api} takes away what the cluster itself uses, got batch/v2alpha1=true,${api}; leave that out`,
    );

  it("a plugin that is enabled and disabled at once", () =>
    assert.deepEqual(
      mistakes(
        changed({
          "apiServer.extraFlags.enable-admission-plugins": "PodSecurity",
          "apiServer.extraFlags.disable-admission-plugins": "PodSecurity",
        }),
      ),
      [
        "apiServer.extraFlags.enable-admission-plugins: PodSecurity is also in disable-admission-plugins, got PodSecurity; leave it in one place",
      ],
    ));
});

describe("an extra flag that is in conflict with the program's own files is refused", () => {
  const oidc = [...knownTo("1.36.4").flags["kube-apiserver"].keys()].filter((flag) =>
    flag.startsWith("oidc-"),
  );
  it("of which the API server knows some", () => assert.ok(oidc.length > 5));
  for (const [flag, todo] of Object.entries({
    "oidc-ca-file": "set apiServer.jwt[].issuer.certificateAuthority instead",
    "oidc-client-id": "set apiServer.jwt[].issuer.audiences instead",
    "oidc-groups-claim": "set apiServer.jwt[].claimMappings.groups.claim instead",
    "oidc-groups-prefix": "set apiServer.jwt[].claimMappings.groups.prefix instead",
    "oidc-issuer-url": "set apiServer.jwt[].issuer.url instead",
    "oidc-required-claim": "set apiServer.jwt[].claimValidationRules instead",
    "oidc-signing-algs":
      "leave it out, since apiServer.jwt takes every algorithm with a public key",
    "oidc-username-claim": "set apiServer.jwt[].claimMappings.username.claim instead",
    "oidc-username-prefix": "set apiServer.jwt[].claimMappings.username.prefix instead",
    "authentication-config": "write issuers below apiServer.jwt instead",
    "audit-policy-file": "set apiServer.auditPolicy instead",
    "authorization-config":
      "use authorization-mode, and authorization-webhook-config-file for a webhook, instead",
  }))
    refuses("apiServer", flag, "x", `decided by the program, got x; ${todo}`);
  it("with the setting for each of those for OIDC", () =>
    assert.deepEqual(
      oidc.filter((flag) => !/apiServer\.jwt/.test(reservedApiServerFlags[flag] ?? "")),
      [],
    ));
  refuses(
    "apiServer",
    "token-auth-file",
    "/x",
    "decided by the program, got /x; use tokens of service accounts or client certificates instead",
  );
  refuses(
    "apiServer",
    "admission-control",
    "x",
    "decided by the program, got x; use enable-admission-plugins instead",
  );
  for (const flag of [
    "endpoint-reconciler-type",
    "etcd-prefix",
    "service-account-signing-endpoint",
  ])
    refuses("apiServer", flag, "x", "decided by the program, got x; leave it out");
  for (const flag of [
    "cidr-allocator-type",
    "cluster-signing-kubelet-client-cert-file",
    "leader-elect-resource-name",
  ])
    refuses("controllerManager", flag, "x", "decided by the program, got x; leave it out");
  for (const flag of ["kube-api-qps", "profiling", "write-config-to"])
    refuses("scheduler", flag, "x", "decided by the program, got x; leave it out");
});

describe("mistakes in extra flags", () => {
  it("are told all at once", () => {
    const flags = { "--v": 1, "event-tll": "2h", "etcd-servers": "x", "event-ttl": "soon" };
    const found = mistakes(changed({ "apiServer.extraFlags": flags }));
    assert.equal(found.length, 4, found.join("\n"));
  });
});
