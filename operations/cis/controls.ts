import {
  allStrong,
  apiserver,
  atLeast,
  auditFaults,
  below,
  both,
  configuration,
  etcd,
  flag,
  has,
  is,
  isNot,
  isText,
  kubelet,
  lacks,
  manager,
  modes,
  owners,
  rotatesServing,
  set,
  unit,
  unset,
} from "./checks.ts";
import type { FoundNode } from "./found.ts";

/** A control of the CIS Kubernetes Benchmark, and how this cluster meets it. */
export type Control = {
  readonly id: string;
  /** The control in a few words of our own. */
  readonly title: string;
} & (
  | {
      /** How the control is met. */
      readonly how: string;
      /** The machines that are asked; controllers are nodes, too. */
      readonly on: "controllers" | "nodes";
      /** What is not as the control wants it; nothing if it is met. */
      readonly faults: (found: FoundNode) => readonly string[];
    }
  /** Why the control is not met, or not in the way that the benchmark describes. */
  | { readonly exception: string }
  /** What only the operator can decide, and what the program does about it. */
  | { readonly manual: string }
);

const mounted = "the pods' own: pod security admission with a label on the namespace enforces it";

/** All controls of version 1.12 of the benchmark, in its order. */
export const controls: readonly Control[] = [
  ...(
    [
      ["1.1.1", "1.1.2", "kube-apiserver", "the API server"],
      ["1.1.3", "1.1.4", "kube-controller-manager", "the controller manager"],
      ["1.1.5", "1.1.6", "kube-scheduler", "the scheduler"],
      ["1.1.7", "1.1.8", "etcd", "etcd"],
    ] as const
  ).flatMap(([mode, owner, service, name]): Control[] => [
    {
      id: mode,
      title: `mode of the manifest of ${name}`,
      how: "there are no static pods of the program: the unit is 0600",
      on: "controllers",
      ...modes(0o600, unit(service)),
    },
    {
      id: owner,
      title: `owner of the manifest of ${name}`,
      how: "the unit is root's",
      on: "controllers",
      ...owners("root:root", unit(service)),
    },
  ]),
  {
    id: "1.1.9",
    title: "mode of the files of the pod network",
    how: "0600; not an empty lock of the plugin host-local, and the file that Weave Net writes",
    on: "nodes",
    ...modes(
      0o600,
      below("/etc/cni/net.d", "(?<!weave.conflist)"),
      below("/var/lib/cni/networks/[^/]*", "(?<!/lock)"),
    ),
  },
  {
    id: "1.1.10",
    title: "owner of the files of the pod network",
    how: "root's",
    on: "nodes",
    ...owners("root:root", below("/etc/cni/net.d"), below("/var/lib/cni/networks")),
  },
  {
    id: "1.1.11",
    title: "mode of etcd's data",
    how: "0700",
    on: "controllers",
    ...modes(0o700, "/var/lib/etcd"),
  },
  {
    id: "1.1.12",
    title: "owner of etcd's data",
    how: "etcd's own user",
    on: "controllers",
    ...owners("etcd:etcd", "/var/lib/etcd"),
  },
  {
    id: "1.1.13",
    title: "mode of the administrator's kubeconfig",
    how: "0600",
    on: "controllers",
    ...modes(0o600, configuration("admin.conf"), /^\/etc\/kubernetes\/super-admin\.conf$/),
  },
  {
    id: "1.1.14",
    title: "owner of the administrator's kubeconfig",
    how: "root's",
    on: "controllers",
    ...owners("root:root", configuration("admin.conf"), /^\/etc\/kubernetes\/super-admin\.conf$/),
  },
  {
    id: "1.1.15",
    title: "mode of the scheduler's kubeconfig",
    how: "0600",
    on: "controllers",
    ...modes(0o600, configuration("scheduler.conf")),
  },
  {
    id: "1.1.16",
    title: "owner of the scheduler's kubeconfig",
    how: "root's",
    on: "controllers",
    ...owners("root:root", configuration("scheduler.conf")),
  },
  {
    id: "1.1.17",
    title: "mode of the controller manager's kubeconfig",
    how: "0600",
    on: "controllers",
    ...modes(0o600, configuration("controller-manager.conf")),
  },
  {
    id: "1.1.18",
    title: "owner of the controller manager's kubeconfig",
    how: "root's",
    on: "controllers",
    ...owners("root:root", configuration("controller-manager.conf")),
  },
  {
    id: "1.1.19",
    title: "owner of certificates and keys",
    how: "root's; the keys that etcd's own user reads are that user's",
    on: "controllers",
    ...both(
      owners("root:root", /^\/etc\/kubernetes\/pki(?!\/etcd\/(peer|server)\.key$)/),
      owners(
        "etcd:etcd",
        "/etc/kubernetes/pki/etcd/peer.key",
        "/etc/kubernetes/pki/etcd/server.key",
      ),
    ),
  },
  {
    id: "1.1.20",
    title: "mode of certificates",
    how: "0644",
    on: "controllers",
    ...modes(0o644, configuration("pki/ca.crt"), below("/etc/kubernetes/pki", "\\.crt")),
  },
  {
    id: "1.1.21",
    title: "mode of keys",
    how: "0600",
    on: "controllers",
    ...modes(0o600, configuration("pki/ca.key"), below("/etc/kubernetes/pki", "\\.key")),
  },
  {
    id: "1.2.1",
    title: "no anonymous requests",
    exception:
      "anonymous requests are limited by a file instead of the flag: only to the API server's health, and to the public address and certificate of the cluster where machines join by kubeadm",
  },
  {
    id: "1.2.2",
    title: "no file of static tokens",
    how: "the flag cannot be set",
    on: "controllers",
    ...apiserver("token-auth-file", unset),
  },
  {
    id: "1.2.3",
    title: "external addresses of Services are denied",
    how: "admission plugin DenyServiceExternalIPs",
    on: "controllers",
    ...apiserver("enable-admission-plugins", has("DenyServiceExternalIPs")),
  },
  {
    id: "1.2.4",
    title: "the API server shows kubelets a certificate",
    how: "a client certificate of its own",
    on: "controllers",
    ...both(apiserver("kubelet-client-certificate", set), apiserver("kubelet-client-key", set)),
  },
  {
    id: "1.2.5",
    title: "the API server verifies kubelets",
    how: "by the cluster's authority",
    on: "controllers",
    ...apiserver("kubelet-certificate-authority", set),
  },
  {
    id: "1.2.6",
    title: "not everything is authorized",
    how: "Node and RBAC; AlwaysAllow is refused in settings",
    on: "controllers",
    ...both(
      apiserver("authorization-mode", set),
      apiserver("authorization-mode", lacks("AlwaysAllow")),
    ),
  },
  {
    id: "1.2.7",
    title: "authorization mode Node",
    how: "always on",
    on: "controllers",
    ...apiserver("authorization-mode", has("Node")),
  },
  {
    id: "1.2.8",
    title: "authorization mode RBAC",
    how: "always on",
    on: "controllers",
    ...apiserver("authorization-mode", has("RBAC")),
  },
  {
    id: "1.2.9",
    title: "admission plugin EventRateLimit",
    exception:
      "its limits depend on the workload, and one that is too low hides failures; priority and fairness limit each client",
  },
  {
    id: "1.2.10",
    title: "no admission plugin AlwaysAdmit",
    how: "it is not enabled",
    on: "controllers",
    ...apiserver("enable-admission-plugins", lacks("AlwaysAdmit")),
  },
  {
    id: "1.2.11",
    title: "admission plugin AlwaysPullImages",
    exception:
      "the cluster's own images are imported from files and have no registry; `apiServer.extraFlags` adds the plugin where all nodes reach one",
  },
  {
    id: "1.2.12",
    title: "admission plugin ServiceAccount",
    how: "on by default; settings that disable it are refused",
    on: "controllers",
    ...apiserver("disable-admission-plugins", lacks("ServiceAccount")),
  },
  {
    id: "1.2.13",
    title: "admission plugin NamespaceLifecycle",
    how: "on by default; settings that disable it are refused",
    on: "controllers",
    ...apiserver("disable-admission-plugins", lacks("NamespaceLifecycle")),
  },
  {
    id: "1.2.14",
    title: "admission plugin NodeRestriction",
    how: "always on",
    on: "controllers",
    ...apiserver("enable-admission-plugins", has("NodeRestriction")),
  },
  {
    id: "1.2.15",
    title: "no profiling of the API server",
    how: "off",
    on: "controllers",
    ...apiserver("profiling", is("false")),
  },
  {
    id: "1.2.16",
    title: "there is an audit log",
    how: "/var/log/kubernetes/audit.log",
    on: "controllers",
    ...apiserver("audit-log-path", set),
  },
  {
    id: "1.2.17",
    title: "the audit log is kept for 30 days",
    how: "30",
    on: "controllers",
    ...apiserver("audit-log-maxage", atLeast(30)),
  },
  {
    id: "1.2.18",
    title: "ten former audit logs are kept",
    how: "10",
    on: "controllers",
    ...apiserver("audit-log-maxbackup", atLeast(10)),
  },
  {
    id: "1.2.19",
    title: "an audit log has up to 100 MB",
    how: "100",
    on: "controllers",
    ...apiserver("audit-log-maxsize", atLeast(100)),
  },
  {
    id: "1.2.20",
    title: "requests end after a time",
    how: "a minute, by default",
    on: "controllers",
    ...apiserver("request-timeout", (value) => unset(value) || !/^0/.test(value!)),
  },
  {
    id: "1.2.21",
    title: "a token of a deleted service account is refused",
    how: "on by default; settings that turn it off are refused",
    on: "controllers",
    ...apiserver("service-account-lookup", isNot("false")),
  },
  {
    id: "1.2.22",
    title: "tokens are verified by a key of their own",
    how: "sa.pub",
    on: "controllers",
    ...apiserver("service-account-key-file", set),
  },
  {
    id: "1.2.23",
    title: "the API server shows etcd a certificate",
    how: "a client certificate of etcd's own authority",
    on: "controllers",
    ...both(apiserver("etcd-certfile", set), apiserver("etcd-keyfile", set)),
  },
  {
    id: "1.2.24",
    title: "the API server has a serving certificate",
    how: "one for each API server",
    on: "controllers",
    ...both(apiserver("tls-cert-file", set), apiserver("tls-private-key-file", set)),
  },
  {
    id: "1.2.25",
    title: "the API server verifies client certificates",
    how: "by the cluster's authority",
    on: "controllers",
    ...apiserver("client-ca-file", set),
  },
  {
    id: "1.2.26",
    title: "the API server verifies etcd",
    how: "by etcd's own authority",
    on: "controllers",
    ...apiserver("etcd-cafile", set),
  },
  {
    id: "1.2.27",
    title: "secrets are encrypted in etcd",
    how: "from the first one on",
    on: "controllers",
    ...apiserver("encryption-provider-config", set),
  },
  {
    id: "1.2.28",
    title: "the encryption is a strong one",
    how: "aescbc or secretbox comes first; the smoke test looks at a secret in etcd",
    on: "controllers",
    faults: ({ providers: [first] }) =>
      first !== undefined && ["aescbc", "kms", "secretbox"].includes(first)
        ? []
        : [`new secrets are written by provider ${first ?? "identity"}`],
  },
  {
    id: "1.2.29",
    title: "strong ciphers of the API server",
    how: "TLS 1.2 or newer, with forward secrecy and AEAD only",
    on: "controllers",
    ...apiserver("tls-cipher-suites", allStrong),
  },
  {
    id: "1.2.30",
    title: "tokens are not extended beyond their time",
    how: "extension is off",
    on: "controllers",
    ...apiserver("service-account-extend-token-expiration", is("false")),
  },
  {
    id: "1.3.1",
    title: "ended Pods are removed",
    how: "beyond 1000",
    on: "controllers",
    ...manager("terminated-pod-gc-threshold", atLeast(1)),
  },
  {
    id: "1.3.2",
    title: "no profiling of the controller manager",
    how: "off",
    on: "controllers",
    ...manager("profiling", is("false")),
  },
  {
    id: "1.3.3",
    title: "each controller has a service account",
    how: "always on",
    on: "controllers",
    ...manager("use-service-account-credentials", is("true")),
  },
  {
    id: "1.3.4",
    title: "tokens are signed by a key of their own",
    how: "sa.key",
    on: "controllers",
    ...manager("service-account-private-key-file", set),
  },
  {
    id: "1.3.5",
    title: "Pods are given the cluster's authority",
    how: "root-ca-file",
    on: "controllers",
    ...manager("root-ca-file", set),
  },
  {
    id: "1.3.6",
    title: "the controller manager signs renewed serving certificates",
    how: "the feature gate is on by default",
    on: "controllers",
    ...manager("feature-gates", rotatesServing),
  },
  {
    id: "1.3.7",
    title: "the controller manager listens on the machine alone",
    how: "127.0.0.1",
    on: "controllers",
    ...manager("bind-address", is("127.0.0.1")),
  },
  {
    id: "1.4.1",
    title: "no profiling of the scheduler",
    how: "off",
    on: "controllers",
    ...flag("kube-scheduler", "profiling", is("false")),
  },
  {
    id: "1.4.2",
    title: "the scheduler listens on the machine alone",
    how: "127.0.0.1",
    on: "controllers",
    ...flag("kube-scheduler", "bind-address", is("127.0.0.1")),
  },
  {
    id: "2.1",
    title: "etcd has a serving certificate",
    how: "one for each member",
    on: "controllers",
    ...both(etcd("cert-file", set), etcd("key-file", set)),
  },
  {
    id: "2.2",
    title: "etcd asks clients for a certificate",
    how: "always on",
    on: "controllers",
    ...etcd("client-cert-auth", is("true")),
  },
  {
    id: "2.3",
    title: "etcd makes no certificate for clients itself",
    how: "off",
    on: "controllers",
    ...etcd("auto-tls", isNot("true")),
  },
  {
    id: "2.4",
    title: "members have certificates towards each other",
    how: "one for each member",
    on: "controllers",
    ...both(etcd("peer-cert-file", set), etcd("peer-key-file", set)),
  },
  {
    id: "2.5",
    title: "members ask each other for a certificate",
    how: "always on",
    on: "controllers",
    ...etcd("peer-client-cert-auth", is("true")),
  },
  {
    id: "2.6",
    title: "members make no certificate for each other themselves",
    how: "off",
    on: "controllers",
    ...etcd("peer-auto-tls", isNot("true")),
  },
  {
    id: "2.7",
    title: "etcd has an authority of its own",
    how: "etcd-ca",
    on: "controllers",
    faults: ({ sums }) => {
      const [cluster, own] = ["ca.crt", "etcd/ca.crt"].map((name) =>
        sums.get(`/etc/kubernetes/pki/${name}`),
      );
      return own !== undefined && own !== cluster ? [] : ["etcd trusts the cluster's authority"];
    },
  },
  {
    id: "3.1.1",
    title: "users have no client certificates",
    manual:
      "the program issues one to the operator, as an administrator's key for emergencies; give users tokens of service accounts",
  },
  {
    id: "3.1.2",
    title: "users have no tokens of service accounts",
    manual: "the program gives none to users",
  },
  {
    id: "3.1.3",
    title: "users have no bootstrap tokens",
    manual: "the program makes them for machines alone, and they end",
  },
  {
    id: "3.2.1",
    title: "there is an audit policy",
    how: "/etc/kubernetes/audit-policy.yaml",
    on: "controllers",
    ...apiserver("audit-policy-file", is("/etc/kubernetes/audit-policy.yaml")),
  },
  {
    id: "3.2.2",
    title: "the audit policy covers what matters",
    how: "metadata of every request for what may hold secrets or enters a Pod or Node, and of every change",
    on: "controllers",
    faults: auditFaults,
  },
  {
    id: "4.1.1",
    title: "mode of the kubelet's unit",
    how: "0600",
    on: "nodes",
    ...modes(0o600, unit("kubelet")),
  },
  {
    id: "4.1.2",
    title: "owner of the kubelet's unit",
    how: "root's",
    on: "nodes",
    ...owners("root:root", unit("kubelet")),
  },
  {
    id: "4.1.3",
    title: "mode of kube-proxy's kubeconfig",
    how: "0600",
    on: "nodes",
    ...modes(0o600, configuration("kube-proxy.conf")),
  },
  {
    id: "4.1.4",
    title: "owner of kube-proxy's kubeconfig",
    how: "root's",
    on: "nodes",
    ...owners("root:root", configuration("kube-proxy.conf")),
  },
  {
    id: "4.1.5",
    title: "mode of the kubelet's kubeconfig",
    how: "0600",
    on: "nodes",
    ...modes(0o600, configuration("kubelet.conf")),
  },
  {
    id: "4.1.6",
    title: "owner of the kubelet's kubeconfig",
    how: "root's",
    on: "nodes",
    ...owners("root:root", configuration("kubelet.conf")),
  },
  {
    id: "4.1.7",
    title: "mode of the certificate by which a kubelet knows clients",
    how: "0644",
    on: "nodes",
    ...modes(0o644, "/var/lib/kubelet/pki/ca.crt"),
  },
  {
    id: "4.1.8",
    title: "owner of the certificate by which a kubelet knows clients",
    how: "root's",
    on: "nodes",
    ...owners("root:root", "/var/lib/kubelet/pki/ca.crt"),
  },
  {
    id: "4.1.9",
    title: "mode of the kubelet's configuration",
    how: "0600",
    on: "nodes",
    ...modes(
      0o600,
      "/var/lib/kubelet/config.yaml",
      below("/var/lib/kubelet", "\\.yaml"),
      below("/etc/kubernetes/kubelet.conf.d"),
    ),
  },
  {
    id: "4.1.10",
    title: "owner of the kubelet's configuration",
    how: "root's",
    on: "nodes",
    ...owners(
      "root:root",
      "/var/lib/kubelet/config.yaml",
      below("/var/lib/kubelet", "\\.yaml"),
      below("/etc/kubernetes/kubelet.conf.d"),
    ),
  },
  {
    id: "4.2.1",
    title: "a kubelet takes no anonymous requests",
    how: "off; the field cannot be set",
    on: "nodes",
    ...kubelet("authentication.anonymous.enabled", (value) => value === false),
  },
  {
    id: "4.2.2",
    title: "a kubelet asks whether a request is allowed",
    how: "it asks the API server; the field cannot be set",
    on: "nodes",
    ...kubelet("authorization.mode", (value) => value === "Webhook"),
  },
  {
    id: "4.2.3",
    title: "a kubelet verifies client certificates",
    how: "by the cluster's authority",
    on: "nodes",
    ...kubelet("authentication.x509.clientCAFile", isText),
  },
  {
    id: "4.2.4",
    title: "a kubelet has no port without credentials",
    how: "off; the field cannot be set",
    on: "nodes",
    ...kubelet("readOnlyPort", (value) => value === undefined || value === 0),
  },
  {
    id: "4.2.5",
    title: "idle connections to a kubelet end",
    how: "after four hours, by default",
    on: "nodes",
    ...kubelet("streamingConnectionIdleTimeout", (value) => isText(value) && !/^0/.test(value)),
  },
  {
    id: "4.2.6",
    title: "a kubelet makes its chains of the packet filter",
    how: "on by default",
    on: "nodes",
    ...kubelet("makeIPTablesUtilChains", (value) => value === true),
  },
  {
    id: "4.2.7",
    title: "a kubelet goes by its machine's name",
    how: "the flag is not used",
    on: "nodes",
    ...flag("kubelet", "hostname-override", unset),
  },
  {
    id: "4.2.8",
    title: "a kubelet reports enough events",
    how: "50 a second",
    on: "nodes",
    ...kubelet("eventRecordQPS", (value) => typeof value === "number" && value >= 0),
  },
  {
    id: "4.2.9",
    title: "a kubelet has a serving certificate",
    how: "issued by the program",
    on: "nodes",
    ...both(kubelet("tlsCertFile", isText), kubelet("tlsPrivateKeyFile", isText)),
  },
  {
    id: "4.2.10",
    title: "a kubelet's client certificate is renewed",
    how: "by the kubelet, or by updates where the program issues it",
    on: "nodes",
    faults: ({ kubelet, flags }) =>
      kubelet.rotateCertificates === true || !flags.get("kubelet")?.has("bootstrap-kubeconfig")
        ? []
        : ["the kubelet asked for its certificate and does not renew it"],
  },
  {
    id: "4.2.11",
    title: "a kubelet may renew its serving certificate",
    how: "the feature gate is on by default",
    on: "nodes",
    ...kubelet("featureGates.RotateKubeletServerCertificate", (value) => value !== false),
  },
  {
    id: "4.2.12",
    title: "strong ciphers of a kubelet",
    how: "TLS 1.2 or newer, with forward secrecy and AEAD only",
    on: "nodes",
    ...kubelet("tlsCipherSuites", (value) => Array.isArray(value) && allStrong(value.join(","))),
  },
  {
    id: "4.2.13",
    title: "a Pod's process ids are limited",
    how: "16384 a Pod, a kubelet field that settings may change",
    on: "nodes",
    ...kubelet("podPidsLimit", (value) => Number(value) > 0),
  },
  {
    id: "4.2.14",
    title: "Pods have a seccomp profile by default",
    how: "the runtime's own",
    on: "nodes",
    ...kubelet("seccompDefault", (value) => value === true),
  },
  {
    id: "4.3.1",
    title: "kube-proxy's metrics stay on the machine",
    how: "127.0.0.1",
    on: "nodes",
    faults: ({ kubeProxy }) => {
      const address = /"metricsBindAddress":"([^"]*)"/i.exec(kubeProxy)?.[1];
      return address?.startsWith("127.0.0.1:")
        ? []
        : [`kube-proxy's metrics are at ${address ?? "an unknown address"}`];
    },
  },
  {
    id: "5.1.1",
    title: "cluster-admin only where it is needed",
    manual: "the program binds the role to nobody",
  },
  {
    id: "5.1.2",
    title: "few may read Secrets",
    manual: "the program gives the right to nobody",
  },
  { id: "5.1.3", title: "few wildcards in roles", manual: "the program's roles have none" },
  {
    id: "5.1.4",
    title: "few may create Pods",
    manual: "the program gives the right to nobody",
  },
  {
    id: "5.1.5",
    title: "default service accounts are not used",
    manual: "the program's Pods have accounts of their own",
  },
  {
    id: "5.1.6",
    title: "tokens only where they are needed",
    manual: "the program's Pods need theirs",
  },
  {
    id: "5.1.7",
    title: "nobody in system:masters",
    manual: "the operator's certificate is, as an administrator's key for emergencies",
  },
  {
    id: "5.1.8",
    title: "few may bind, impersonate and escalate",
    manual: "the program gives the right to nobody",
  },
  {
    id: "5.1.9",
    title: "few may create volumes",
    manual: "the program gives the right to nobody",
  },
  {
    id: "5.1.10",
    title: "few may reach nodes through the API",
    manual: "the program gives the right to API servers alone",
  },
  {
    id: "5.1.11",
    title: "few may approve certificates",
    manual: "the program lets machines that join approve their own, as kubeadm does",
  },
  {
    id: "5.1.12",
    title: "few may change webhooks",
    manual: "the program gives the right to nobody",
  },
  {
    id: "5.1.13",
    title: "few may make tokens",
    manual: "the program gives the right to nobody",
  },
  {
    id: "5.2.1",
    title: "there is a policy for Pods",
    manual: "pod security admission is on; a namespace says by its labels what it enforces",
  },
  { id: "5.2.2", title: "few privileged containers", manual: mounted },
  { id: "5.2.3", title: "few Pods see the machine's processes", manual: mounted },
  { id: "5.2.4", title: "few Pods share the machine's IPC", manual: mounted },
  {
    id: "5.2.5",
    title: "few Pods share the machine's network",
    manual: `${mounted}; the program's own are Weave Net and what guests run`,
  },
  { id: "5.2.6", title: "few containers gain rights", manual: mounted },
  { id: "5.2.7", title: "few containers run as root", manual: mounted },
  { id: "5.2.8", title: "few containers have NET_RAW", manual: mounted },
  { id: "5.2.9", title: "few containers add capabilities", manual: mounted },
  { id: "5.2.10", title: "few HostProcess containers", manual: "there are no nodes with Windows" },
  { id: "5.2.11", title: "few Pods mount the machine's folders", manual: mounted },
  { id: "5.2.12", title: "few Pods use the machine's ports", manual: mounted },
  {
    id: "5.3.1",
    title: "the pod network knows network policies",
    manual: "network `weave` does, network `bridge` does not",
  },
  {
    id: "5.3.2",
    title: "each namespace has network policies",
    manual: "the namespaces' own, with network `weave`",
  },
  {
    id: "5.4.1",
    title: "Secrets as files rather than variables",
    manual: "the program's Pods use no Secrets, but for the password of Weave Net",
  },
  { id: "5.4.2", title: "Secrets in a store outside", manual: "the program brings none" },
  {
    id: "5.5.1",
    title: "images of known origin",
    manual: "the program's images have checksums; for others, admission plugins can be added",
  },
  { id: "5.6.1", title: "namespaces as boundaries", manual: "the operator's own" },
  {
    id: "5.6.2",
    title: "Pods have a seccomp profile",
    manual: "the runtime's own is the default on every node (4.2.14)",
  },
  { id: "5.6.3", title: "Pods have a security context", manual: mounted },
  {
    id: "5.6.4",
    title: "the namespace `default` is not used",
    manual: "the program puts nothing there",
  },
];
