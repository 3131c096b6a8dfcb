type Instead = Readonly<Record<string, string>>;

const leaveOut = (...names: string[]): Instead =>
  Object.fromEntries(names.map((name) => [name, "leave it out"]));

const serving = leaveOut(
  "bind-address",
  "cert-dir",
  // With one of these two the program would tell something and end.
  "help",
  "secure-port",
  "tls-cert-file",
  "tls-private-key-file",
  "version",
);
const delegating = leaveOut(
  "authentication-kubeconfig",
  "authorization-kubeconfig",
  "client-ca-file",
  "kubeconfig",
  "master",
  "requestheader-client-ca-file",
);
/** While a controller is still asking for the former lease, another would already act by the new one. */
const electing = leaveOut(
  "leader-elect-resource-lock",
  "leader-elect-resource-name",
  "leader-elect-resource-namespace",
);
const signers = ["kube-apiserver-client", "kubelet-client", "kubelet-serving", "legacy-unknown"];
const besideAuthentication =
  "leave it out, since a file for authentication-config is the program's already";

/** Flags that name the program's own files, certificates, addresses, ports and ranges, with what to do instead of giving them. */
export const decidedFlags = {
  apiServer: {
    ...serving,
    ...leaveOut(
      "advertise-address",
      "anonymous-auth",
      "audit-log-path",
      "audit-policy-file",
      "authentication-config",
      "client-ca-file",
      "encryption-provider-config",
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
    "authorization-config": "use authorization-mode instead",
    "oidc-ca-file": besideAuthentication,
    "oidc-client-id": besideAuthentication,
    "oidc-groups-claim": besideAuthentication,
    "oidc-groups-prefix": besideAuthentication,
    "oidc-issuer-url": besideAuthentication,
    "oidc-required-claim": besideAuthentication,
    "oidc-signing-algs": besideAuthentication,
    "oidc-username-claim": besideAuthentication,
    "oidc-username-prefix": besideAuthentication,
    "token-auth-file": "use tokens of service accounts or client certificates instead",
    "service-cluster-ip-range": "set serviceCidr instead",
  },
  controllerManager: {
    ...serving,
    ...delegating,
    ...electing,
    ...leaveOut(
      "allocate-node-cidrs",
      "cidr-allocator-type",
      "cluster-signing-cert-file",
      "cluster-signing-key-file",
      ...signers.flatMap((signer) => [
        `cluster-signing-${signer}-cert-file`,
        `cluster-signing-${signer}-key-file`,
      ]),
      "root-ca-file",
      "service-account-private-key-file",
    ),
    "cluster-cidr": "set podCidr instead",
    "cluster-name": "set clusterName instead",
    "service-cluster-ip-range": "set serviceCidr instead",
  },
  scheduler: {
    ...serving,
    ...delegating,
    ...electing,
    ...leaveOut(
      "config",
      // The program's own configuration makes the scheduler ignore these.
      "contention-profiling",
      "kube-api-burst",
      "kube-api-content-type",
      "kube-api-qps",
      "profiling",
      "write-config-to",
    ),
  },
} satisfies Readonly<Record<string, Instead>>;

/** Fields of KubeletConfiguration that follow from other settings or from how a node is run, with what to do instead of giving them. */
export const decidedKubeletFields: Instead = {
  ...leaveOut(
    "apiVersion",
    "authentication",
    "authorization",
    "cgroupDriver",
    "containerRuntimeEndpoint",
    "enableServer",
    "failCgroupV1",
    "failSwapOn",
    "healthzBindAddress",
    "healthzPort",
    "kind",
    "podCIDR",
    "readOnlyPort",
    "registerNode",
    "rotateCertificates",
    "runOnce",
    "serverTLSBootstrap",
    "staticPodPath",
    "tlsCertFile",
    "tlsPrivateKeyFile",
  ),
  clusterDNS: "set dnsAddress instead",
  clusterDomain: "set the cluster's clusterDomain instead",
};
