import { readFileSync } from "node:fs";
import { type KubernetesVersion, minorOf } from "../components/versions.ts";

/** The flags, fields and names that one minor version of Kubernetes knows. */
export interface Known {
  readonly version: string;
  /** Each flag of a program with the kind of its value, by the names of https://pkg.go.dev/github.com/spf13/pflag#Value. */
  readonly flags: Readonly<Record<Program, ReadonlyMap<string, string>>>;
  readonly admissionPlugins: readonly string[];
  /** Each controller and each alias of a controller, with the controller's own name. */
  readonly controllers: ReadonlyMap<string, string>;
  /** Each feature gate, with its value if the gate is locked to one. */
  readonly featureGates: ReadonlyMap<string, string | undefined>;
  /** The fields of KubeletConfiguration and of the structs within it, by struct, each with its kind. */
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** A program whose flags are known. */
export type Program = "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kubelet";

const seen = new Map<string, Known>();

/** The names that a version knows, generated from its source into settings/kubernetes/<minor version>.txt. */
export function knownTo(kubernetesVersion: KubernetesVersion): Known {
  const version = minorOf(kubernetesVersion);
  const known = seen.get(version) ?? read(version);
  seen.set(version, known);
  return known;
}

function read(version: string): Known {
  const text = readFileSync(new URL(`./kubernetes/${version}.txt`, import.meta.url), "utf8");
  const lines = text.split("\n").map((line) => line.split(" "));
  const about = (subject: string) =>
    lines.flatMap(([first, ...words]) =>
      first === subject ? [words as [string, ...string[]]] : [],
    );
  const flags = (program: Program) =>
    new Map(about("flag").flatMap(([of, flag, kind]) => (of === program ? [[flag!, kind!]] : [])));
  const fields = new Map<string, Map<string, string>>();
  for (const [struct, field, ...kind] of about("field")) {
    fields.set(struct, (fields.get(struct) ?? new Map()).set(field, kind.join(" ")));
  }
  return {
    version,
    flags: {
      "kube-apiserver": flags("kube-apiserver"),
      "kube-controller-manager": flags("kube-controller-manager"),
      "kube-scheduler": flags("kube-scheduler"),
      kubelet: flags("kubelet"),
    },
    admissionPlugins: about("admission-plugin").map(([plugin]) => plugin),
    controllers: new Map(about("controller").map(([name, own]) => [name, own ?? name])),
    featureGates: new Map(about("feature-gate").map(([gate, locked]) => [gate, locked])),
    fields,
  };
}
