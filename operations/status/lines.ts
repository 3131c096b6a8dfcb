import { columns } from "../access/columns.ts";
import { tableOf } from "../certificates/certificates.ts";
import { describeDifferences } from "../check/differences.ts";
import { isReady } from "../smoke/cluster.ts";
import type { MemberStatus, ServiceStatus } from "./machine.ts";
import type { Node, Status } from "./status.ts";

/** How many of the certificates that end next are shown. */
const shownCertificates = 3;

/** What is wrong, a line for each. */
export function faultsIn({ differences, faults }: Status): string[] {
  return [...describeDifferences(differences), ...faults];
}

/** The lines in which a status is shown. */
export function linesOf(status: Status, now: Date): string[] {
  const faults = faultsIn(status);
  const parts = [
    machineLines(status),
    serviceLines(status),
    memberLines(status),
    tableOf(status.certificates.slice(0, shownCertificates), now),
    faults,
  ];
  const end = faults.length === 0 ? "nothing is wrong" : `${faults.length} wrong`;
  return [...parts.flatMap((part) => (part.length === 0 ? [] : [...part, ""])), end];
}

function machineLines({ machines, nodes }: Status): string[] {
  const rows = [...machines].map(([name, machine]) => {
    const node = nodes.get(name);
    const state = node === undefined ? "-" : nodeState(node);
    if (machine === undefined) return [name, "-", "-", "-", "-", state];
    const { up, load, memory, disk } = machine;
    return [name, duration(up), load.toFixed(2), `${memory} %`, `${disk} %`, state];
  });
  return columns([["MACHINE", "UP", "LOAD", "MEMORY", "DISK", "NODE"], ...rows]);
}

function nodeState(node: Node): string {
  return [
    isReady(node) ? "Ready" : "not Ready",
    ...(node.spec.unschedulable ? ["cordoned"] : []),
  ].join(", ");
}

/** Services by version, and for each the machines with the age of the process; what does not run is a row of its own. */
function serviceLines({ machines }: Status): string[] {
  const rows = new Map<string, string[]>();
  for (const [name, machine] of machines)
    for (const service of machine?.services ?? []) {
      const key = [service.unit.replace(/\.service$/, ""), stateOf(service)].join("\t");
      const age = service.age === undefined ? "" : ` ${duration(service.age)}`;
      rows.set(key, [...(rows.get(key) ?? []), `${name}${age}`]);
    }
  const lines = [...rows].sort().map(([key, places]) => [...key.split("\t"), places.join(", ")]);
  return lines.length === 0 ? [] : columns([["SERVICE", "VERSION", "RUNS ON, FOR"], ...lines]);
}

function stateOf({ state, version = "-" }: ServiceStatus): string {
  return state === "active" ? version : state;
}

function memberLines({ machines }: Status): string[] {
  const rows = [...machines].flatMap(([name, machine]) =>
    machine?.member === undefined ? [] : [memberRow(name, machine.member)],
  );
  const head = ["MEMBER OF ETCD", "VERSION", "SIZE", "IN USE", "QUOTA", "ROLE"];
  return rows.length === 0 ? [] : columns([head, ...rows]);
}

function memberRow(name: string, { version, size, inUse, quota, role }: MemberStatus): string[] {
  return [name, version, mib(size), mib(inUse), mib(quota), role];
}

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** A time in the largest unit of which it has two, as kubectl shows ages. */
function duration(seconds: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const;
  const [unit, length] = units.find(([, length]) => seconds >= 2 * length) ?? (["s", 1] as const);
  return `${Math.floor(seconds / length)}${unit}`;
}
