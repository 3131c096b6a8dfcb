import { controllerManager } from "../components/pki.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { delegating, electing, laidOver, leaveOut, type Reserved, serving } from "./extra-flags.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { pki, type Service } from "./service.ts";
import { commandLine, type Flags, unit } from "./systemd.ts";

/** The kubeconfig of the controller manager, which may list every object. */
export const controllerManagerKubeconfigPath = "/etc/kubernetes/controller-manager.conf";

const signers = ["kube-apiserver-client", "kubelet-client", "kubelet-serving", "legacy-unknown"];

/** Flags of the controller manager that the program decides. */
export const reservedControllerManagerFlags: Reserved = {
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
};

/** The controller manager of one controller, a client of the API server on the same machine. */
export function kubeControllerManager(facts: ClusterFacts): Service {
  const trust = `${pki}/${facts.trustFile}`;
  // The controller manager takes exactly one certificate here; ca.crt holds two while the authority is rotated.
  const signer = facts.turns.kubernetesCa.generation === 1 ? "ca.crt" : "ca-signing.crt";
  const ours: Flags = {
    "bind-address": "127.0.0.1",
    kubeconfig: controllerManagerKubeconfigPath,
    "authentication-kubeconfig": controllerManagerKubeconfigPath,
    "authorization-kubeconfig": controllerManagerKubeconfigPath,
    "client-ca-file": `${pki}/ca.crt`,
    "requestheader-client-ca-file": `${pki}/front-proxy-ca.crt`,
    "root-ca-file": trust,
    "service-account-private-key-file": `${pki}/sa.key`,
    "use-service-account-credentials": true,
    "cluster-signing-cert-file": `${pki}/${signer}`,
    "cluster-signing-key-file": `${pki}/ca.key`,
    controllers: "*,bootstrapsigner,tokencleaner",
    "leader-elect": true,
    "cluster-name": facts.clusterName,
    ...allocation(facts),
    "service-cluster-ip-range": facts.serviceCidr,
    "terminated-pod-gc-threshold": 1000,
    profiling: false,
  };
  const flags = laidOver(ours, facts.controllerManagerFlags);
  return {
    name: "kube-controller-manager",
    unit: "kube-controller-manager.service",
    binaries: ["kube-controller-manager"],
    credentials: [
      {
        path: `${pki}/ca.crt`,
        origin: { kind: "authority", authority: "kubernetes-ca" },
        live: true,
      },
      // What it publishes in each namespace it reads when it starts.
      { path: trust, origin: { kind: "trust", authority: "kubernetes-ca" } },
      {
        path: `${pki}/${signer}`,
        origin: { kind: "signer", authority: "kubernetes-ca" },
        live: true,
      },
      {
        path: `${pki}/ca.key`,
        origin: { kind: "authorityKey", authority: "kubernetes-ca" },
        live: true,
      },
      {
        path: `${pki}/front-proxy-ca.crt`,
        origin: { kind: "trust", authority: "kubernetes-front-proxy-ca" },
        live: true,
      },
      { path: `${pki}/sa.key`, origin: { kind: "serviceAccountKey", half: "private" } },
      {
        path: `${pki}/controller-manager`,
        origin: { kind: "certificate", request: controllerManager },
        live: true,
      },
    ],
    ports: [10_257],
    health: "curl --fail --silent --max-time 5 --insecure https://127.0.0.1:10257/healthz",
    // The folder of volume plugins, which the kubelet creates, too.
    data: ["/usr/libexec/kubernetes"],
    files: [
      {
        path: "/etc/systemd/system/kube-controller-manager.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Kubernetes controller manager",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
            After: "kube-apiserver.service",
          },
          Service: {
            ExecStart: commandLine(`${facts.folders.kubernetes}/kube-controller-manager`, flags),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: controllerManagerKubeconfigPath,
        mode: "0600",
        text: kubeconfigWithFiles(
          {
            cluster: facts.clusterName,
            server: "https://127.0.0.1:6443",
            user: "system:kube-controller-manager",
          },
          {
            ca: trust,
            cert: `${pki}/controller-manager.crt`,
            key: `${pki}/controller-manager.key`,
          },
        ),
      },
    ],
  };
}

/** Pod ranges for guests: 254 pods each, or 126 if the range of all pods is small; the allocator divides a range into 2^16 at most. */
function allocation({ admitsGuests, rangePerNode, podCidr }: ClusterFacts): Flags {
  // The settings give every other Node its range.
  if (!admitsGuests || !rangePerNode) return { "allocate-node-cidrs": false };
  const prefix = Number(podCidr.split("/")[1]);
  return {
    "allocate-node-cidrs": true,
    "cluster-cidr": podCidr,
    "node-cidr-mask-size": prefix < 24 ? Math.min(24, prefix + 16) : Math.max(25, prefix),
  };
}

/**
 * Shell command for a controller that succeeds once the controller manager that leads has renewed its lease since this machine's own one
 * was started. Without a leader, which is missing for 15 seconds after a restart of all, a Pod that goes stays among the endpoints of its
 * Service. The clocks of the controllers must agree.
 */
export function managerLeads({ folders }: ClusterFacts): string {
  const kubectl = `${folders.kubernetes}/kubectl --cache-dir=/dev/null --kubeconfig=${controllerManagerKubeconfigPath}`;
  return [
    `renewed=$(${kubectl} --namespace=kube-system get lease kube-controller-manager --output=jsonpath={.spec.renewTime})`,
    "started=$(systemctl show --timestamp=unix --property=ActiveEnterTimestamp --value kube-controller-manager)",
    `{ test "$(date --date="$renewed" +%s)" -gt "\${started#@}" || { echo "no controller manager leads yet" >&2; false; }; }`,
  ].join(" && ");
}
