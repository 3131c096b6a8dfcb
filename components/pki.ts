/**
 * Every certificate of the cluster, in kubeadm's names and paths:
 * https://kubernetes.io/docs/setup/best-practices/certificates/
 */

/** The three authorities, by the names of their certificates. */
export type Authority = "kubernetes-ca" | "etcd-ca" | "kubernetes-front-proxy-ca";

/** File names on machines: `ca.crt` holds the authority's own certificate, `ca-bundle.crt` also its issuers'. */
export type TrustFile = "ca.crt" | "ca-bundle.crt";

/** What a certificate says and who signs it. */
export interface CertificateRequest {
  /** Names its resources: unique within the authority. */
  readonly name: string;
  readonly ca: Authority;
  readonly commonName: string;
  /** The Kubernetes group. */
  readonly organization?: string;
  readonly usages: readonly ("server_auth" | "client_auth")[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
}

/** A certificate's subject stands for a machine. */
interface Named {
  readonly name: string;
  readonly address: string;
}

const localNames = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };

/** An etcd member as its clients see it; it is its own gateway's client too. */
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

/** An etcd member as the other members see it. */
export function etcdPeer(member: Named): CertificateRequest {
  return { ...etcdServer(member), name: `${member.name}:etcd-peer` };
}

/** API servers as etcd sees them. */
export const apiserverEtcdClient: CertificateRequest = {
  name: "apiserver-etcd-client",
  ca: "etcd-ca",
  commonName: "kube-apiserver-etcd-client",
  usages: ["client_auth"],
};

/** An API server, under every name and address by which anybody reaches it. */
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

/** API servers as kubelets see them; RBAC gives this user the kubelets' API. */
export const apiserverKubeletClient: CertificateRequest = {
  name: "apiserver-kubelet-client",
  ca: "kubernetes-ca",
  commonName: "kube-apiserver-kubelet-client",
  usages: ["client_auth"],
};

/** API servers as extension API servers see them. */
export const frontProxyClient: CertificateRequest = {
  name: "front-proxy-client",
  ca: "kubernetes-front-proxy-ca",
  commonName: "front-proxy-client",
  usages: ["client_auth"],
};

/** The operator. */
export const admin: CertificateRequest = {
  name: "admin",
  ca: "kubernetes-ca",
  commonName: "kubernetes-admin",
  organization: "system:masters",
  usages: ["client_auth"],
};

/** Controller managers. */
export const controllerManager: CertificateRequest = {
  name: "controller-manager",
  ca: "kubernetes-ca",
  commonName: "system:kube-controller-manager",
  organization: "system:kube-controller-manager",
  usages: ["client_auth"],
};

/** Schedulers. */
export const scheduler: CertificateRequest = {
  name: "scheduler",
  ca: "kubernetes-ca",
  commonName: "system:kube-scheduler",
  organization: "system:kube-scheduler",
  usages: ["client_auth"],
};

/** A node's kube-proxy; all of them are the same user. */
export function kubeProxy({ name }: Pick<Named, "name">): CertificateRequest {
  return {
    name: `${name}:kube-proxy-client`,
    ca: "kubernetes-ca",
    commonName: "system:kube-proxy",
    organization: "system:node-proxier",
    usages: ["client_auth"],
  };
}

/** A kubelet as the API server's client. */
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

/** A kubelet as the API server reaches it for logs, exec and port-forward. */
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
