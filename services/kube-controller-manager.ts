import type { Service } from "../node/description.ts";
import { laidOver } from "./extra-flags.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { commandLine, type Flags, unit } from "./systemd.ts";

const pki = "/etc/kubernetes/pki";
const kubeconfigPath = "/etc/kubernetes/controller-manager.conf";

/** The controller manager of one controller; it asks the API server on its own machine. */
export function kubeControllerManagerService(args: {
  readonly cluster: string;
  /** Folder of the binaries. */
  readonly binaries: string;
  readonly serviceCidr: string;
  /** Where Nodes that have no range for their pods get one from; undefined if every Node has one. */
  readonly nodeCidrs: string | undefined;
  /** The file of the certificates by which API servers are recognized. */
  readonly trusted: string;
  readonly extraFlags: Flags;
}): Service {
  const ours: Flags = {
    "bind-address": "127.0.0.1",
    kubeconfig: kubeconfigPath,
    "authentication-kubeconfig": kubeconfigPath,
    "authorization-kubeconfig": kubeconfigPath,
    "client-ca-file": `${pki}/ca.crt`,
    "requestheader-client-ca-file": `${pki}/front-proxy-ca.crt`,
    "root-ca-file": args.trusted,
    "service-account-private-key-file": `${pki}/sa.key`,
    "use-service-account-credentials": true,
    "cluster-signing-cert-file": `${pki}/ca.crt`,
    "cluster-signing-key-file": `${pki}/ca.key`,
    controllers: "*,bootstrapsigner,tokencleaner",
    "leader-elect": true,
    "cluster-name": args.cluster,
    ...allocation(args.nodeCidrs),
    "service-cluster-ip-range": args.serviceCidr,
    "terminated-pod-gc-threshold": 1000,
    profiling: false,
  };
  const flags = laidOver(ours, args.extraFlags);
  return {
    name: "kube-controller-manager",
    unit: "kube-controller-manager.service",
    reads: [
      ...new Set([`${pki}/ca.crt`, args.trusted]),
      `${pki}/ca.key`,
      `${pki}/front-proxy-ca.crt`,
      `${pki}/sa.key`,
      `${pki}/controller-manager.crt`,
      `${pki}/controller-manager.key`,
    ],
    health: "curl --fail --silent --max-time 5 --insecure https://127.0.0.1:10257/healthz",
    // The folder of volume plugins, which kubelets make, too.
    data: ["/usr/libexec/kubernetes"],
    files: [
      {
        path: "/etc/systemd/system/kube-controller-manager.service",
        text: unit({
          Unit: {
            Description: "Kubernetes controller manager",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/",
            After: "kube-apiserver.service",
          },
          Service: {
            ExecStart: commandLine(`${args.binaries}/kube-controller-manager`, flags),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: kubeconfigPath,
        mode: "0600",
        text: kubeconfigWithFiles(
          {
            cluster: args.cluster,
            server: "https://127.0.0.1:6443",
            user: "system:kube-controller-manager",
          },
          {
            ca: args.trusted,
            cert: `${pki}/controller-manager.crt`,
            key: `${pki}/controller-manager.key`,
          },
        ),
      },
    ],
  };
}

/** Ranges of 254 pods, or of 126 where the range of all is small; the allocator can part a range in 2^16 at most. */
function allocation(nodeCidrs: string | undefined): Flags {
  if (nodeCidrs === undefined) return { "allocate-node-cidrs": false };
  const prefix = Number(nodeCidrs.split("/")[1]);
  return {
    "allocate-node-cidrs": true,
    "cluster-cidr": nodeCidrs,
    "node-cidr-mask-size": prefix < 24 ? Math.min(24, prefix + 16) : Math.max(25, prefix),
  };
}
