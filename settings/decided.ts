type Instead = Readonly<Record<string, string>>;

const leaveOut = (...names: string[]): Instead =>
  Object.fromEntries(names.map((name) => [name, "leave it out"]));

const serving = leaveOut(
  "bind-address",
  "cert-dir",
  "secure-port",
  "tls-cert-file",
  "tls-private-key-file",
);
const delegating = leaveOut(
  "authentication-kubeconfig",
  "authorization-kubeconfig",
  "client-ca-file",
  "kubeconfig",
  "master",
  "requestheader-client-ca-file",
);

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
      "etcd-servers",
      "etcd-servers-overrides",
      "kubelet-certificate-authority",
      "kubelet-client-certificate",
      "kubelet-client-key",
      "proxy-client-cert-file",
      "proxy-client-key-file",
      "requestheader-client-ca-file",
      "service-account-key-file",
      "service-account-signing-key-file",
    ),
    "service-cluster-ip-range": "set serviceCidr instead",
  },
  controllerManager: {
    ...serving,
    ...delegating,
    ...leaveOut(
      "allocate-node-cidrs",
      "cluster-signing-cert-file",
      "cluster-signing-key-file",
      "root-ca-file",
      "service-account-private-key-file",
    ),
    "cluster-cidr": "set podCidr instead",
    "cluster-name": "set clusterName instead",
    "service-cluster-ip-range": "set serviceCidr instead",
  },
  scheduler: { ...serving, ...delegating, ...leaveOut("config") },
} satisfies Readonly<Record<string, Instead>>;

/** Fields of KubeletConfiguration that follow from other settings or from how a node is run, with what to do instead of giving them. */
export const decidedKubeletFields: Instead = {
  ...leaveOut(
    "apiVersion",
    "authentication",
    "authorization",
    "cgroupDriver",
    "containerRuntimeEndpoint",
    "failCgroupV1",
    "failSwapOn",
    "healthzBindAddress",
    "healthzPort",
    "kind",
    "rotateCertificates",
    "serverTLSBootstrap",
    "staticPodPath",
    "tlsCertFile",
    "tlsPrivateKeyFile",
  ),
  clusterDNS: "set dnsAddress instead",
  clusterDomain: "set the cluster's clusterDomain instead",
};
