import { Provider } from "@pulumi/kubernetes/provider.js";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import * as tls from "@pulumi/tls";
import { derive } from "../node/derive.ts";
import { once } from "../node/gate.ts";
import type { Host } from "../node/host.ts";
import { healthProxyService } from "../services/health-proxy.ts";
import {
  aesKey,
  encryptionConfiguration,
  encryptionPath,
  kubeApiserverService,
} from "../services/kube-apiserver.ts";
import { kubeControllerManagerService } from "../services/kube-controller-manager.ts";
import { kubeSchedulerService } from "../services/kube-scheduler.ts";
import { kubeconfigWithData, kubeconfigWithFiles } from "../services/kubeconfig.ts";
import type { Flags } from "../services/systemd.ts";
import { ApiLoadBalancer } from "./api-load-balancer.ts";
import { type CertificateAuthority, type Issuer, trustBundle } from "./certificate-authority.ts";
import {
  admin,
  apiNamesWithinCluster,
  apiserver,
  apiserverEtcdClient,
  apiserverKubeletClient,
  controllerManager,
  frontProxyClient,
  scheduler,
} from "./pki.ts";

/** A host and port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where the Kubernetes API is reached. */
export interface Endpoint {
  readonly fromMachines: HostPort;
  readonly fromOperator: HostPort;
}

/** The address of an API server. */
export function serverUrl({ host, port }: HostPort): string {
  return `https://${host}:${port}`;
}

export interface ControlPlaneArgs {
  readonly nodes: readonly Host[];
  readonly clusterName: string;
  readonly clusterDomain: string;
  readonly serviceCidr: string;
  /** The first address of `serviceCidr`: the API within the cluster. */
  readonly serviceAddress: string;
  /** Where Nodes that have no range for their pods get one from; undefined if every Node has one. */
  readonly nodeCidrs?: string;
  readonly endpoint: Endpoint;
  /** Further names and addresses under which the API servers answer: the load balancers'. */
  readonly alsoKnownAs: readonly { readonly name: string; readonly address: string }[];
  readonly ca: CertificateAuthority;
  readonly frontProxyCa: Issuer;
  readonly etcd: {
    readonly endpoints: readonly string[];
    readonly ready: readonly pulumi.Resource[];
    readonly ca: Issuer;
    /** Shell command on a controller, to be run once no API server names former members any more. */
    readonly retire: string;
  };
  /** What becomes the load balancer of the API. */
  readonly loadBalancer: Host;
  /** Folder of Kubernetes' binaries on the machines. */
  readonly binaries: string;
  /** Whether anybody may ask for the cluster's address and authority, as `kubeadm join` does. */
  readonly publishesClusterInfo: boolean;
  /** Answers to plain HTTP on port 80 of each controller whether its API server is healthy. */
  readonly healthProxy: boolean;
  readonly apiServerFlags: Flags;
  readonly controllerManagerFlags: Flags;
  readonly schedulerFlags: Flags;
}

/** API servers, controller managers and schedulers, one of each on every controller. */
export class ControlPlane extends pulumi.ComponentResource {
  /** The gates after which the API answers through the load balancer, and everything behind it is healthy. */
  readonly ready: readonly pulumi.Resource[];
  /** The operator's kubeconfig, a secret, once the API answers. */
  readonly kubeconfig: pulumi.Output<string>;
  /** The same before the API answers, for those who wait for it themselves. */
  readonly kubeconfigInAdvance: pulumi.Output<string>;
  /** Makes Kubernetes resources in the cluster, once the API answers. */
  readonly provider: pulumi.ProviderResource;

