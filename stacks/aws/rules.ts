import type { Role } from "../../services/cluster-facts.ts";
import type { Client, OtherTraffic, Service } from "../../services/service.ts";

/** Traffic that a security group lets in. */
export interface Rule {
  /** The security group that lets it in. */
  readonly to: Role;
  /** The security group or the network that it comes from. */
  readonly from: Role | { readonly cidr: string };
  /** A name of AWS's, or a number of IP; -1 for all. */
  readonly protocol: string;
  /** First and last port; undefined for a protocol without ports. */
  readonly ports?: readonly [number, number];
  readonly what: string;
}

/** Networks of the settings that may reach the machines from outside. */
export interface Outside {
  readonly sshFrom: readonly string[];
  readonly apiFrom: readonly string[];
  readonly nodePortsFrom: readonly string[];
}

const nodeRoles = ["controller", "worker"] as const;
const ssh = 22;

/** The services that listen on the machines of a role, or on the load balancer in place of a machine. */
export type Listeners = readonly Pick<Service, "name" | "ports" | "clients" | "otherTraffic">[];

/** Every rule by which machines are reached, from what services declare, the pod network, and the settings. */
export function rulesFor(
  services: ReadonlyMap<Role, Listeners>,
  args: {
    /** The roles of machines. */
    readonly roles: readonly Role[];
    /** The range of all pods, where their own addresses are on the wire between machines. */
    readonly routedPods: string | undefined;
    readonly outside: Outside;
  },
): Rule[] {
  const { roles, routedPods, outside } = args;
  const nodes = nodeRoles.filter((role) => services.has(role));
  const ofServices = [...services].flatMap(([to, list]) =>
    list.flatMap(({ name, clients = {}, otherTraffic = [] }) => [
      ...Object.entries(clients).flatMap(([port, froms]) =>
        froms.flatMap((from) =>
          sources(from, outside.apiFrom).map((from) => tcp(to, from, Number(port), name)),
        ),
      ),
      ...otherTraffic.flatMap((traffic) => nodes.map((from) => other(to, from, traffic, name))),
    ]),
  );
  return [
    ...ofServices.filter(({ from }) => typeof from === "object" || services.has(from)),
    ...(routedPods === undefined
      ? []
      : nodes.flatMap((to) => podRules(to, services.get(to)!, nodes, routedPods))),
    ...roles.flatMap((to) => outside.sshFrom.map((cidr) => tcp(to, { cidr }, ssh, "SSH"))),
    ...nodes.flatMap((to) =>
      outside.nodePortsFrom.flatMap((cidr) =>
        ["tcp", "udp"].map((protocol) => ({
          to,
          from: { cidr },
          protocol,
          ports: [30_000, 32_767] as const,
          what: "node ports",
        })),
      ),
    ),
  ];
}

function sources(from: Client, apiFrom: readonly string[]): Rule["from"][] {
  return from === "operator" ? apiFrom.map((cidr) => ({ cidr })) : [from];
}

function tcp(to: Role, from: Rule["from"], port: number, what: string): Rule {
  return { to, from, protocol: "tcp", ports: [port, port], what };
}

function other(to: Role, from: Role, traffic: OtherTraffic, what: string): Rule {
  return "udpPort" in traffic
    ? { to, from, protocol: "udp", ports: [traffic.udpPort, traffic.udpPort], what }
    : { to, from, protocol: `${traffic.ipProtocol}`, what };
}

/**
 * What a node itself sends to a pod, such as a request that came in at a node port, has the address of the node, and the group of the
 * pod's node cannot tell that from a request to the node. So the ports that no service of a node claims are open to the other nodes.
 */
function podRules(
  to: Role,
  services: Listeners,
  nodes: readonly Role[],
  routedPods: string,
): Rule[] {
  const claimed = services.flatMap(({ ports = [] }) => ports);
  return [
    { to, from: { cidr: routedPods }, protocol: "-1", what: "from pods to pods" },
    ...nodes.flatMap((from) => [
      ...between([ssh, ...claimed]).map((ports) => ({
        to,
        from,
        protocol: "tcp",
        ports,
        what: "from nodes to pods",
      })),
      { to, from, protocol: "udp", ports: [0, 65_535] as const, what: "from nodes to pods" },
    ]),
  ];
}

/** The ranges of ports between those that are given. */
function between(ports: readonly number[]): (readonly [number, number])[] {
  const sorted = [-1, ...new Set(ports), 65_536].sort((a, b) => a - b);
  return sorted.slice(1).flatMap((port, index) => {
    const range = [sorted[index]! + 1, port - 1] as const;
    return range[0] <= range[1] ? [range] : [];
  });
}
