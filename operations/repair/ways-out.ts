import type { Differences } from "../check/differences.ts";

/** What the operator can do about differences that a repair leaves, one a line. */
export function waysOut({ machines, nodes, api }: Omit<Differences, "alarms">): string[] {
  const has = (kind: Differences["machines"][number]["kind"]) =>
    machines.some((one) => one.kind === kind);
  const final = nodes.filter(({ kind }) => kind === "final");
  return [
    ...(has("unreachable")
      ? [
          "make up starts a machine again that it has made; see to any other machine, then make repair",
        ]
      : []),
    ...(has("nothing placed") ? ["make up places what is missing as a whole"] : []),
    ...(has("placed")
      ? [
          "the lines above say what the machine refused; make preview shows whether the settings have changed since",
        ]
      : []),
    ...final.map(
      ({ node }) =>
        `nobody can change the podCIDR of a Node: kubectl drain ${node} --ignore-daemonsets --delete-emptydir-data && kubectl delete node ${node}, then make repair`,
    ),
    ...(nodes.length > final.length || api !== undefined
      ? ["make smoke says whether the API answers"]
      : []),
  ];
}
