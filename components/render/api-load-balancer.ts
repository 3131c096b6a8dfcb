import type { Service } from "./description.ts";
import { unit } from "./systemd.ts";

const configPath = "/etc/kthw/api-load-balancer.conf";

/** nginx that spreads TCP connections to the API over the controllers, on 6443 and 443. */
export function apiLoadBalancerService(
  backends: readonly { readonly name: string; readonly address: string }[],
): Service {
  return {
    name: "api-load-balancer",
    packages: ["nginx", "libnginx-mod-stream"],
    // Debian's own site, on port 80.
    masks: ["nginx.service"],
    unit: "api-load-balancer.service",
    health: "bash -c '</dev/tcp/127.0.0.1/6443'",
    reload: `/usr/sbin/nginx -t -q -c ${configPath}`,
    files: [
      {
        path: "/etc/systemd/system/api-load-balancer.service",
        text: unit({
          Unit: {
            Description: "Load balancer of the Kubernetes API",
            Documentation: "https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html",
            After: "network-online.target",
          },
          Service: {
            ExecStart: `/usr/sbin/nginx -c ${configPath}`,
            ExecReload: "/bin/kill -HUP $MAINPID",
            Restart: "always",
            RestartSec: "1",
            LimitNOFILE: "65536",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: configPath, text: nginxConfig(backends) },
    ],
  };
}

function nginxConfig(
  backends: readonly { readonly name: string; readonly address: string }[],
): string {
  return `daemon off;
user www-data;
worker_processes auto;
worker_rlimit_nofile 65535;
pid /run/api-load-balancer.pid;
error_log stderr;
include /etc/nginx/modules-enabled/*.conf;

events {
  worker_connections 16384;
}

stream {
  upstream api {
    least_conn;
${backends.map(({ name, address }) => `    server ${address}:6443 max_fails=2 fail_timeout=10s; # ${name}\n`).join("")}  }

  server {
    listen 6443 so_keepalive=on;
    listen 443 so_keepalive=on;
    proxy_pass api;
    proxy_connect_timeout 1s;
    proxy_timeout 1h;
    proxy_socket_keepalive on;
  }
}
`;
}
