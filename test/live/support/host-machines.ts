import { randomUUID } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeKeyPair } from "./key-pair.ts";
import type { LiveStack } from "./live-stack.ts";
import { ownPorts } from "./own.ts";
import { output } from "./run.ts";

const scripts = fileURLToPath(new URL("../../../stacks/local", import.meta.url));

/** The user of SSH on hosts. */
export const user = "ada";

/** Port on 127.0.0.1 of the API. */
export const apiPort = ownPorts + 643;

/** Makes machines, with host keys of two kinds, that are no resources of a stack, by name and address; the user may log in and become root. */
export async function makeHosts(
  stack: LiveStack,
  addresses: Readonly<Record<string, string>>,
  apiTarget: string,
): Promise<void> {
  await stack.beginWithoutBinaries();
  const local = (script: string, environment: NodeJS.ProcessEnv, input: string) =>
    output(join(scripts, script), ["create"], {
      input,
      env: {
        ...process.env,
        KTHW_STACK: stack.name,
        KTHW_GATEWAY: "10.240.0.1/24",
        KTHW_BOOT: randomUUID(),
        ...environment,
      },
      timeoutSeconds: 300,
    });
  const operator = await makeKeyPair();
  const network = { KTHW_API_PORT: `${apiPort}`, KTHW_API_TARGET: apiTarget };
  await local("network.sh", network, operator.privateKey);
  for (const [name, address] of Object.entries(addresses)) {
    const machine = {
      KTHW_NAME: name,
      KTHW_ADDRESS: `${address}/24`,
      KTHW_SSH_PORT: `${sshPort(address)}`,
      KTHW_MIRROR: stack.mirror,
      KTHW_DISK: randomUUID().replaceAll("-", ""),
    };
    const host = await makeKeyPair(name === "worker1" ? "ecdsa" : "ed25519");
    await local("machine.sh", machine, operator.publicKey + host.privateKey);
    await chmod(join(stack.machines.folder, name, "ssh/authorized_keys"), 0o644);
    // The mirror has the same path on every machine; only root has to reach the mirror.
    await stack.machines.inside(
      name,
      `set -e
       useradd --create-home --shell /bin/bash ${user}
       echo '${user} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/${user}
       install -d -m 0700 ${join(stack.mirror, "..")}
       ln -s /opt/kthw-mirror ${stack.mirror}`,
    );
  }
}

/** Port on 127.0.0.1 that leads to the SSH port of an address. */
export function sshPort(address: string): number {
  return ownPorts + Number(address.split(".")[3]);
}

/** The public host key of a host. */
export async function hostKey(stack: LiveStack, name: string): Promise<string> {
  return (
    await output("ssh-keygen", ["-y", "-f", join(stack.machines.folder, name, "ssh/host_key")])
  ).trim();
}

/** The private key of the user. */
export function keyFile(stack: LiveStack): string {
  return join(stack.machines.folder, "../operator-key");
}

/** Lists the files, mounts, processes, interfaces, routes and packet filters of a host, each as a line. */
export async function lookAtHost(stack: LiveStack, name: string): Promise<ReadonlySet<string>> {
  const said = await stack.machines.inside(name, lookScript);
  return new Set(said.split("\n").filter((line) => line !== ""));
}

// Mounts are folders that exist on every machine, full or empty. Files with users are compared by content, not by time.
const lookScript = `
find / /var/lib/containerd /var/lib/kubelet -xdev \\( -path /tmp -o -path /var/log/journal -o -path /var/lib/etcd \\
  -o -path /var/lib/systemd -o -path /var/lib/sudo -o -path /var/tmp \\) -prune -o \\
  ! -path /var/lib/containerd ! -path /var/lib/kubelet ! -path '/home/*/.cache*' \\
  ! -path '/etc/passwd*' ! -path '/etc/shadow*' ! -path '/etc/group*' ! -path '/etc/gshadow*' ! -path '/etc/sub[ug]id*' \\
  \\( -type d -printf 'folder %p %m %u:%g\\n' -o -type l -printf 'link %p %l\\n' -o -printf 'file %p %m %u:%g %s %T@\\n' \\)
for file in passwd shadow group gshadow subuid subgid; do sed "s/^/$file /" /etc/$file; done
awk '{ print "mount", $2, $3 }' /proc/self/mounts
processes=$(ps -eo args=)
grep -v -e '^ps ' -e '^bash -c' -e '^sshd: ' -e systemd-timedated -e '(sd-pam)' <<<"$processes" | sed 's/^/process /' | sort -u
ip -o link | awk '{ print "interface", $2 }'
ip route show table all | sed 's/^/route /'
ip netns list | sed 's/^/namespace /'
for command in iptables-save ip6tables-save; do
  $command 2>/dev/null | grep -e '^-A' -e '^:[^ ]* - ' | sed "s/^/$command /; s/ \\[.*//"
done
find /sys/fs/cgroup -path '*kubepods*' | sed 's/^/group /'
`;
