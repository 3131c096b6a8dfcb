import type { ClusterFacts, MachineFacts } from "./cluster-facts.ts";
import { nginxService } from "./nginx.ts";
import type { Client, Service } from "./service.ts";

/** Who connects to the API's endpoint. */
export const apiClients: readonly Client[] = ["controller", "worker", "operator"];

/** nginx that spreads TCP connections to the API over the controllers, on 6443 and 443. */
export function apiLoadBalancer({ controllers }: ClusterFacts): Service {
  return nginxService({
    name: "api-load-balancer",
    description: "Load balancer of the Kubernetes API",
    documentation: "https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html",
    modules: ["libnginx-mod-stream"],
    ports: [6443, 443],
    clients: { 6443: apiClients, 443: apiClients },
    Service: { LimitNOFILE: "65536" },
    config: config(controllers),
  });
}

function config(backends: readonly MachineFacts[]): string {
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
