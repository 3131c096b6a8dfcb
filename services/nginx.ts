import type { Service } from "./service.ts";
import { type Unit, unit } from "./systemd.ts";

/** An nginx process with a unit and a configuration of its own. */
export interface Nginx {
  readonly name: string;
  readonly description: string;
  /** URL of the manual of the nginx module in use. */
  readonly documentation: string;
  /** Debian packages of further nginx modules. */
  readonly modules?: readonly string[];
  /** TCP ports on which nginx listens; it is healthy once it takes connections on the first. */
  readonly ports: readonly [number, ...number[]];
  readonly clients: NonNullable<Service["clients"]>;
  readonly Service?: Unit["Service"];
  /** The whole configuration. */
  readonly config: string;
}

/** A service that runs nginx in the foreground, and reloads a changed configuration that passes nginx's own check. */
export function nginxService({ name, modules = [], ports, config, ...about }: Nginx): Service {
  const path = `/etc/kthw/${name}.conf`;
  return {
    name,
    packages: ["nginx", ...modules],
    // The unit of Debian's package serves a site on port 80.
    masks: ["nginx.service"],
    unit: `${name}.service`,
    ports,
    clients: about.clients,
    health: `bash -c '</dev/tcp/127.0.0.1/${ports[0]}'`,
    reload: `/usr/sbin/nginx -t -q -c ${path}`,
    files: [
      {
        path: `/etc/systemd/system/${name}.service`,
        mode: "0600",
        text: unit({
          Unit: {
            Description: about.description,
            Documentation: about.documentation,
            After: "network-online.target",
          },
          Service: {
            ExecStart: `/usr/sbin/nginx -c ${path}`,
            ExecReload: "/bin/kill -HUP $MAINPID",
            Restart: "always",
            RestartSec: "1",
            ...about.Service,
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path, mode: "0600", text: config },
    ],
  };
}
