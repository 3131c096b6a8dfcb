import {
  type Authority,
  admin,
  apiNamesWithinCluster,
  apiserver,
  apiserverEtcdClient,
  apiserverKubeletClient,
  type CertificateRequest,
  frontProxyClient,
} from "../components/pki.ts";
import { apiClients } from "./api-load-balancer.ts";
import type { ApiServerFacts, ClusterFacts, MachineFacts } from "./cluster-facts.ts";
import { encryptionPath, encryptionScript } from "./encryption-keys.ts";
import { etcdClientUrl } from "./etcd.ts";
import { itemsOf, laidOver, leaveOut, type Reserved, serving } from "./extra-flags.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { type Credential, pki, type Service } from "./service.ts";
import { commandLine, type Flags, startTimeout, unit } from "./systemd.ts";
import { cipherSuites } from "./tls.ts";
import { yaml } from "./yaml.ts";

/** The path of the audit policy: the events that the API server writes to its audit log. */
const auditPolicyPath = "/etc/kubernetes/audit-policy.yaml";
/** The path of the configuration of admission plugins. */
const admissionPath = "/etc/kubernetes/admission.yaml";
/** The folder of the webhooks' kubeconfigs. */
const webhooksFolder = "/etc/kubernetes/webhooks";

const iptables = "/usr/sbin/iptables --wait";
const refusal = "INPUT ! -i lo -p tcp --dport 6443 --syn -j REJECT --reject-with tcp-reset";

/** The path of a webhook's kubeconfig on every controller. */
export function webhookPath(name: string): string {
  return `${webhooksFolder}/${name}.conf`;
}

/** Flags of the API server that the program decides. */
export const reservedApiServerFlags: Reserved = {
  ...serving,
  ...leaveOut(
    "advertise-address",
    "anonymous-auth",
    "audit-log-path",
    "client-ca-file",
    "encryption-provider-config",
    "encryption-provider-config-automatic-reload",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "endpoint-reconciler-type",
    "etcd-prefix",
    "etcd-servers",
    "etcd-servers-overrides",
    "kubelet-certificate-authority",
    "kubelet-client-certificate",
    "kubelet-client-key",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "requestheader-client-ca-file",
    "service-account-key-file",
    "service-account-signing-endpoint",
    "service-account-signing-key-file",
  ),
  "admission-control": "use enable-admission-plugins instead",
  "audit-policy-file": "set apiServer.auditPolicy instead",
  "authentication-config": "write issuers below apiServer.jwt instead",
  "authorization-config":
    "use authorization-mode, and authorization-webhook-config-file for a webhook, instead",
  "oidc-ca-file": inJwt("issuer.certificateAuthority"),
  "oidc-client-id": inJwt("issuer.audiences"),
  "oidc-groups-claim": inJwt("claimMappings.groups.claim"),
  "oidc-groups-prefix": inJwt("claimMappings.groups.prefix"),
  "oidc-issuer-url": inJwt("issuer.url"),
  "oidc-required-claim": inJwt("claimValidationRules"),
  "oidc-signing-algs": "leave it out, since apiServer.jwt takes every algorithm with a public key",
  "oidc-username-claim": inJwt("claimMappings.username.claim"),
  "oidc-username-prefix": inJwt("claimMappings.username.prefix"),
  "token-auth-file": "use tokens of service accounts or client certificates instead",
  "service-cluster-ip-range": "set serviceCidr instead",
};

/** The name of the webhook whose kubeconfig has the path; undefined for any other path. */
export function webhookAt(path: string): string | undefined {
  return path.startsWith(`${webhooksFolder}/`)
    ? path.slice(webhooksFolder.length + 1).replace(/\.conf$/, "")
    : undefined;
}

function inJwt(field: string): string {
  return `set apiServer.jwt[].${field} instead`;
}

/** Who issues the tokens of service accounts, by default. */
export function serviceAccountIssuer(clusterDomain: string): string {
  return `https://kubernetes.default.svc.${clusterDomain}`;
}

