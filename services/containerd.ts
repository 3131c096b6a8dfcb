import { proxyFile } from "../node/downloads.ts";
import type { MachineTraits } from "../node/machine.ts";
import type { ClusterFacts, NodeFacts } from "./cluster-facts.ts";
import type { Service } from "./service.ts";
import { startTimeout, unit } from "./systemd.ts";

const socket = "/run/containerd/containerd.sock";
/** The group whose members may use the socket; that amounts to root's rights. */
const group = "kubernetes";

/** The container runtime of a node. */
export function containerd(facts: ClusterFacts, { traits }: Pick<NodeFacts, "traits">): Service {
  const { folders, images } = facts;
  // A container shares modules with the computer around it, and all kernel settings except those of its network.
  const { container } = traits;
  return {
    name: "containerd",
    binaries: ["containerd", "runc", "cni-plugins", "crictl"],
    commands: ["crictl"],
    packages: ["conntrack", "ebtables", "ipset", "iptables", "socat"],
    users: [group],
    credentials: [
      // Go's programs look for proxies when they start.
      ...(facts.isProxied
        ? [{ path: proxyFile, origin: { kind: "text", name: "proxy" }, elsewhere: true } as const]
        : []),
      ...facts.registryFiles.map(
        (path) => ({ path, origin: { kind: "text", name: path }, live: true }) as const,
      ),
    ],
    directories: [
      { path: "/etc/cni/net.d", mode: "0755", owner: "root:root" },
      { path: "/opt/cni/bin", mode: "0755", owner: "root:root" },
    ],
    unit: "containerd.service",
    health: `test -S ${socket}`,
    data: ["/opt/containerd", "/run/containerd", "/var/lib/containerd"],
    ownFolders: ["/etc/cni/net.d", "/etc/containerd", "/var/lib/containerd"],
    files: [
      {
        path: "/etc/systemd/system/containerd.service",
        mode: "0600",
        text: unit({
          Unit: {
            Description: "containerd container runtime",
            Documentation: "https://containerd.io",
            After: "network.target local-fs.target",
          },
          Service: {
            Type: "notify",
            Environment: `PATH=${folders.containerd}:${folders.runc}:/usr/sbin:/usr/bin:/sbin:/bin`,
            ...(facts.isProxied && { EnvironmentFile: proxyFile }),
            ExecStartPre: [
              ...(container ? [] : ["-/sbin/modprobe --all overlay br_netfilter"]),
              "/sbin/sysctl --quiet --load=/etc/sysctl.d/90-kubernetes.conf",
            ],
            ExecStart: `${folders.containerd}/containerd`,
            ExecStartPost: [
              // containerd creates the socket at each start, and its configuration takes the group only as a number.
              `-/bin/chgrp ${group} ${socket}`,
              "/usr/local/bin/kthw-node import-images",
            ],
            Restart: "always",
            RestartSec: "2",
            ...startTimeout(facts),
            Delegate: "yes",
            KillMode: "process",
            OOMScoreAdjust: "-999",
            LimitNOFILE: "1048576",
            LimitNPROC: "infinity",
            LimitCORE: "infinity",
            TasksMax: "infinity",
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      {
        path: "/etc/containerd/config.toml",
        mode: "0600",
        text: containerdConfig({
          cniPlugins: folders.cniPlugins,
          pauseImage: images.pause,
          traits,
        }),
      },
      {
        // For the members of the group, too.
        path: "/etc/crictl.yaml",
        text: `runtime-endpoint: unix://${socket}\n`,
        live: true,
      },
      {
        path: "/etc/sysctl.d/90-kubernetes.conf",
        text: `net.ipv4.ip_forward = 1\n${container ? "" : "net.bridge.bridge-nf-call-iptables = 1\nnet.bridge.bridge-nf-call-ip6tables = 1\n"}`,
      },
      ...(container
        ? []
        : [{ path: "/etc/modules-load.d/kubernetes.conf", text: "overlay\nbr_netfilter\n" }]),
    ],
  };
}

/** https://github.com/containerd/containerd/blob/main/docs/cri/config.md */
function containerdConfig(args: {
  /** Folder of the plugins. */
  readonly cniPlugins: string;
  /** Image of the container that holds a pod's namespaces. */
  readonly pauseImage: string;
  readonly traits: MachineTraits;
}): string {
  return `version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '${args.pauseImage}'

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = '/etc/containerd/certs.d'

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = ${args.traits.restrictOomScoreAdj}

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['${args.cniPlugins}', '/opt/cni/bin']
  conf_dir = '/etc/cni/net.d'

[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = 'runc'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = ${args.traits.cgroupVersion === 2}
`;
}
