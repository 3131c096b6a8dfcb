import { isDnsName } from "./label.ts";
import { mistake } from "./mistake.ts";

/** A mistake in a manifest, and its place there. */
interface Found {
  readonly path: PropertyKey[];
  readonly message: string;
}

/** The mistakes in the manifest of a static pod: https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/ */
export function mistakesInPod(pod: Readonly<Record<string, unknown>>): Found[] {
  const { apiVersion, kind } = pod;
  if (apiVersion !== "v1" || kind !== "Pod") {
    const got = [apiVersion, kind].filter((word) => word !== undefined).join(" ");
    const todo = "give a manifest of apiVersion v1 and kind Pod";
    return [{ path: [], message: mistake("not a Pod", got === "" ? undefined : got, todo) }];
  }
  const { name } = fieldsOf(pod.metadata);
  const { containers } = fieldsOf(pod.spec);
  return [
    ...(typeof name === "string" && isDnsName(name)
      ? []
      : [
          {
            path: ["metadata", "name"],
            message: mistake(
              "not the name of a pod",
              name,
              "use small letters, digits, inner dashes and dots, like registry",
            ),
          },
        ]),
    ...(Array.isArray(containers) && containers.length > 0
      ? []
      : [
          {
            path: ["spec", "containers"],
            message: mistake("no container", containers, "list one at least"),
          },
        ]),
    ...references(pod.spec, ["spec"]),
  ];
}

/** Fields by which a pod refers to other objects of the API, which a static pod must not do. */
const referring = new Set([
  "clusterTrustBundle",
  "configMap",
  "configMapKeyRef",
  "configMapRef",
  "ephemeral",
  "imagePullSecrets",
  "nodePublishSecretRef",
  "persistentVolumeClaim",
  "podCertificate",
  "resourceClaims",
  "secret",
  "secretKeyRef",
  "secretRef",
  "serviceAccount",
  "serviceAccountName",
  "serviceAccountToken",
]);
/** Fields below which the user chooses the names. */
const freelyNamed = new Set(["affinity", "nodeSelector", "topologySpreadConstraints"]);

function references(value: unknown, path: readonly PropertyKey[]): Found[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const place = [...path, Array.isArray(value) ? Number(key) : key];
    if (freelyNamed.has(key)) return [];
    if (Array.isArray(value) || !referring.has(key)) return references(inner, place);
    const todo = "use what is on the machine, such as a hostPath, or a DaemonSet";
    return [{ path: place, message: mistake("out of reach of a static pod", inner, todo) }];
  });
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
