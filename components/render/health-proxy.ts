import type { Service } from "./description.ts";
import { unit } from "./systemd.ts";

const configPath = "/etc/kthw/health-proxy.conf";

/** nginx that tells over plain HTTP whether the API server of its controller is healthy. */
export function healthProxyService(args: { readonly clusterDomain: string }): Service {
  return {
    name: "health-proxy",
    packages: ["nginx"],
    // Debian's starts a site of its own on this port.
    masks: ["nginx.service"],
    unit: "health-proxy.service",
    health: "bash -c '</dev/tcp/127.0.0.1/80'",
    reload: `/usr/sbin/nginx -t -q -c ${configPath}`,
    files: [
      {
        path: "/etc/systemd/system/health-proxy.service",
        text: unit({
          Unit: {
            Description: "Health of the Kubernetes API server over plain HTTP",
            Documentation: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
            After: "network-online.target",
          },
          Service: {
            ExecStart: `/usr/sbin/nginx -c ${configPath}`,
            ExecReload: "/bin/kill -HUP $MAINPID",
            Restart: "always",
            RestartSec: "1",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: configPath, text: nginxConfig(args.clusterDomain) },
    ],
  };
}

/** The API server is the one of this machine and its answer no secret, so its certificate is not looked at. */
function nginxConfig(clusterDomain: string): string {
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
