import { stringify } from "yaml";
import type { MachineFacts } from "../services/cluster-facts.ts";

/** What cloud-init does at the first boot of a machine. */
export interface FirstBoot {
  /** The machine's host name. */
  readonly name: string;
  /** The machine's SSH host key, in the forms of OpenSSH. */
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  /** The public key with which the operator becomes root. */
  readonly operatorKey: string;
  /** All machines, whose names and addresses the machine knows. */
  readonly machines: readonly MachineFacts[];
}

/** The user data of a machine: https://cloudinit.readthedocs.io/en/22.4.2/topics/modules.html */
export function userData({ name, hostKey, operatorKey, machines }: FirstBoot): string {
  return `#cloud-config\n${yaml({
    hostname: name,
    // /etc/hosts is a file of the program's.
    manage_etc_hosts: false,
    users: [{ name: "root", ssh_authorized_keys: [operatorKey.trim()] }],
    disable_root: false,
    // EC2 offers the key of the stack's first key pair for ever, whatever the operator's key is today.
    allow_public_ssh_keys: false,
    ssh_pwauth: false,
    ssh_deletekeys: true,
    ssh_keys: {
      ed25519_private: `${hostKey.privateKey.trim()}\n`,
      ed25519_public: hostKey.publicKey.trim(),
    },
    write_files: [
      { path: "/etc/hosts", permissions: "0644", content: hostsFile(machines) },
      {
        path: "/etc/ssh/sshd_config.d/10-kthw.conf",
        permissions: "0644",
        // Several connections at a time are not yet authenticated.
        content: "MaxStartups 100:30:200\n",
      },
    ],
  })}`;
}

/** The metadata of a machine; cloud-init takes a machine with another id for a new one. */
export function metaData(id: string, name: string): string {
  return yaml({ "instance-id": id, "local-hostname": name });
}

/** A network card with a fixed address. */
export interface FixedAddress {
  readonly mac: string;
  /** The address with the length of its network's prefix. */
  readonly address: string;
  readonly gateway: string;
  readonly nameServers: readonly string[];
}

/** The network configuration of a machine with one card, in version 2: https://cloudinit.readthedocs.io/en/22.4.2/topics/network-config-format-v2.html */
export function networkConfig({ mac, address, gateway, nameServers }: FixedAddress): string {
  return yaml({
    version: 2,
    ethernets: {
      machine: {
        match: { macaddress: mac },
        dhcp4: false,
        dhcp6: false,
        // So that netplan waits for no router of IPv6 at boot. Where networkd stands alone, cloud-init 22.4 drops it beside a fixed address.
        "accept-ra": false,
        addresses: [address],
        // cloud-init 22.4 does not understand the word default.
        routes: [{ to: "0.0.0.0/0", via: gateway }],
        nameservers: { addresses: nameServers },
      },
    },
  });
}

/** The text of /etc/hosts with the names and addresses of all machines. */
export function hostsFile(machines: readonly MachineFacts[]): string {
  return [
    "127.0.0.1 localhost",
    "::1 localhost ip6-localhost ip6-loopback",
    ...machines.map(({ name, address }) => `${address} ${name}`),
    "",
  ].join("\n");
}

/** cloud-init reads YAML 1.1, in which a MAC address without quotes can be a number. */
function yaml(value: unknown): string {
  return stringify(value, { version: "1.1", lineWidth: 0 });
}
