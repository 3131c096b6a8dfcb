import type { ClusterFacts } from "./cluster-facts.ts";
import { nginxService } from "./nginx.ts";
import type { Service } from "./service.ts";

/** nginx that reports over plain HTTP whether the API server of its controller is healthy. */
export function healthProxy({ clusterDomain }: ClusterFacts): Service {
  return nginxService({
    name: "health-proxy",
    description: "Health of the Kubernetes API server over plain HTTP",
    documentation: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
    ports: [80],
    clients: { 80: ["loadBalancer"] },
    config: config(clusterDomain),
  });
}

/** nginx does not verify the API server's certificate: the API server is on the same machine, and the answer is no secret. */
function config(clusterDomain: string): string {
  return `daemon off;
user www-data;
worker_processes 1;
pid /run/health-proxy.pid;
error_log stderr;

events {
  worker_connections 256;
}

http {
  access_log off;
  server_tokens off;

  server {
    listen 80;
    server_name kubernetes.default.svc.${clusterDomain};

    location = /healthz {
      proxy_pass https://127.0.0.1:6443/healthz;
      proxy_ssl_name kubernetes.default.svc.${clusterDomain};
      proxy_ssl_server_name on;
      proxy_connect_timeout 2s;
      proxy_read_timeout 5s;
    }

    location / {
      return 404;
    }
  }
}
`;
}
