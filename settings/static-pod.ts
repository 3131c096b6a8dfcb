import { isDnsLabel, isDnsName } from "./label.ts";
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
  const { name, namespace } = fieldsOf(pod.metadata);
  const { containers, initContainers } = fieldsOf(pod.spec);
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
    ...(namespace === undefined || isLabel(namespace)
      ? []
      : [
          {
            path: ["metadata", "namespace"],
            message: mistake(
              "not the name of a namespace",
              namespace,
              "use small letters, digits and inner dashes, like kube-system",
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
    ...mistakesInContainers(containers, ["spec", "containers"]),
    ...mistakesInContainers(initContainers, ["spec", "initContainers"]),
    ...references(pod.spec, ["spec"]),
  ];
}

function mistakesInContainers(containers: unknown, place: readonly PropertyKey[]): Found[] {
  if (!Array.isArray(containers)) return [];
  return containers.flatMap((container: unknown, index) => {
    const path = [...place, index];
    if (typeof container !== "object" || container === null) {
      const todo = "write its name and image below the dash";
      return [{ path, message: mistake("not a container", container, todo) }];
    }
    const { name, image } = fieldsOf(container);
    const nameTodo = "use small letters, digits and inner dashes, like registry";
    const imageTodo = "write it like registry.example.com/registry:3";
    return [
      ...(isLabel(name)
        ? []
        : [{ path: [...path, "name"], message: mistake("not a DNS label", name, nameTodo) }]),
      ...(typeof image === "string" && /^\S+$/.test(image)
        ? []
        : [
            {
              path: [...path, "image"],
              message: mistake("not the name of an image", image, imageTodo),
            },
          ]),
    ];
  });
}

function isLabel(value: unknown): boolean {
  return typeof value === "string" && isDnsLabel(value);
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