  constructor(name: string, args: ControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:ControlPlane", name, {}, opts);
    const within = apiNamesWithinCluster(args.clusterDomain, args.serviceAddress);
    const { fromMachines, fromOperator } = args.endpoint;
    const machines = [...args.nodes.map(({ machine }) => machine), ...args.alsoKnownAs];
    const hosts = [fromMachines.host, fromOperator.host];
    const isAddress = (host: string) => /^[\d.]+$/.test(host);
    const names = {
      dnsNames: [
        ...within.dnsNames,
        ...machines.map((one) => one.name),
        ...hosts.filter((host) => !isAddress(host)),
      ],
      ipAddresses: [
        ...within.ipAddresses,
        ...machines.map((one) => one.address),
        ...hosts.filter(isAddress),
      ],
    };

    const etcdClient = args.etcd.ca.issue(apiserverEtcdClient, { parent: this });
    const kubeletClient = args.ca.issue(apiserverKubeletClient, { parent: this });
    const proxyClient = args.frontProxyCa.issue(frontProxyClient, { parent: this });
    const managerClient = args.ca.issue(controllerManager, { parent: this });
    const schedulerClient = args.ca.issue(scheduler, { parent: this });
    const adminClient = args.ca.issue(admin, { parent: this });
    const serviceAccounts = new tls.PrivateKey(
      "service-accounts",
      { algorithm: "RSA", rsaBits: 2048 },
      { parent: this },
    );
    // RandomBytes has its value in plain state, as its id.
    const encryptionKey = new RandomPassword(
      "encryption-key1",
      { length: 64, special: false },
      { parent: this },
    );

    let previous:
      | { apiserver: pulumi.Resource; manager: pulumi.Resource; scheduler: pulumi.Resource }
      | undefined;
    const placed = args.nodes.map((node) => {
      const { machine } = node;
      const server = args.ca.issue(apiserver(machine, names), { parent: this });
      const pki = "/etc/kubernetes/pki";
      const trusted = `${pki}/${args.ca.trustFile}`;
      const pair = (
        path: string,
        { certPem, keyPem }: { certPem: pulumi.Output<string>; keyPem: pulumi.Output<string> },
      ) => [
        { path: `${pki}/${path}.crt`, text: certPem },
        { path: `${pki}/${path}.key`, text: keyPem, mode: "0600" },
      ];
      const bundle = node.bundle(
        {
          name: "control-plane",
          files: [
            ...pair("ca", args.ca),
            ...trustBundle(pki, args.ca),
            ...pair("apiserver", server),
            ...pair("apiserver-kubelet-client", kubeletClient),
            ...pair("apiserver-etcd-client", etcdClient),
            { path: `${pki}/front-proxy-ca.crt`, text: args.frontProxyCa.trustPem },
            ...pair("front-proxy-client", proxyClient),
            { path: `${pki}/sa.pub`, text: serviceAccounts.publicKeyPem },
            { path: `${pki}/sa.key`, text: serviceAccounts.privateKeyPem, mode: "0600" },
            ...pair("controller-manager", managerClient),
            ...pair("scheduler", schedulerClient),
            ...pair("admin", adminClient),
            {
              path: encryptionPath,
              text: derive([encryptionKey.result], (random) =>
                encryptionConfiguration([{ name: "key1", secret: aesKey(random) }]),
              ),
              mode: "0600",
            },
          ],
        },
        { parent: this },
      );
      const apiserverService = node.service(
        kubeApiserverService({
          address: machine.address,
          etcdServers: args.etcd.endpoints,
          binaries: args.binaries,
          serviceCidr: args.serviceCidr,
          serviceAccountIssuer: `https://kubernetes.default.svc.${args.clusterDomain}`,
          publishesClusterInfo: args.publishesClusterInfo,
          trusted,
          extraFlags: args.apiServerFlags,
          adminKubeconfig: kubeconfigWithFiles(
            {
              cluster: args.clusterName,
              server: "https://127.0.0.1:6443",
              user: "kubernetes-admin",
            },
            { ca: trusted, cert: `${pki}/admin.crt`, key: `${pki}/admin.key` },
          ),
        }),
        {
          parent: this,
          dependsOn: [
            ...args.etcd.ready,
            node.ready,
            bundle,
            ...(previous ? [previous.apiserver] : []),
          ],
          certificates: [
            args.ca.trustPem,
            server.certPem,
            kubeletClient.certPem,
            etcdClient.certPem,
            args.frontProxyCa.trustPem,
            proxyClient.certPem,
            serviceAccounts.publicKeyPem,
          ],
        },
      );
      const manager = node.service(
        kubeControllerManagerService({
          cluster: args.clusterName,
          binaries: args.binaries,
          serviceCidr: args.serviceCidr,
          nodeCidrs: args.nodeCidrs,
          trusted,
          extraFlags: args.controllerManagerFlags,
        }),
        {
          parent: this,
          dependsOn: [apiserverService, ...(previous ? [previous.manager] : [])],
          certificates: [args.ca.trustPem, managerClient.certPem, serviceAccounts.publicKeyPem],
        },
      );
      const schedulerService = node.service(
        kubeSchedulerService({
          cluster: args.clusterName,
          binaries: args.binaries,
          trusted,
          extraFlags: args.schedulerFlags,
        }),
        {
          parent: this,
          dependsOn: [apiserverService, ...(previous ? [previous.scheduler] : [])],
          certificates: [args.ca.trustPem, schedulerClient.certPem],
        },
      );
      if (args.healthProxy)
        node.service(healthProxyService({ clusterDomain: args.clusterDomain }), {
          parent: this,
          dependsOn: [node.ready, apiserverService],
        });
      previous = { apiserver: apiserverService, manager, scheduler: schedulerService };
      return previous;
    });
    const loadBalancer = new ApiLoadBalancer(
      "api",
      {
        node: args.loadBalancer,
        backends: args.nodes.map(({ machine }) => machine),
        dependsOn: placed.map((services) => services.apiserver),
      },
      { parent: this, aliases: [{ parent: pulumi.rootStackResource }] },
    );
    this.ready = placed.map((services, index) =>
      args.nodes[index]!.healthy(
        "control-plane-healthy",
        ["kube-apiserver", "kube-controller-manager", "kube-scheduler"],
        {
          parent: this,
          dependsOn: [
            ...loadBalancer.ready,
            services.apiserver,
            services.manager,
            services.scheduler,
          ],
          until: [
            `curl --fail --silent --show-error --max-time 5 --cacert /etc/kubernetes/pki/ca.crt ${serverUrl(fromMachines)}/readyz`,
            ...(index === args.nodes.length - 1 ? [args.etcd.retire] : []),
          ].join(" && "),
        },
      ),
    );

    this.kubeconfigInAdvance = derive(
      [args.ca.trustPem, adminClient.certPem, adminClient.keyPem],
      (ca, cert, key) =>
        kubeconfigWithData(
          { cluster: args.clusterName, server: serverUrl(fromOperator), user: "kubernetes-admin" },
          { ca, cert, key },
        ),
    );
    this.kubeconfig = once(this.ready, this.kubeconfigInAdvance);
    this.provider = new Provider(
      name,
      {
        kubeconfig: this.kubeconfig,
        // Another kubeconfig of the same cluster, with a renewed certificate say, makes nothing anew.
        clusterIdentifier: derive(
          [args.ca.certHashes],
          (hashes) => `${args.clusterName} ${hashes[0]}`,
        ),
        deleteUnreachable: true,
      },
      { parent: this },
    );
    new ClusterRoleBinding(
      "kube-apiserver-kubelet-api",
      {
        metadata: { name: "kube-apiserver-kubelet-api" },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "system:kubelet-api-admin",
        },
        subjects: [
          {
            apiGroup: "rbac.authorization.k8s.io",
            kind: "User",
            name: apiserverKubeletClient.commonName,
          },
        ],
      },
      { parent: this, provider: this.provider, deletedWith: this.provider },
    );
    this.registerOutputs({});
  }
}
