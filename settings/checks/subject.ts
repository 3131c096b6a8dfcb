import { networks } from "../../networks/networks.ts";
import type { Context } from "../context.ts";
import { type Cidr, parseAddress, parseCidr } from "../ipv4.ts";
import type { Draft } from "../schema.ts";

/** A setting that parsed, and its place. */
export interface Setting<T> {
  readonly where: string;
  readonly value: T;
}

/** The settings in the form that the checks use; settings that did not parse are left out. */
export interface Subject<D extends Draft = Draft> {
  readonly draft: D;
  readonly context: Context;
  /** Whether the platform has a load balancer of its own in front of the API, which is no machine. */
  readonly balancesApi: boolean;
  readonly machineCidr: Cidr | undefined;
  readonly podCidr: Cidr | undefined;
  readonly serviceCidr: Cidr | undefined;
  /** The machines, each once; `twice` has those that are listed a second time. */
  readonly machines: readonly Machine[];
  readonly twice: readonly { where: string; value: Machine; earlier: Setting<Machine> }[];
  readonly names: readonly Setting<string>[];
  readonly addresses: readonly Setting<number>[];
  /** Whether each machine has a range of its own for its pods; undefined if the network did not parse. */
  readonly rangePerMachine: boolean | undefined;
  /** The ranges of the machines, where each has one. */
  readonly podCidrs: readonly Setting<Cidr>[];
}

/** A machine as far as its settings parse, and its place. */
export interface Machine {
  readonly where: string;
  readonly name?: string | undefined;
  readonly address?: string | undefined;
  readonly podCidr?: string | undefined;
  readonly runsPods: boolean;
  /** The field `kubelet` of the machine's pool; undefined for a load balancer. */
  readonly pool?: Readonly<Record<string, unknown>> | undefined;
  readonly kubelet?: Readonly<Record<string, unknown>> | undefined;
}

/** The subject of the checks, from settings as far as they parse. */
export function subjectOf<D extends Draft>(
  draft: D,
  context: Context,
  balancesApi = false,
): Subject<D> {
  const all = machinesOf(draft).map((value) => ({ where: value.where, value }));
  const twice = conflicts(all, sameMachine);
  const machines = all
    .filter(({ where }) => !twice.some((one) => one.where === where))
    .map(({ value }) => value);
  const rangePerMachine = draft.network && networks[draft.network].rangePerMachine;
  return {
    draft,
    context,
    balancesApi,
    machineCidr: parseCidr(draft.machineCidr ?? ""),
    podCidr: parseCidr(draft.podCidr ?? ""),
    serviceCidr: parseCidr(draft.serviceCidr ?? ""),
    machines,
    twice,
    names: found(machines, "name", (name) => name),
    addresses: found(machines, "address", parseAddress),
    rangePerMachine,
    podCidrs: rangePerMachine ? found(machines, "podCidr", parseCidr) : [],
  };
}

function machinesOf({ loadBalancers, controllers, workerPools }: Draft): Machine[] {
  return [
    ...(loadBalancers ?? []).map((machine, i) => ({
      where: `loadBalancers[${i}]`,
      runsPods: false,
      ...machine,
    })),
    ...(controllers ?? []).map((machine, i) => ({
      where: `controllers[${i}]`,
      runsPods: true,
      pool: {},
      ...machine,
    })),
    ...(workerPools ?? []).flatMap((pool, p) =>
      (pool?.machines ?? []).map((machine, i) => ({
        where: `workerPools[${p}].machines[${i}]`,
        runsPods: true,
        pool: pool?.kubelet,
        ...machine,
      })),
    ),
  ];
}

function sameMachine(one: Machine, other: Machine): boolean {
  return one.name !== undefined && one.name === other.name && one.address === other.address;
}

function found<T>(
  machines: readonly Machine[],
  field: "name" | "address" | "podCidr",
  parse: (text: string) => T | undefined,
): Setting<T>[] {
  return machines.flatMap(({ where, [field]: text }) => {
    const value = text === undefined ? undefined : parse(text);
    return value === undefined ? [] : [{ where: `${where}.${field}`, value }];
  });
}

/** The settings that conflict with an earlier one, each with the first such setting. */
export function conflicts<T>(
  settings: readonly Setting<T>[],
  conflict: (value: T, earlier: T) => boolean = (value, earlier) => value === earlier,
): { where: string; value: T; earlier: Setting<T> }[] {
  return settings.flatMap(({ where, value }, index) => {
    const earlier = settings.slice(0, index).find((earlier) => conflict(value, earlier.value));
    return earlier ? [{ where, value, earlier }] : [];
  });
}