/** The API server of one controller. */
export function kubeApiserver(facts: ClusterFacts, controller: MachineFacts): Service {
  const trust = `${pki}/${facts.trustFile}`;
  const authenticationPath = authenticationPathOf(facts);
  const { auditPolicy, admissionConfiguration } = facts.apiServer;
  const ours: Flags = {
    "advertise-address": controller.address,
    "bind-address": "0.0.0.0",
    "secure-port": 6443,
    "allow-privileged": true,
    "authentication-config": authenticationPath,
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": enabledPlugins(facts),
    ...(admissionConfiguration && { "admission-control-config-file": admissionPath }),
    "enable-bootstrap-token-auth": true,
    "client-ca-file": `${pki}/ca.crt`,
    "tls-cert-file": `${pki}/apiserver.crt`,
    "tls-private-key-file": `${pki}/apiserver.key`,
    "tls-min-version": "VersionTLS12",
    "tls-cipher-suites": cipherSuites.join(","),
    "kubelet-certificate-authority": trust,
    "kubelet-client-certificate": `${pki}/apiserver-kubelet-client.crt`,
    "kubelet-client-key": `${pki}/apiserver-kubelet-client.key`,
    "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
    "etcd-servers": facts.controllers.map(etcdClientUrl).join(","),
    "etcd-cafile": `${pki}/etcd/ca.crt`,
    "etcd-certfile": `${pki}/apiserver-etcd-client.crt`,
    "etcd-keyfile": `${pki}/apiserver-etcd-client.key`,
    "service-cluster-ip-range": facts.serviceCidr,
    "service-node-port-range": "30000-32767",
    "service-account-issuer": serviceAccountIssuer(facts.clusterDomain),
    "service-account-key-file": `${pki}/sa.pub`,
    "service-account-signing-key-file": `${pki}/sa.key`,
    "service-account-extend-token-expiration": false,
    "requestheader-client-ca-file": `${pki}/front-proxy-ca.crt`,
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "proxy-client-cert-file": `${pki}/front-proxy-client.crt`,
    "proxy-client-key-file": `${pki}/front-proxy-client.key`,
    "encryption-provider-config": encryptionPath,
    "encryption-provider-config-automatic-reload": true,
    "audit-log-path": "/var/log/kubernetes/audit.log",
    "audit-log-maxage": 30,
    "audit-log-maxbackup": 10,
    "audit-log-maxsize": 100,
    "audit-policy-file": auditPolicyPath,
    profiling: false,
    // Once told to stop, it leaves the Service `kubernetes` at once, and goes on serving meanwhile.
    "shutdown-delay-duration": "2s",
  };
  const flags = laidOver(ours, facts.apiServerFlags);
  return {
    name: "kube-apiserver",
    // The operator lists and makes join tokens with kubeadm on a controller.
    binaries: ["kube-apiserver", ...(facts.publishesClusterInfo ? (["kubeadm"] as const) : [])],
    commands: facts.publishesClusterInfo ? ["kubeadm"] : [],
    packages: ["iptables"],
    directories: [{ path: "/var/log/kubernetes", mode: "0700", owner: "root:root" }],
    data: ["/var/log/kubernetes"],
    unit: "kube-apiserver.service",
    credentials: credentials(facts, controller),
    ports: [6443],
    // Pods reach the API servers through the API's own service, past the load balancer.
    clients: {
      6443: isEndpoint(facts) ? apiClients : ["loadBalancer", "controller", "worker"],
    },
    health: [
      `curl --fail --silent --max-time 5 --cacert ${pki}/ca.crt https://127.0.0.1:6443/readyz`,
      ...(hasIssuers(facts) ? [authenticationLoaded(authenticationPath)] : []),
    ].join(" && "),
    timeoutSeconds: 120,
    files: [
      {
        path: "/etc/systemd/system/kube-apiserver.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Kubernetes API server",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/",
            After: "network-online.target etcd.service",
          },
          Service: {
            Type: "notify",
            ExecStart: commandLine(`${facts.folders.kubernetes}/kube-apiserver`, flags),
            Restart: "always",
            RestartSec: "2",
            // Pods learn that it is leaving. Then new connections are turned away, so that the load balancer takes another server, while
            // requests end. A second SIGTERM would end it at once.
            ExecStop: [
              "-/bin/kill -TERM $MAINPID",
              "/bin/sleep 1",
              `${iptables} -I ${refusal}`,
              "/bin/sleep 1",
            ],
            ExecStopPost: `-${iptables} -D ${refusal}`,
            KillSignal: "SIGCONT",
            ...startTimeout(facts),
            // Open watches would hold it for a minute.
            TimeoutStopSec: "5",
            LimitNOFILE: "65536",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: auditPolicyPath,
        mode: "0600",
        text: auditPolicy ? yaml(auditPolicy) : ownAuditPolicy(),
      },
      {
        path: authenticationPath,
        mode: "0600",
        text: authenticationConfiguration(facts),
        ...(hasIssuers(facts) && { live: true }),
      },
      ...(admissionConfiguration
        ? [{ path: admissionPath, mode: "0600", text: yaml(admissionConfiguration) }]
        : []),
      encryptionScript,
      {
        path: "/etc/kubernetes/admin.conf",
        text: kubeconfigWithFiles(
          { cluster: facts.clusterName, server: "https://127.0.0.1:6443", user: admin.commonName },
          { ca: trust, cert: `${pki}/admin.crt`, key: `${pki}/admin.key` },
        ),
        mode: "0600",
        live: true,
      },
    ],
  };
}

