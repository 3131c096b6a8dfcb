import { parseTaint } from "../label.ts";
import { mistakeAt } from "../mistake.ts";
import { conflicts, type Subject } from "./subject.ts";

/** Each pool has machines. */
export function poolMachines({ draft: { workerPools } }: Subject): string[] {
  return (workerPools ?? []).flatMap((pool, index) =>
    pool?.machines?.length === 0
      ? [
          mistakeAt(
            `workerPools[${index}].machines`,
            "no machine",
            undefined,
            "list one, or leave the pool out",
          ),
        ]
      : [],
  );
}

/** Each pool has a name of its own. */
export function poolNames({ draft: { workerPools } }: Subject): string[] {
  const names = (workerPools ?? []).flatMap((pool, index) =>
    pool?.name === undefined ? [] : [{ where: `workerPools[${index}].name`, value: pool.name }],
  );
  const todo = "give each pool a name of its own";
  return [
    ...names
      .filter(({ value }) => value === "controllers")
      .map(({ where, value }) =>
        mistakeAt(where, "the name of the controllers' pool", value, todo),
      ),
    ...conflicts(names).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, todo),
    ),
  ];
}

/** Only pools that join by kubeadm have a way of discovery. */
export function poolDiscovery({ draft: { workerPools } }: Subject): string[] {
  return (workerPools ?? []).flatMap((pool, index) => {
    if (!pool?.discovery || pool.join === undefined || pool.join === "kubeadm") return [];
    const todo = "leave it out, or set join to kubeadm";
    return [
      mistakeAt(
        `workerPools[${index}].discovery`,
        `not used by join ${pool.join}`,
        pool.discovery,
        todo,
      ),
    ];
  });
}

/** No two taints of a node have the same key and effect. */
export function taintsOnce({ draft: { controllerTaints, workerPools } }: Subject): string[] {
  const lists = [
    { where: "controllerTaints", taints: controllerTaints },
    ...(workerPools ?? []).map((pool, index) => ({
      where: `workerPools[${index}].taints`,
      taints: pool?.taints,
    })),
  ];
  return lists.flatMap(({ where, taints }) => {
    const settings = (taints ?? []).flatMap((text, index) =>
      text === undefined ? [] : [{ where: `${where}[${index}]`, value: text }],
    );
    return conflicts(settings, sameTaint).map(({ where, value, earlier }) => {
      const wrong = `the same key and effect as ${earlier.where}`;
      return mistakeAt(where, wrong, value, "leave one of them out");
    });
  });
}

function sameTaint(text: string, other: string): boolean {
  const [a, b] = [parseTaint(text), parseTaint(other)];
  return a !== undefined && b !== undefined && a.key === b.key && a.effect === b.effect;
}

/** The static pods of a machine have names of their own, since their manifests are files of one folder. */
export function staticPodNames({
  draft: { controllerStaticPods, workerPools },
}: Subject): string[] {
  const lists = [
    { where: "controllerStaticPods", pods: controllerStaticPods },
    ...(workerPools ?? []).map((pool, index) => ({
      where: `workerPools[${index}].staticPods`,
      pods: pool?.staticPods,
    })),
  ];
  return lists.flatMap(({ where, pods }) => {
    const names = (pods ?? []).flatMap((pod, index) =>
      pod?.metadata?.name === undefined
        ? []
        : [{ where: `${where}[${index}].metadata.name`, value: pod.metadata.name }],
    );
    return conflicts(names).map(({ where, value, earlier }) =>
      mistakeAt(where, `the same as ${earlier.where}`, value, "give each pod a name of its own"),
    );
  });
}
