import { Provider } from "@pulumi/kubernetes/provider.js";
import { ClusterRoleBinding } from "@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js";
import * as pulumi from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random";
import * as tls from "@pulumi/tls";
import { derive } from "../node/derive.ts";
import { once } from "../node/gate.ts";
import type { Host } from "../node/host.ts";
import { rolling } from "../node/rolling.ts";
import { type ClusterFacts, serverUrl } from "../services/cluster-facts.ts";
import {
  type EncryptionStep,
  encryptionConfiguration,
  encryptionRecords,
  encryptionSecret,
  keysLoaded,
  rewriteSecrets,
} from "../services/encryption-keys.ts";
import { webhookText } from "../services/kube-apiserver.ts";
import { managerLeads } from "../services/kube-controller-manager.ts";
import { kubeconfigWithData } from "../services/kubeconfig.ts";
import { controlPlaneServices } from "../services/roles.ts";
import {
  authoritiesInNamespaces,
  authoritiesPublished,
  looksCounted,
  lookWithinSeconds,
  newlyLooked,
} from "../services/rotation.ts";
import { pki } from "../services/service.ts";
import { type Left, stashed } from "../settings/state.ts";
import { placeApiServers } from "./api-servers.ts";
import type { CertificateAuthority, Issuer } from "./certificate-authority.ts";
import { admin, apiserverKubeletClient } from "./pki.ts";
import { Placement } from "./placement.ts";
import { forGenerations, nameOfGeneration, type Turn, textOf } from "./rotation.ts";

export interface ControlPlaneArgs {
  readonly facts: ClusterFacts;
  /** The controllers. */
  readonly hosts: readonly Host[];
  /** The hosts of the API's load balancers; none where others balance the API, or where it has one controller. */
  readonly loadBalancers: readonly Host[];
  /** Leads the operator to the API once the load balancers work; undefined where nothing has to. */
  readonly leadTo: ((opts: pulumi.CustomResourceOptions) => pulumi.Resource) | undefined;
  readonly ca: CertificateAuthority;
  readonly frontProxyCa: Issuer;
  readonly etcdCa: Issuer;
  readonly etcd: {
    readonly members: readonly pulumi.Resource[];
    readonly ready: readonly pulumi.Resource[];
  };
  /** Whether the API has been up before: each change then leaves it up. */
  readonly isFounded: boolean;
  /** The resources that the update before has left. */
  readonly state: readonly Left[];
  /** The keys by which Secrets are encrypted. */
  readonly encryption: EncryptionStep;
  /** Resources that must be done before credentials change. */
  readonly mayDrop: readonly pulumi.Resource[];
  /** The API servers' webhooks by name; a kubeconfig is a secret. */
  readonly webhooks: Readonly<Record<string, { readonly kubeconfig: string }>>;
}

/** How long all Secrets may take to be encrypted anew, in seconds. */
const rewriteSeconds = 300;

/** API servers, controller managers and schedulers, one of each on every controller. */
export class ControlPlane extends pulumi.ComponentResource {
  /** The gates after which the API answers through the load balancer, and all services of the control plane are healthy. */
  readonly ready: readonly pulumi.Resource[];
  /** The gates after which each API server verifies kubelets by all authorities that are trusted. */
  readonly looked: readonly pulumi.Resource[];
  /** The operator's kubeconfig, a secret, once the API answers. */
  readonly kubeconfig: pulumi.Output<string>;
  /** The operator's kubeconfig before the API answers, for commands that wait for the API themselves. */
  readonly kubeconfigBeforeReady: pulumi.Output<string>;
  /** The provider of Kubernetes resources in the cluster, once the API answers. */
  readonly provider: pulumi.ProviderResource;

