import { networks } from "../../networks/networks.ts";
import type { Network } from "../../networks/pod-network.ts";
import { mistakeAt } from "../mistake.ts";
import type { Subject } from "./subject.ts";

/** Each machine that runs pods has a range for them, if the network takes the ranges from the settings; else none has. */
export function machineRanges({
  draft: { network },
  machines,
  rangePerMachine,
}: Subject): string[] {
  if (rangePerMachine === undefined) return [];
  return machines.flatMap(({ where, podCidr, runsPods }) => {
    const place = `${where}.podCidr`;
    if (!rangePerMachine) {
      if (podCidr === undefined) return [];
      const todo = "leave it out: the network hands out the addresses in podCidr itself";
      return [mistakeAt(place, `not used by network ${network}`, podCidr, todo)];
    }
    if (!runsPods || podCidr !== undefined) return [];
    return [mistakeAt(place, "not an IPv4 network", podCidr, "write it like 10.200.21.0/24")];
  });
}

/** No secret of a network is in plain text in the settings. */
export function networkSecrets({ draft, context: { isSecret } }: Subject): string[] {
  return Object.entries<Network>(networks).flatMap(([name, { secrets = [] }]) => {
    const group = Object.entries(draft).find(([one]) => one === name)?.[1] ?? {};
    return Object.keys(group)
      .filter((setting) => secrets.includes(setting) && !isSecret(name))
      .map((setting) => {
        const where = `${name}.${setting}`;
        const todo = `encrypt it by pulumi config set --secret --path 'kthw:${where}'`;
        return mistakeAt(where, "in plain text in the settings", "[secret]", todo);
      });
  });
}

/** The network works with the mode of kube-proxy. */
export function proxyMode({ draft: { network, kubeProxy } }: Subject): string[] {
  const mode = kubeProxy?.mode;
  if (network === undefined || mode === undefined) return [];
  const { kubeProxyModes } = networks[network];
  if (kubeProxyModes.some((one) => one === mode)) return [];
  const fitting = Object.entries<Network>(networks)
    .filter(([, { kubeProxyModes }]) => kubeProxyModes.includes(mode))
    .map(([name]) => name);
  const todo = `use ${kubeProxyModes.join(" or ")}, or network ${fitting.join(" or ")}`;
  return [mistakeAt("kubeProxy.mode", `does not work with network ${network}`, mode, todo)];
}
