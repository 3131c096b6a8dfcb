import { isFalse, isTrue } from "../go-values.ts";
import type { Known } from "../kubernetes.ts";
import { nearest } from "../mistake.ts";

/** What is wrong with the value of a feature gate. */
export function faultOfGate(
  name: string,
  value: string | undefined,
  { version, featureGates }: Known,
): { readonly wrong: string; readonly todo: string } | undefined {
  if (!featureGates.has(name)) {
    const meant = nearest(name, [...featureGates.keys()]);
    const todo = meant ? `did you mean ${meant}?` : "leave that out";
    return { wrong: `${name} is not a feature gate of Kubernetes ${version}`, todo };
  }
  const isOn = isTrue(value ?? "");
  if (!isOn && !isFalse(value ?? "")) {
    return {
      wrong: `${name} is neither true nor false`,
      todo: `write ${name}=true or ${name}=false`,
    };
  }
  const locked = featureGates.get(name);
  if (locked === undefined || locked === `${isOn}`) return undefined;
  return { wrong: `${name} is always ${locked} in Kubernetes ${version}`, todo: "leave that out" };
}