  constructor(name: string, args: ControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kthw:index:ControlPlane", name, {}, opts);
    const { encryption, facts, hosts, isFounded } = args;
    const maxUnavailable = isFounded ? 1 : hosts.length;
    const { fromMachines, fromOperator } = facts.endpoint;
    const keys = forGenerations(
      facts.turns.serviceAccountKey,
      (generation) =>
        new tls.PrivateKey(
          nameOfGeneration("service-accounts", generation),
          { algorithm: "RSA", rsaBits: 2048 },
          { parent: this },
        ),
    );
    // The state holds the value of a RandomBytes in plain text, as the id.
    const encryptionKeys = encryption.keys.map(
      ({ name }) =>
        new RandomPassword(`encryption-${name}`, { length: 64, special: false }, { parent: this }),
    );
    const texts = {
      encryption: derive(
        encryptionKeys.map(({ result }) => result),
        (...randoms) => encryptionConfiguration(encryption, randoms.map(encryptionSecret)),
      ),
      ...Object.fromEntries(
        Object.entries(args.webhooks).map(([name, { kubeconfig }]) => [
          webhookText(name),
          pulumi.secret(kubeconfig),
        ]),
      ),
    };
    // Remembered before any file changes, so that a step that is cut off is known to have begun.
    const begun = new pulumi.Stash(
      encryptionRecords.begun,
      { input: encryption },
      { parent: this },
    );
    const placement = new Placement(this, {
      authorities: {
        "kubernetes-ca": args.ca,
        "etcd-ca": args.etcdCa,
        "kubernetes-front-proxy-ca": args.frontProxyCa,
      },
      serviceAccountKey: {
        trustedPem: derive(
          keys.all.map(({ publicKeyPem }) => publicKeyPem),
          (...pems) => pems.join(""),
        ),
        signingPem: keys.signing.privateKeyPem,
        signingPublicPem: keys.signing.publicKeyPem,
      },
    });

    const controllers = hosts.map((host) => {
      const services = controlPlaneServices(facts, host.machine);
      const bundle = placement.bundle(host, "control-plane", Object.values(services), texts, [
        ...args.mayDrop,
        begun,
      ]);
      return { host, services, bundle };
    });
    const apiServers = placeApiServers(this, {
      facts,
      isFounded,
      controllers,
      loadBalancers: args.loadBalancers,
      etcd: args.etcd,
      state: args.state,
      placement,
      texts,
    });
    // The others may not be newer than any API server.
    const managers = rolling(controllers, maxUnavailable, ({ host, services, bundle }, before) =>
      placement.service(host, services.manager, {
        dependsOn: [bundle, ...apiServers.placed, ...before],
      }),
    );
    const schedulers = rolling(controllers, maxUnavailable, ({ host, services, bundle }, before) =>
      placement.service(host, services.scheduler, {
        dependsOn: [bundle, ...apiServers.placed, ...before],
      }),
    );
    this.ready = controllers.map(({ host, services }, index) =>
      host.healthy(
        "control-plane-healthy",
        Object.values(services).map((service) => service.name),
        {
          parent: this,
          dependsOn: [
            ...apiServers.placed,
            ...apiServers.balanced,
            ...apiServers.answer,
            managers[index]!,
            schedulers[index]!,
          ],
          until: `curl --fail --silent --show-error --max-time 5 --cacert ${pki}/ca.crt ${serverUrl(fromMachines)}/readyz && ${managerLeads(facts)} && ${keysLoaded(encryption)}`,
        },
      ),
    );
    if (args.leadTo)
      this.ready = [
        ...this.ready,
        args.leadTo({ parent: this, dependsOn: [...apiServers.balanced] }),
      ];
    // With a single key there is none by which other Secrets could be encrypted.
    const rewritten =
      encryption.keys.length === 1
        ? []
        : [
            hosts[0]!.healthy("secrets-rewritten", ["kube-apiserver"], {
              parent: this,
              dependsOn: this.ready,
              until: rewriteSecrets(facts, encryption),
              withinSeconds: rewriteSeconds,
            }),
          ];
    new pulumi.Stash(
      encryptionRecords.confirmed,
      { input: encryption },
      { parent: this, dependsOn: [...this.ready, ...rewritten] },
    );

    const { kubernetesCa, frontProxyCa } = facts.turns;
    const published = (name: string, turn: Turn, until: string) =>
      turn.generation === 1
        ? []
        : [
            hosts[0]!.healthy(name, [], {
              parent: this,
              dependsOn: this.ready,
              until: `${until}\n# ${textOf(turn)}`,
            }),
          ];
    const clients = { key: "client-ca-file", file: "ca.crt" };
    const frontProxies = { key: "requestheader-client-ca-file", file: "front-proxy-ca.crt" };
    this.ready = [
      ...this.ready,
      ...published(
        "authority-published",
        kubernetesCa,
        `${authoritiesInNamespaces(facts)}\n${authoritiesPublished(facts, clients)}`,
      ),
      ...published(
        "front-proxy-authority-published",
        frontProxyCa,
        authoritiesPublished(facts, frontProxies),
      ),
    ];
    const looks =
      kubernetesCa.phase === "drop"
        ? undefined
        : {
            trust: { name: "authority-looks-counted", until: looksCounted },
            sign: { name: "authority-looked-at", until: newlyLooked },
          }[kubernetesCa.phase];
    this.looked = controllers.flatMap(({ host, bundle }) =>
      looks
        ? host.healthy(looks.name, ["kube-apiserver"], {
            parent: this,
            dependsOn: [bundle, ...apiServers.placed],
            until: looks.until(host.machine.name),
            withinSeconds: lookWithinSeconds,
          })
        : [],
    );

    const operator = placement.certificate(admin);
    this.kubeconfigBeforeReady = derive(
      [args.ca.trustPem, operator.certPem, operator.keyPem],
      (ca, cert, key) =>
        kubeconfigWithData(
          { cluster: facts.clusterName, server: serverUrl(fromOperator), user: admin.commonName },
          { ca, cert, key },
        ),
    );
    this.kubeconfig = once(this.ready, this.kubeconfigBeforeReady);
    // Another authority makes no other cluster.
    const identifierName = `${name}:identifier`;
    const identifier = pulumi.output(
      (stashed(args.state, identifierName) as string | undefined) ??
        derive([args.ca.certHashes], (hashes) => `${facts.clusterName} ${hashes[0]}`),
    );
    if (kubernetesCa.generation > 1)
      new pulumi.Stash(identifierName, { input: identifier }, { parent: this });
    this.provider = new Provider(
      name,
      {
        kubeconfig: this.kubeconfig,
        // Another kubeconfig of the same cluster, such as one with a renewed certificate, replaces no resource.
        clusterIdentifier: identifier,
        deleteUnreachable: true,
        // What others have changed of an object is shown in a preview after a refresh, and is put back.
        enablePatchForce: true,
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
