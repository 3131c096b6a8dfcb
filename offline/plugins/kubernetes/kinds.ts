/** The kinds of Kubernetes objects that are in use. */

/** One kind, and how the API serves it. */
export interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  /** Its name in addresses. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** The fields that a program may set beside metadata. */
  readonly fields: readonly string[];
  /** The fields whose change needs a new object. */
  readonly fixed: readonly string[];
  /** Fields of an object that someone else owns are set, and given back when the resource goes. */
  readonly patch: boolean;
}

const kind = (
  apiVersion: string,
  kind: string,
  plural: string,
  fields: string[],
  { namespaced = true, fixed = [] as string[], patch = false } = {},
): Kind => ({ apiVersion, kind, plural, namespaced, fields, fixed, patch });

const rbac = "rbac.authorization.k8s.io/v1";
const binding = { fixed: ["roleRef"] };

/** The kinds by their resource types. */
export const kinds: Readonly<Record<string, Kind>> = {
  "kubernetes:core/v1:ConfigMap": kind("v1", "ConfigMap", "configmaps", [
    "data",
    "binaryData",
    "immutable",
  ]),
  "kubernetes:core/v1:Namespace": kind("v1", "Namespace", "namespaces", ["spec"], {
    namespaced: false,
  }),
  "kubernetes:core/v1:NodePatch": kind("v1", "Node", "nodes", ["spec"], {
    namespaced: false,
    patch: true,
  }),
  "kubernetes:core/v1:Secret": kind("v1", "Secret", "secrets", [
    "data",
    "stringData",
    "type",
    "immutable",
  ]),
  "kubernetes:core/v1:Service": kind("v1", "Service", "services", ["spec"], {
    fixed: ["spec.clusterIP"],
  }),
  "kubernetes:core/v1:ServiceAccount": kind("v1", "ServiceAccount", "serviceaccounts", [
    "automountServiceAccountToken",
    "imagePullSecrets",
    "secrets",
  ]),
  "kubernetes:apps/v1:DaemonSet": kind("apps/v1", "DaemonSet", "daemonsets", ["spec"], {
    fixed: ["spec.selector"],
  }),
  "kubernetes:apps/v1:Deployment": kind("apps/v1", "Deployment", "deployments", ["spec"], {
    fixed: ["spec.selector"],
  }),
  "kubernetes:policy/v1:PodDisruptionBudget": kind(
    "policy/v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    ["spec"],
  ),
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": kind(
    rbac,
    "ClusterRole",
    "clusterroles",
    ["rules", "aggregationRule"],
    { namespaced: false },
  ),
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": kind(
    rbac,
    "ClusterRoleBinding",
    "clusterrolebindings",
    ["roleRef", "subjects"],
    { namespaced: false, ...binding },
  ),
  "kubernetes:rbac.authorization.k8s.io/v1:Role": kind(rbac, "Role", "roles", ["rules"]),
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": kind(
    rbac,
    "RoleBinding",
    "rolebindings",
    ["roleRef", "subjects"],
    binding,
  ),
};