/** The API server refuses to start with a plugin that is both enabled and disabled. */
function enabledPlugins({ apiServerFlags }: ClusterFacts): string {
  const disabled = itemsOf(apiServerFlags["disable-admission-plugins"] ?? "");
  return ["NodeRestriction", "DenyServiceExternalIPs"]
    .filter((plugin) => !disabled.includes(plugin))
    .join(",");
}

/**
 * The certificates and keys of an API server, and the certificates by which it verifies others. An API server reads all of them anew but
 * etcd's authority and the keys of service accounts.
 */
function credentials(facts: ClusterFacts, controller: MachineFacts): Credential[] {
  const certificate = (name: string, request: CertificateRequest): Credential => ({
    path: `${pki}/${name}`,
    origin: { kind: "certificate", request },
    live: true,
  });
  const trust = (path: string, authority: Authority): Credential => ({
    path: `${pki}/${path}`,
    origin: { kind: "trust", authority },
    live: true,
  });
  return [
    {
      path: `${pki}/ca.crt`,
      origin: { kind: "authority", authority: "kubernetes-ca" },
      live: true,
    },
    trust(facts.trustFile, "kubernetes-ca"),
    certificate("apiserver", apiserver(controller, subjectNames(facts))),
    certificate("apiserver-kubelet-client", apiserverKubeletClient),
    certificate("apiserver-etcd-client", apiserverEtcdClient),
    { ...trust("etcd/ca.crt", "etcd-ca"), live: false, elsewhere: true },
    trust("front-proxy-ca.crt", "kubernetes-front-proxy-ca"),
    certificate("front-proxy-client", frontProxyClient),
    { path: `${pki}/sa.pub`, origin: { kind: "serviceAccountKey", half: "public" } },
    { path: `${pki}/sa.key`, origin: { kind: "serviceAccountKey", half: "private" } },
    { path: encryptionPath, origin: { kind: "text", name: "encryption" }, live: true },
    ...facts.apiServer.webhooks.map((name) => ({
      path: webhookPath(name),
      origin: { kind: "text", name: webhookText(name) } as const,
    })),
    // For the operator's kubeconfig on every controller.
    certificate("admin", admin),
  ];
}

/** The name of the text of a webhook's kubeconfig. */
export function webhookText(name: string): string {
  return `webhook-${name}`;
}

