import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { artifacts, guestImages, images } from "../../../components/versions.ts";
import { agnhost, architecture, list, readyNodes, version } from "./cluster.ts";
import { makeKeyPair } from "./key-pair.ts";
import type { LiveStack } from "./live-stack.ts";
import { ownPorts } from "./own.ts";
import { eventually, output, step } from "./run.ts";

const machineScript = fileURLToPath(new URL("../../../stacks/local/machine.sh", import.meta.url));
const mirror = "/opt/kthw-mirror";

/** A machine in a stack's network that is no resource of the stack. */
export class GuestMachine {
  readonly name = "guest1";
  readonly address = "10.240.0.50";
  readonly #stack: LiveStack;

  private constructor(stack: LiveStack) {
    this.#stack = stack;
  }

  /** Boots an empty machine, which is removed with the stack. */
  static async create(stack: LiveStack): Promise<GuestMachine> {
    const guest = new GuestMachine(stack);
    const [operator, host] = [await makeKeyPair(), await makeKeyPair()];
    await output(machineScript, ["create"], {
      input: operator.publicKey + host.privateKey,
      env: {
        ...process.env,
        KTHW_STACK: stack.name,
        KTHW_NAME: guest.name,
        KTHW_ADDRESS: `${guest.address}/24`,
        KTHW_GATEWAY: "10.240.0.1/24",
        KTHW_SSH_PORT: `${ownPorts + 50}`,
        KTHW_MIRROR: stack.mirror,
        KTHW_DISK: randomUUID().replaceAll("-", ""),
        KTHW_BOOT: randomUUID(),
      },
    });
    return guest;
  }

  /** Installs what the instructions for kubeadm on kubernetes.io ask for, and imports images that cannot be pulled here. */
  async prepare(): Promise<void> {
    const all = artifacts(version, architecture);
    const { pause, coredns } = images(version, architecture);
    const { kubeProxy } = guestImages(version, architecture);
    const at = (name: keyof typeof all) => `${mirror}/${all[name].file}`;
    await this.inside(`set -e
      mkdir -p /opt/cni/bin /etc/containerd /etc/cni/net.d /usr/lib/systemd/system/kubelet.service.d
      tar -C /usr/local -xzf ${at("containerd")}
      tar -C /opt/cni/bin -xzf ${at("cni-plugins")}
      tar -C /usr/local/bin -xzf ${at("crictl")}
      install -m 0755 ${at("runc")} /usr/local/sbin/runc
      install -m 0755 ${at("kubelet")} ${at("kubeadm")} ${at("kubectl")} /usr/bin/
      sysctl --quiet --write net.ipv4.ip_forward=1`);
    // All machines share the kernel of this computer, so that the same configuration fits.
    const config = await this.#stack.machines.inside("worker1", "cat /etc/containerd/config.toml");
    await this.#place("/etc/containerd/config.toml", config);
    await this.#place("/etc/systemd/system/containerd.service", containerdUnit);
    await this.#place("/usr/lib/systemd/system/kubelet.service", kubeletUnit);
    await this.#place("/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf", kubeletDropIn);
    await this.inside("systemctl daemon-reload && systemctl enable --now containerd kubelet");
    for (const { file } of [pause, coredns, kubeProxy, agnhost])
      await this.inside(`ctr --namespace k8s.io images import --local ${mirror}/${file}`);
  }

  /** Makes a Node of the machine by the stack's output. */
  async join(): Promise<void> {
    const command = await this.#stack.output<string>("joinCommand");
    await step("kubeadm join", () => this.inside(command));
    await step("Ready", async () =>
      eventually(async () => assert.ok((await readyNodes(this.#stack)).includes(this.name)), 120),
    );
  }

  /** Approves what the kubelet is to serve with: nobody but an administrator says that the kubelet is what its request says. */
  async approve(): Promise<void> {
    await step("approve the kubelet's serving certificate", async () => {
      await eventually(async () => {
        const selected = "--field-selector=spec.signerName=kubernetes.io/kubelet-serving";
        const requests = await list(this.#stack, "certificatesigningrequests", selected);
        const waiting = requests.filter(({ status }) => status.conditions === undefined);
        assert.ok(waiting.length > 0, "no request waits");
        await this.#stack.kubectl([
          "certificate",
          "approve",
          ...waiting.map(({ metadata }) => metadata.name),
        ]);
      });
    });
  }

  /** Takes the Node out of the cluster, and kubeadm's traces off the machine. */
  async leave(): Promise<void> {
    await step("drain, delete the Node, reset", async () => {
      await this.#stack.kubectl(["drain", this.name, "--ignore-daemonsets", "--force"]);
      await this.#stack.kubectl(["delete", "node", this.name]);
      await this.inside("kubeadm reset --force");
    });
  }

  /** Runs a shell script on the machine; returns the standard output. */
  inside(script: string, input = ""): Promise<string> {
    return this.#stack.machines.inside(this.name, script, input);
  }

  async #place(path: string, text: string): Promise<void> {
    await this.inside(`cat >${path}`, text);
  }
}

/** https://github.com/containerd/containerd/blob/main/containerd.service */
const containerdUnit = `[Unit]
Description=containerd container runtime
After=network.target

[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always

[Install]
WantedBy=multi-user.target
`;

/** https://github.com/kubernetes/release/tree/master/cmd/krel/templates/latest */
const kubeletUnit = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
`;
const kubeletDropIn = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;
