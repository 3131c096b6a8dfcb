import type { ClusterFacts, MachineFacts } from "./cluster-facts.ts";
import type { Service } from "./service.ts";
import { unit } from "./systemd.ts";

const path = "/etc/kthw/shared-address.conf";
const run = "/run/shared-address";
const keepalived = "/usr/sbin/keepalived";

/** keepalived on a load balancer, which gives one of the load balancers the address that they share. */
export function sharedAddress(facts: ClusterFacts, loadBalancer: MachineFacts): Service {
  return {
    name: "shared-address",
    packages: ["keepalived", "curl"],
    // The unit of Debian's package reads another configuration.
    masks: ["keepalived.service"],
    unit: "shared-address.service",
    health: `kill -0 "$(cat ${run}/vrrp.pid)"`,
    reload: `${keepalived} --config-test --use-file ${path}`,
    files: [
      {
        path: "/etc/systemd/system/shared-address.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "The address that the load balancers of the Kubernetes API share",
            Documentation: "man:keepalived.conf(5)",
            // Where nginx is to be restarted, this stops first, so that another load balancer takes the address before.
            After: "network-online.target api-load-balancer.service",
            PartOf: "api-load-balancer.service",
          },
          Service: {
            Type: "notify",
            RuntimeDirectory: "shared-address",
            ExecStartPre: `/bin/sh -c "ip -4 -oneline address show to ${loadBalancer.address} | awk '{ print \\"interface \\" $$2 }' >${run}/interface"`,
            ExecStart: [
              keepalived,
              "--dont-fork --log-console --vrrp",
              `--use-file ${path}`,
              `--pid ${run}/pid`,
              `--vrrp_pid ${run}/vrrp.pid`,
            ].join(" \\\n  "),
            ExecReload: "/bin/kill -HUP $MAINPID",
            Restart: "always",
            RestartSec: "1",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path, mode: "0600", text: config(facts, loadBalancer) },
    ],
  };
}

/** What a load balancer is to the address when it is asked: `holder`; `member`, which knows the holder; or `new`. */
const standings = ["member", "holder", "new"];

/** A shell command that prints what a load balancer is to the address. */
export function asksStanding(address: string): string {
  return `if ip -4 -oneline address show to ${address} | grep -q .; then echo holder; elif [ -e ${path} ]; then echo member; else echo new; fi`;
}

/**
 * The order in which load balancers change, by what each of them said: the one that has the address after those that could take it, and new
 * ones once all others know them. Those that were not asked stay in the order of the settings.
 */
export function turnsOf(said: readonly (string | undefined)[]): number[] {
  const rank = (index: number) => standings.indexOf(said[index]?.trim() ?? "");
  return [...said.keys()].sort((one, other) => rank(one) - rank(other));
}

/**
 * Any answer of an API server will do: what an API server says of itself is the same through every load balancer. Equal priorities, so
 * that nothing but the health decides who has the address, and whoever has it keeps it.
 */
function config(
  { loadBalancers, sharedAddress, timeoutFactor }: ClusterFacts,
  { name, address }: MachineFacts,
): string {
  const peers = loadBalancers.filter((one) => one.name !== name);
  const most = 2 * timeoutFactor;
  return `global_defs {
  router_id ${name}
  vrrp_version 3
  script_user root
  enable_script_security
}

vrrp_script api {
  script "/usr/bin/curl --silent --insecure --output /dev/null --max-time ${most} https://127.0.0.1:6443/livez"
  interval 1
  timeout ${most + 1}
  fall 3
  rise 1
  init_fail
}

vrrp_instance api {
  include ${run}/interface
  state BACKUP
  nopreempt
  virtual_router_id 1
  priority 100
  advert_int ${0.5 * timeoutFactor}
  garp_master_refresh 10
  unicast_src_ip ${address}
  unicast_peer {
${peers.map((peer) => `    ${peer.address} # ${peer.name}\n`).join("")}  }
  virtual_ipaddress {
    ${sharedAddress}/32
  }
  track_script {
    api
  }
}
`;
}
