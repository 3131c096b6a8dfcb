import { reservedKubeletFields } from "../../services/kubelet.ts";
import { knownTo } from "../kubernetes.ts";
import { at, inStruct, type Path } from "./fields.ts";
import type { Subject } from "./subject.ts";

/** Each field of KubeletConfiguration exists and has a value of its kind; a kubelet would ignore the field, or not start. */
export function kubeletFields({ draft }: Subject): string[] {
  const { kubernetesVersion, controllers = [], workerPools = [] } = draft;
  if (kubernetesVersion === undefined) return [];
  const known = knownTo(kubernetesVersion);
  const tables = [
    ...controllers.map((machine, i) => [machine?.kubelet, ["controllers", i, "kubelet"]] as const),
    ...workerPools.flatMap((pool, p) => [
      [pool?.kubelet, ["workerPools", p, "kubelet"]] as const,
      ...(pool?.machines ?? []).map(
        (machine, i) => [machine?.kubelet, ["workerPools", p, "machines", i, "kubelet"]] as const,
      ),
    ]),
  ];
  return tables.flatMap(([fields, path]) =>
    Object.entries(fields ?? {}).flatMap(([field, value]) => {
      const where: Path = [...path, field];
      if (Object.hasOwn(reservedKubeletFields, field)) {
        return [at(where, "decided by the program", value, reservedKubeletFields[field]!)];
      }
      if (field === "maxPods" && !(Number.isInteger(value) && Number(value) > 0)) {
        return [at(where, "not a positive whole number", value, "use 1 or more, without quotes")];
      }
      if (field === "tlsMinVersion" && value !== "VersionTLS12" && value !== "VersionTLS13") {
        return [at(where, "not TLS 1.2 or newer", value, "use VersionTLS12 or VersionTLS13")];
      }
      return inStruct("KubeletConfiguration", { [field]: value }, path, known);
    }),
  );
}
