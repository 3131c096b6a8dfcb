import { stringify } from "yaml";
import type { Service } from "../node/description.ts";
import { laidOver } from "./extra-flags.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { commandLine, type Flags, unit } from "./systemd.ts";

const pki = "/etc/kubernetes/pki";
const configPath = "/etc/kubernetes/scheduler.yaml";
const kubeconfigPath = "/etc/kubernetes/scheduler.conf";

/** The scheduler of one controller; it asks the API server on its own machine. */
export function kubeSchedulerService(args: {
  readonly cluster: string;
  /** Folder of the binaries. */
  readonly binaries: string;
  /** The file of the certificates by which API servers are recognized. */
  readonly trusted: string;
  readonly extraFlags: Flags;
}): Service {
  const ours: Flags = {
    "bind-address": "127.0.0.1",
    config: configPath,
    "authentication-kubeconfig": kubeconfigPath,
    "authorization-kubeconfig": kubeconfigPath,
    profiling: false,
  };
  const flags = laidOver(ours, args.extraFlags);
  return {
    name: "kube-scheduler",
    unit: "kube-scheduler.service",
    reads: [args.trusted, `${pki}/scheduler.crt`, `${pki}/scheduler.key`],
    health: "curl --fail --silent --max-time 5 --insecure https://127.0.0.1:10259/healthz",
    files: [
      {
        path: "/etc/systemd/system/kube-scheduler.service",
        text: unit({
          Unit: {
            Description: "Kubernetes scheduler",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/",
            After: "kube-apiserver.service",
          },
          Service: {
            ExecStart: commandLine(`${args.binaries}/kube-scheduler`, flags),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: configPath,
        text: stringify({
          apiVersion: "kubescheduler.config.k8s.io/v1",
          kind: "KubeSchedulerConfiguration",
          clientConnection: { kubeconfig: kubeconfigPath },
          leaderElection: { leaderElect: true },
        }),
      },
      {
        path: kubeconfigPath,
        mode: "0600",
        text: kubeconfigWithFiles(
          {
            cluster: args.cluster,
            server: "https://127.0.0.1:6443",
            user: "system:kube-scheduler",
          },
          { ca: args.trusted, cert: `${pki}/scheduler.crt`, key: `${pki}/scheduler.key` },
        ),
      },
    ],
  };
}
