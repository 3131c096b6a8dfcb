import type { ClusterFacts } from "../../services/cluster-facts.ts";
import type { KernelNeed } from "../../services/kernel.ts";
import type { Service } from "../../services/service.ts";
import { unit } from "../../services/systemd.ts";
import { podNetwork } from "../pod-network.ts";
import type { Weave } from "./settings.ts";

/** The version of Weave Net, of the maintained fork https://github.com/rajch/weave. */
export const weaveVersion = "2.9.0";

const cniFolder = "/etc/cni/net.d";
const conflist = "10-weave.conflist";
const plugin = `/opt/cni/bin/weave-plugin-${weaveVersion}`;
const removePath = "/usr/local/libexec/kthw/weave-remove";

/** Weave Net on one machine: its kernel modules, and the removal of what its pods leave behind; the rest is done by the pods. */
export function weaveService({ podCidr }: ClusterFacts, weave: Weave): Service {
  const kernel = kernelNeeds(weave);
  const modules = kernel.flatMap(({ modules }) => Object.keys(modules));
  return {
    name: podNetwork,
    kernel,
    requires: [noOtherConfiguration, ownMachineId, noLegacyBackend],
    packages: ["ipset", "iptables"],
    unit: `${podNetwork}.service`,
    ports: [6781, 6782, 6783, 6784],
    clients: { 6783: ["controller", "worker"] },
    otherTraffic: [
      { udpPort: 6783 },
      ...(weave.fastDatapath ? [{ udpPort: 6784 }] : []),
      ...(weave.fastDatapath && weave.password !== undefined ? [{ ipProtocol: esp }] : []),
    ],
    teardown: [removePath, "kthw-node drop-chains WEAVE", "kthw-node drop-chains CNI-", dropSets],
    data: [
      `${cniFolder}/${conflist}`,
      "/opt/cni/bin/weave-ipam",
      "/opt/cni/bin/weave-net",
      plugin,
      "/var/lib/cni",
      "/var/lib/weave",
    ],
    ownFolders: ["/var/lib/weave"],
    files: [
      {
        path: `/etc/systemd/system/${podNetwork}.service`,
        mode: "0600",
        text: unit({
          Unit: {
            Description: `Kernel modules of Weave Net, the network of the pods in ${podCidr}`,
            Before: "kubelet.service",
          },
          Service: {
            Type: "oneshot",
            RemainAfterExit: "yes",
            // A part that is built in is no module, and a container loads none.
            ExecStart: [
              // Without an interface dummy0.
              "-/sbin/modprobe dummy numdummies=0",
              `-/sbin/modprobe --all ${modules.join(" ")}`,
            ],
          },
          Install: { WantedBy: "multi-user.target" },
        }),
      },
      { path: removePath, text: removeScript, mode: "0755", live: true },
    ],
  };
}

/** The number of the IP protocol in which the fast datapath encrypts. */
const esp = 50;

/** https://github.com/rajch/weave: what Weave Net and its network policies need of the kernel. */
function kernelNeeds({ fastDatapath, password }: Weave): KernelNeed[] {
  const kernel = "load the modules, use a kernel that has them, such as Debian's";
  return [
    {
      by: "network weave",
      modules: {
        br_netfilter: "BRIDGE_NETFILTER",
        bridge: "BRIDGE",
        // Even the bridge of the user-space datapath is made by way of a dummy interface.
        dummy: "DUMMY",
        ip_set: "IP_SET",
        ip_set_hash_ip: "IP_SET_HASH_IP",
        ip_set_hash_net: "IP_SET_HASH_NET",
        ip_set_list_set: "IP_SET_LIST_SET",
        nfnetlink_log: "NETFILTER_NETLINK_LOG",
        veth: "VETH",
        xt_NFLOG: "NETFILTER_XT_TARGET_NFLOG",
        xt_physdev: "NETFILTER_XT_MATCH_PHYSDEV",
        xt_set: "NETFILTER_XT_SET",
      },
      todo: `${kernel}, or another network`,
    },
    ...(fastDatapath
      ? [
          {
            by: "weave.fastDatapath",
            modules: { openvswitch: "OPENVSWITCH", vport_vxlan: "OPENVSWITCH_VXLAN" },
            todo: `${kernel}, or set weave.fastDatapath to false`,
          },
        ]
      : []),
    ...(fastDatapath && password !== undefined
      ? [
          {
            by: "weave.password with weave.fastDatapath",
            modules: { esp4: "INET_ESP", xfrm_user: "XFRM_USER" },
            todo: `${kernel}, or set weave.fastDatapath to false`,
          },
        ]
      : []),
  ];
}

/** The container runtime takes the first configuration by name. */
const noOtherConfiguration = [
  `first=$(find ${cniFolder} -maxdepth 1 -name "*.conf*" -printf "%f\\n" 2>/dev/null | LC_ALL=C sort | head -n 1);`,
  `test -z "$first" -o "$first" = ${conflist} -o "$(printf "%s\\n" "$first" ${conflist} | LC_ALL=C sort | head -n 1)" = ${conflist} ||`,
  `{ echo "the configuration of another network comes before ${conflist}, got ${cniFolder}/$first; move it away, or make the machine anew"; false; }`,
].join(" ");

/** Weave Net names its peers after the machine id and the id of the board, which the images of machines must not share. */
const ownMachineId =
  'grep --quiet --extended-regexp "^[0-9a-f]{32}$" /etc/machine-id || { echo "no machine id, after which weave names its peers, got $(cat /etc/machine-id 2>&1); run systemd-machine-id-setup, and let the image of the machines ship /etc/machine-id empty"; false; }';

/** Weave Net's rules are nftables', and would have no order with those of kube-proxy in the legacy packet filter. */
const noLegacyBackend =
  'said=$(iptables --version 2>/dev/null) || exit 0; case $said in *legacy*) echo "iptables uses its legacy backend, got $said; run update-alternatives --set iptables /usr/sbin/iptables-nft"; false ;; esac';

/** A set is destroyed once no other set lists it. */
const dropSets =
  "for verb in flush destroy; do ipset list -name | sed -n '/^weave/p' | while read -r set; do ipset $verb $set; done; done";

const removeScript = `#!/bin/bash
# Removes the interfaces and packet filter rules that the pods of Weave Net made on this machine.
set -euo pipefail
# Only Weave Net's own program removes a datapath of Open vSwitch.
if [[ -e /sys/class/net/datapath && -x ${plugin} ]]; then
  ${plugin} delete-datapath datapath
fi
ip -o link show | sed -n 's/^[0-9]*: \\(weave\\|vethwe[^:@]*\\|vxlan-6784\\)[:@].*/\\1/p' | while read -r name; do
  # The other end of a pair may have gone with the first.
  ip link delete "$name" 2>/dev/null || [[ ! -e /sys/class/net/$name ]]
done
# The chains go by \`kthw-node drop-chains\`.
iptables-save | sed -nE '/^\\*|^COMMIT/p; / -[io] weave |"Block non-local access to Weave Net control port"/s/^-A/-D/p' | iptables-restore --noflush
`;
