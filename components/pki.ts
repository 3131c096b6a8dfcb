/**
 * Every certificate of the cluster, in kubeadm's names and paths:
 * https://kubernetes.io/docs/setup/best-practices/certificates/
 */

/** The three authorities, by the names of their certificates. */
export type Authority = "kubernetes-ca" | "etcd-ca" | "kubernetes-front-proxy-ca";

/** The kinds of certificates, by the names of their requests without the machine's. */
export const certificateKinds = [
  "admin",
  "apiserver",
  "apiserver-etcd-client",
  "apiserver-kubelet-client",
  "controller-manager",
  "etcd-peer",
  "etcd-server",
  "front-proxy-client",
  "kube-proxy-client",
  "kubelet-client",
  "kubelet-server",
  "scheduler",
] as const;

/** The kind of a certificate, such as `apiserver` of `cp1:apiserver`. */
export function kindOf({ name }: CertificateRequest): string {
  return name.replace(/^.*:/, "");
}

/** File names on machines: `ca.crt` holds the authority's own certificate, `ca-bundle.crt` also its issuers'. */
export type TrustFile = "ca.crt" | "ca-bundle.crt";

/** The content of a certificate, and the authority that signs it. */
export interface CertificateRequest {
  /** The name of the certificate's resources, unique within the authority. */
  readonly name: string;
  readonly ca: Authority;
  readonly commonName: string;
  /** The Kubernetes group. */
  readonly organization?: string;
  readonly usages: readonly ("server_auth" | "client_auth")[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** The machine that a certificate is issued to. */
interface Named {
  readonly name: string;
  readonly address: string;
}

const localNames = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };

/** The certificate of an etcd member towards clients; the member's own gateway is such a client, with the same certificate. */
export function etcdServer({ name, address }: Named): CertificateRequest {
  return {
    name: `${name}:etcd-server`,
    ca: "etcd-ca",
    commonName: name,
    usages: ["server_auth", "client_auth"],
    dnsNames: [name, ...localNames.dnsNames],
    ipAddresses: [address, ...localNames.ipAddresses],
  };
}

/** The certificate of an etcd member towards other members. */
export function etcdPeer(member: Named): CertificateRequest {
  return { ...etcdServer(member), name: `${member.name}:etcd-peer` };
}

/** The client certificate of API servers towards etcd. */
export const apiserverEtcdClient: CertificateRequest = {
  name: "apiserver-etcd-client",
  ca: "etcd-ca",
  commonName: "kube-apiserver-etcd-client",
  usages: ["client_auth"],
};

/** The serving certificate of an API server, for all names and addresses at which clients reach the API server. */
export function apiserver(
  controller: Named,
  names: { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] },
): CertificateRequest {
  return {
    name: `${controller.name}:apiserver`,
    ca: "kubernetes-ca",
    commonName: "kube-apiserver",
    usages: ["server_auth"],
    dnsNames: unique(names.dnsNames),
    ipAddresses: unique(names.ipAddresses),
  };
}

/** The client certificate of API servers towards kubelets; RBAC gives its user the kubelets' API. */
export const apiserverKubeletClient: CertificateRequest = {
  name: "apiserver-kubelet-client",
  ca: "kubernetes-ca",
  commonName: "kube-apiserver-kubelet-client",
  usages: ["client_auth"],
};

/** The client certificate of API servers towards extension API servers. */
export const frontProxyClient: CertificateRequest = {
  name: "front-proxy-client",
  ca: "kubernetes-front-proxy-ca",
  commonName: "front-proxy-client",
  usages: ["client_auth"],
};

/** The client certificate of the operator. */
export const admin: CertificateRequest = {
  name: "admin",
  ca: "kubernetes-ca",
  commonName: "kubernetes-admin",
  organization: "system:masters",
  usages: ["client_auth"],
};

/** The client certificate of controller managers. */
export const controllerManager: CertificateRequest = {
  name: "controller-manager",
  ca: "kubernetes-ca",
  commonName: "system:kube-controller-manager",
  organization: "system:kube-controller-manager",
  usages: ["client_auth"],
};

/** The client certificate of schedulers. */
export const scheduler: CertificateRequest = {
  name: "scheduler",
  ca: "kubernetes-ca",
  commonName: "system:kube-scheduler",
  organization: "system:kube-scheduler",
  usages: ["client_auth"],
};

/** The client certificate of a node's kube-proxy; all kube-proxies are the same user. */
export function kubeProxy({ name }: Pick<Named, "name">): CertificateRequest {
  return {
    name: `${name}:kube-proxy-client`,
    ca: "kubernetes-ca",
    commonName: "system:kube-proxy",
    organization: "system:node-proxier",
    usages: ["client_auth"],
  };
}

/** The client certificate of a kubelet towards API servers. */
export function kubeletClient({ name, address }: Named): CertificateRequest {
  return {
    name: `${name}:kubelet-client`,
    ca: "kubernetes-ca",
    commonName: `system:node:${name}`,
    organization: "system:nodes",
    usages: ["client_auth"],
    dnsNames: [name],
    ipAddresses: [address],
  };
}

/** The serving certificate of a kubelet, for logs, exec and port-forward. */
export function kubeletServer({ name, address }: Named): CertificateRequest {
  return {
    name: `${name}:kubelet-server`,
    ca: "kubernetes-ca",
    commonName: `system:node:${name}`,
    organization: "system:nodes",
    usages: ["server_auth"],
    dnsNames: [name],
    ipAddresses: [address],
  };
}

/** Names and addresses of the API within the cluster. */
export function apiNamesWithinCluster(clusterDomain: string, serviceAddress: string) {
  return {
    dnsNames: [
      "kubernetes",
      "kubernetes.default",
      "kubernetes.default.svc",
      `kubernetes.default.svc.${clusterDomain}`,
      ...localNames.dnsNames,
    ],
    ipAddresses: [serviceAddress, ...localNames.ipAddresses],
  };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