/** Whether all clients reach the API at a controller, since nothing balances it. */
function isEndpoint({ controllers, endpoint }: ClusterFacts): boolean {
  return controllers.some(({ address }) => address === endpoint.fromMachines.host);
}

/** All names and addresses at which clients reach an API server. */
function subjectNames({ clusterDomain, serviceAddress, endpoint, ...facts }: ClusterFacts) {
  const within = apiNamesWithinCluster(clusterDomain, serviceAddress);
  const machines = [...facts.controllers, ...facts.loadBalancers];
  const hosts = [
    endpoint.fromMachines.host,
    ...(endpoint.otherAddresses ?? []),
    endpoint.fromOperator.host,
    ...facts.apiServer.certificateNames,
  ];
  const isAddress = (host: string) => /^[\d.]+$/.test(host);
  return {
    dnsNames: [
      ...within.dnsNames,
      ...machines.map(({ name }) => name),
      ...hosts.filter((host) => !isAddress(host)),
    ],
    ipAddresses: [
      ...within.ipAddresses,
      ...machines.map(({ address }) => address),
      ...hosts.filter(isAddress),
    ],
  };
}

function hasIssuers({ apiServer }: { readonly apiServer: ApiServerFacts }): boolean {
  return apiServer.jwt.length > 0;
}

/**
 * The path of the configuration of authentication. An API server reads a changed file at once, but not with other rules for requests
 * without credentials: these have a path of their own, so that the API server restarts.
 */
function authenticationPathOf(facts: ClusterFacts): string {
  const others = hasIssuers(facts) && facts.publishesClusterInfo ? "-with-cluster-info" : "";
  return `/etc/kubernetes/authentication${others}.yaml`;
}

/** Whether the API server has loaded the configuration of authentication as it is now: it takes none with an issuer that does not answer. */
function authenticationLoaded(path: string): string {
  const ask = `curl --fail --silent --max-time 5 --cacert ${pki}/ca.crt --cert ${pki}/admin.crt --key ${pki}/admin.key https://127.0.0.1:6443/metrics`;
  const loaded = "^apiserver_authentication_config_controller_last_config_info{";
  return `${ask} | grep '${loaded}' | grep --fixed-strings --quiet "sha256:$(sha256sum <${path} | cut -d' ' -f1)"`;
}

/** AuthenticationConfiguration: whose tokens are taken. Requests without credentials may only read health and, if published, cluster-info. */
function authenticationConfiguration(
  args: Pick<ClusterFacts, "apiServer" | "publishesClusterInfo">,
): string {
  const paths = ["/livez", "/readyz", "/healthz"];
  if (args.publishesClusterInfo)
    paths.push("/api/v1/namespaces/kube-public/configmaps/cluster-info");
  return yaml({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    ...(hasIssuers(args) && { jwt: args.apiServer.jwt }),
    anonymous: {
      enabled: true,
      conditions: paths.map((path) => ({ path })),
    },
  });
}

/**
 * The program's own audit policy: metadata of requests, without the routine requests of the cluster's own components. Whoever reads what may hold
 * secrets, or enters a Pod or Node, is written down all the same.
 */
function ownAuditPolicy(): string {
  return yaml({
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [
      { level: "None", nonResourceURLs: ["/livez*", "/readyz*", "/healthz*", "/version"] },
      {
        level: "Metadata",
        resources: [
          {
            group: "",
            resources: [
              "configmaps",
              "nodes/proxy",
              "pods/attach",
              "pods/exec",
              "pods/portforward",
              "pods/proxy",
              "secrets",
              "serviceaccounts/token",
              "services/proxy",
            ],
          },
          { group: "authentication.k8s.io", resources: ["tokenreviews"] },
        ],
      },
      {
        level: "None",
        verbs: ["get", "list", "watch"],
        userGroups: ["system:nodes", "system:serviceaccounts:kube-system"],
      },
      { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
      {
        level: "None",
        resources: [{ group: "", resources: ["events"] }, { group: "events.k8s.io" }],
      },
      { level: "Metadata" },
    ],
  });
}
