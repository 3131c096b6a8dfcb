import { podSpec } from "./cluster.ts";

const labels = { app: "web" };

/** Replicas that are spread over the workers and go on answering while it is told that they go. */
export const deployment = (replicas: number) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        ...podSpec,
        terminationGracePeriodSeconds: 10,
        containers: podSpec.containers.map((container) => ({
          ...container,
          lifecycle: { preStop: { sleep: { seconds: 3 } } },
        })),
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: labels },
          },
        ],
      },
    },
  },
});

/** The Service of the replicas. */
export const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
};

/** How many of the replicas must stay available. */
export const budget = (minAvailable: number) => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "needed" },
  spec: { minAvailable, selector: { matchLabels: labels } },
});
