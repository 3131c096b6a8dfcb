import { scheduler } from "../components/pki.ts";
import type { ClusterFacts } from "./cluster-facts.ts";
import { delegating, electing, laidOver, leaveOut, type Reserved, serving } from "./extra-flags.ts";
import { kubeconfigWithFiles } from "./kubeconfig.ts";
import { startsForAuthority } from "./rotation.ts";
import { pki, type Service } from "./service.ts";
import { commandLine, type Flags, unit } from "./systemd.ts";
import { yaml } from "./yaml.ts";

const configPath = "/etc/kubernetes/scheduler.yaml";
const kubeconfigPath = "/etc/kubernetes/scheduler.conf";

/** Flags of the scheduler that the program decides. */
export const reservedSchedulerFlags: Reserved = {
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
};

/** The scheduler of one controller, a client of the API server on the same machine. */
export function kubeScheduler(facts: ClusterFacts): Service {
  const trust = `${pki}/${facts.trustFile}`;
  const ours: Flags = {
    "bind-address": "127.0.0.1",
    config: configPath,
    "authentication-kubeconfig": kubeconfigPath,
    "authorization-kubeconfig": kubeconfigPath,
    profiling: false,
  };
  const flags = laidOver(ours, facts.schedulerFlags);
  return {
    name: "kube-scheduler",
    unit: "kube-scheduler.service",
    binaries: ["kube-scheduler"],
    credentials: [
      { path: trust, origin: { kind: "trust", authority: "kubernetes-ca" }, live: true },
      {
        path: `${pki}/scheduler`,
        origin: { kind: "certificate", request: scheduler },
        live: !startsForAuthority(facts),
      },
    ],
    ports: [10_259],
    health: "curl --fail --silent --max-time 5 --insecure https://127.0.0.1:10259/healthz",
    files: [
      {
        path: "/etc/systemd/system/kube-scheduler.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "Kubernetes scheduler",
            Documentation:
              "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/",
            After: "kube-apiserver.service",
          },
          Service: {
            ExecStart: commandLine(`${facts.folders.kubernetes}/kube-scheduler`, flags),
            Restart: "always",
            RestartSec: "2",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: configPath,
        mode: "0600",
        text: yaml({
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
            cluster: facts.clusterName,
            server: "https://127.0.0.1:6443",
            user: "system:kube-scheduler",
          },
          { ca: trust, cert: `${pki}/scheduler.crt`, key: `${pki}/scheduler.key` },
        ),
      },
    ],
  };
}
