import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../node/host.ts";
import { rolling } from "../node/rolling.ts";
import type { ClusterFacts } from "../services/cluster-facts.ts";
import type { controlPlaneServices } from "../services/roles.ts";
import { type Left, passed } from "../settings/state.ts";
import { ApiLoadBalancer } from "./api-load-balancer.ts";
import type { Placement, Texts } from "./placement.ts";

/** A controller, its services and the bundle of their credentials. */
export interface Controller {
  readonly host: Host;
  readonly services: ReturnType<typeof controlPlaneServices>;
  readonly bundle: pulumi.Resource;
}

export interface ApiServersArgs {
  readonly facts: ClusterFacts;
  /** Whether the API has been up before: each change then leaves it up. */
  readonly isFounded: boolean;
  readonly controllers: readonly Controller[];
  /** The hosts of the API's load balancers; none where others balance the API, or where it has one controller. */
  readonly loadBalancers: readonly Host[];
  readonly etcd: {
    readonly members: readonly pulumi.Resource[];
    readonly ready: readonly pulumi.Resource[];
  };
  /** The resources that the update before has left. */
  readonly state: readonly Left[];
  readonly placement: Placement;
  /** The texts that API servers read. */
  readonly texts: Texts;
}

/** What others wait for. */
export interface ApiServers {
  /** The API servers, of which each waits for the one before it if the API has been up before. */
  readonly placed: readonly pulumi.Resource[];
  /** The gates after which those that join answer, and the health proxies of all. */
  readonly answer: readonly pulumi.Resource[];
  /** The gates after which the load balancers balance them. */
  readonly balanced: readonly pulumi.Resource[];
}

/**
 * Puts the API servers on controllers, one after another if the API has been up before, and their load balancers. API servers that join answer requests before the others
 * restart, which they do to know the new members of etcd: so the load balancers change between those and these.
 */
export function placeApiServers(parent: pulumi.Resource, args: ApiServersArgs): ApiServers {
  const { facts, isFounded, controllers, loadBalancers, etcd, state, placement, texts } = args;
  const readyBefore = passed(state, "control-plane-healthy");
  const joinedBefore = passed(state, "kube-apiserver-joined");
  const joins = ({ host }: Controller) => isFounded && !readyBefore.has(host.machine.name);

  const place = (some: readonly Controller[], dependsOn: readonly pulumi.Resource[]) => {
    const placed = rolling(
      some,
      isFounded ? 1 : some.length,
      ({ host, services, bundle }, before) =>
        placement.service(host, services.apiserver, {
          dependsOn: [...(isFounded ? etcd.ready : etcd.members), bundle, ...dependsOn, ...before],
          texts,
        }),
    );
    const answer = some.flatMap((controller, index) => {
      const { host, services } = controller;
      const after = { parent, dependsOn: [placed[index]!] };
      return [
        services.healthProxy && placement.service(host, services.healthProxy, after),
        (joins(controller) || joinedBefore.has(host.machine.name)) &&
          host.healthy("kube-apiserver-joined", [services.apiserver.name], after),
      ].filter((one) => one instanceof pulumi.Resource);
    });
    return { placed, answer };
  };
  const balance = (dependsOn: readonly pulumi.Resource[]) =>
    loadBalancers.length > 0
      ? new ApiLoadBalancer(
          "api",
          { facts, hosts: loadBalancers, dependsOn },
          { parent, aliases: [{ parent: pulumi.rootStackResource }] },
        ).ready
      : [];

  const joining = place(controllers.filter(joins), []);
  const balancedFirst = joining.placed.length > 0 ? balance(joining.answer) : [];
  const staying = place(
    controllers.filter((controller) => !joins(controller)),
    [...joining.answer, ...balancedFirst],
  );
  return {
    placed: [...joining.placed, ...staying.placed],
    answer: [...joining.answer, ...staying.answer],
    balanced: joining.placed.length > 0 ? balancedFirst : balance(isFounded ? staying.placed : []),
  };
}
