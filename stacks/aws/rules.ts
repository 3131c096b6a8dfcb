import type { Role } from "../../services/cluster-facts.ts";
import type { Client, Service } from "../../services/service.ts";

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

/** What the pod network sends between nodes. */
export type PodTraffic =
  /** Packets from pod to pod, as they are. */
  | { readonly kind: "routed"; readonly podCidr: string }
  /** Packets within those of a few ports or protocols of the nodes. */
  | {
      readonly kind: "overlay";
      readonly carriers: readonly Pick<Rule, "protocol" | "ports" | "what">[];
    };

const nodes = ["controller", "worker"] as const;

/** The services that listen on the machines of a role, or on the load balancer in place of a machine. */
export type Listeners = readonly Pick<Service, "name" | "ports" | "clients">[];

/** Every rule by which machines are reached, from the ports that services declare, the pod network, and the settings. */
export function rulesFor(
  services: ReadonlyMap<Role, Listeners>,
  /** The roles of machines. */
  roles: readonly Role[],
  pods: PodTraffic,
  outside: Outside,
): Rule[] {
  const ofServices = [...services].flatMap(([to, list]) =>
    list.flatMap(({ name, clients = {} }) =>
      Object.entries(clients).flatMap(([port, froms]) =>
        froms.flatMap((from) =>
          sources(from, outside.apiFrom).map((from) => tcp(to, from, Number(port), name)),
        ),
      ),
    ),
  );
  return [
    ...ofServices.filter(({ from }) => typeof from === "object" || services.has(from)),
    ...nodes.filter((to) => services.has(to)).flatMap((to) => podRules(to, services, pods)),
    ...roles.flatMap((to) => outside.sshFrom.map((cidr) => tcp(to, { cidr }, 22, "SSH"))),
    ...nodes
      .filter((to) => services.has(to))
      .flatMap((to) =>
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

function podRules(to: Role, services: ReadonlyMap<Role, Listeners>, pods: PodTraffic): Rule[] {
  const others = nodes.filter((from) => services.has(from));
  if (pods.kind === "overlay") {
    return others.flatMap((from) => pods.carriers.map((carrier) => ({ to, from, ...carrier })));
  }
  // What a node itself sends to a pod, such as a request that came in at a node port, has the node's address, and the group of the pod's
  // node cannot tell that from a request to the node. So the ports that no service of the node claims are the pods'.
  const claimed = (services.get(to) ?? []).flatMap(({ ports = [] }) => ports);
  return [
    { to, from: { cidr: pods.podCidr }, protocol: "-1", what: "from pods to pods" },
    ...others.flatMap((from) => [
      ...between([22, ...claimed]).map((ports) => ({
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
