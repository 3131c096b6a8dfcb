/** When an object that has been created is what it should be. */
import { isObject, type Properties, type Value } from "../protocol/values.ts";

/** Nothing when the object is ready, or else what is still missing. */
export type Missing = { readonly what: string; readonly bearable?: true } | undefined;

/** Lists the objects of a kind in the namespace that have a label. */
export type List = (group: string, plural: string, label: string) => Promise<Properties[]>;

/** The value at a path of keys. */
export function at(value: Value | undefined, ...path: string[]): Value | undefined {
  let here = value;
  for (const key of path) here = isObject(here) ? here[key] : undefined;
  return here;
}

const count = (object: Properties, field: string): number =>
  Number(at(object, "status", field) ?? 0);

/** What the controllers say about an object that they cannot bring to what it should be. */
const complaints = (object: Properties): string => {
  const conditions = at(object, "status", "conditions");
  return (Array.isArray(conditions) ? conditions : [])
    .filter(isObject)
    .filter(
      ({ type, status }) =>
        status !== "True" && ["Available", "Progressing"].includes(String(type)),
    )
    .map(({ reason, message }) => `; [${reason}] ${message}`)
    .join("");
};

const observed = (object: Properties): boolean =>
  count(object, "observedGeneration") >= Number(at(object, "metadata", "generation") ?? 0);

function deployment(object: Properties): Missing {
  if (!observed(object)) return { what: "Waiting for the Deployment controller" };
  const wanted = Number(at(object, "spec", "replicas") ?? 1);
  const [updated, available, all] = ["updatedReplicas", "availableReplicas", "replicas"].map(
    (field) => count(object, field),
  );
  if (updated === wanted && all === wanted && available === wanted) return undefined;
  return {
    what: `Waiting for app ReplicaSet to be available (${Math.min(updated!, available!)}/${wanted} Pods available)${complaints(object)}`,
  };
}

function daemonSet(object: Properties): Missing {
  if (!observed(object)) return { what: "Waiting for the DaemonSet controller" };
  const wanted = count(object, "desiredNumberScheduled");
  const [updated, available] = ["updatedNumberScheduled", "numberAvailable"].map((field) =>
    count(object, field),
  );
  if (updated! >= wanted && available! >= wanted) return undefined;
  return {
    what: `Waiting for Pods of the DaemonSet (${Math.min(updated!, available!)}/${wanted} available)`,
  };
}

async function service(object: Properties, list: List): Promise<Missing> {
  const type = at(object, "spec", "type");
  if (type === "LoadBalancer" && at(object, "status", "loadBalancer", "ingress") === undefined)
    return { what: "Service was not allocated an IP address" };
  if (
    type === "ExternalName" ||
    at(object, "spec", "clusterIP") === "None" ||
    Object.keys(at(object, "spec", "selector") ?? {}).length === 0
  )
    return undefined;
  const slices = await list(
    "discovery.k8s.io/v1",
    "endpointslices",
    `kubernetes.io/service-name=${at(object, "metadata", "name")}`,
  );
  const ready = slices
    .flatMap(({ endpoints }) => (Array.isArray(endpoints) ? endpoints : []))
    .map((endpoint) => at(endpoint, "conditions", "ready") !== false);
  if (ready.length > 0 && ready.every(Boolean)) return undefined;
  const what =
    "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match labels on any Pods";
  return ready.length > 0 ? { what } : { what, bearable: true };
}

/** What an object's readiness still lacks; what is bearable counts as ready once it has not changed for a while. */
export async function missing(object: Properties, list: List): Promise<Missing> {
  switch (object.kind) {
    case "Deployment":
      return deployment(object);
    case "DaemonSet":
      return daemonSet(object);
    case "Service":
      return service(object, list);
    default:
      return undefined;
  }
}
