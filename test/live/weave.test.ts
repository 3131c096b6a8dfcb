import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { weaveService } from "../../networks/weave/service.ts";
import { kernelCheck } from "../../services/kernel.ts";
import { placed } from "../../services/service.ts";
import { facts } from "../support/facts.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import {
  applyAndWait,
  describeOnMachine,
  done,
  exists,
  machine,
  node,
} from "./support/node-tests.ts";
import { step } from "./support/run.ts";

const weave = weaveService(facts, { fastDatapath: true, imageDigests: {} });
const service = placed(weave);

describeOnMachine("what the pods of Weave Net leave on a machine", () => {
  const rules = async () =>
    (await machine.output("for table in filter nat mangle; do iptables -t $table -S; done"))
      .split("\n")
      .filter((rule) => /^-[AN]/.test(rule));

  it("goes with its service, and nothing else", async () => {
    await applyAndWait(service);
    await machine.output(`set -e
      ip link add weave type bridge
      ip link add weavers type bridge
      ip link add vethwe-bridge type veth peer name vethwe-datapath
      ip link add vethweplab12 type veth peer name eth9
      ipset create weave-local hash:ip
      ipset create weave-all list:set
      ipset add weave-all weave-local
      ipset create weaver-no-masq-local hash:net
      ipset create others hash:ip
      iptables -N WEAVE-NPC
      iptables -A WEAVE-NPC -m set --match-set weave-local dst -j ACCEPT
      iptables -A FORWARD -o weave -m comment --comment "NOTE: this must go before '-j KUBE-FORWARD'" -j WEAVE-NPC
      iptables -A FORWARD -o weave -j DROP
      iptables -A FORWARD -i weave ! -o weave -j ACCEPT
      iptables -A FORWARD -i weavers -j ACCEPT
      iptables -A INPUT -d 127.0.0.1/32 -p tcp --dport 6784 -m comment --comment "Block non-local access to Weave Net control port" -j DROP
      iptables -t nat -N WEAVE
      iptables -t nat -A POSTROUTING -j WEAVE
      iptables -t nat -A WEAVE -m set --match-set weaver-no-masq-local dst -j RETURN
      iptables -t mangle -N WEAVE-CANARY
      mkdir -p /var/lib/weave /etc/cni/net.d /opt/cni/bin
      touch /etc/cni/net.d/10-weave.conflist /var/lib/weave/weave-netdata.db /opt/cni/bin/weave-plugin-2.9.0 /opt/cni/bin/other
      ln -s weave-plugin-2.9.0 /opt/cni/bin/weave-net
      ln -s weave-plugin-2.9.0 /opt/cni/bin/weave-ipam`);
    await done(node("remove", service));
    assert.deepEqual(await rules(), ["-A FORWARD -i weavers -j ACCEPT"]);
    assert.equal(await machine.output("ipset list -name"), "others");
    const links = await machine.output("ip -o link show");
    assert.match(links, / weavers:/);
    assert.doesNotMatch(links, / (weave:|vethwe)/);
    for (const path of [
      "/etc/cni/net.d/10-weave.conflist",
      "/opt/cni/bin/weave-ipam",
      "/opt/cni/bin/weave-net",
      "/opt/cni/bin/weave-plugin-2.9.0",
      "/var/lib/weave",
      "/etc/systemd/system/pod-network.service",
      "/usr/local/libexec/kthw/weave-remove",
    ])
      assert.ok(!(await exists(path)), path);
    assert.ok(await exists("/opt/cni/bin/other"));
  });

  it("is nothing that a machine without it would miss", async () => {
    await applyAndWait(service);
    await done(node("remove", service));
  });
});

describeLive("Weave Net on a kernel without dummy interfaces", (live) => {
  let stack: LiveStack;
  before(() => {
    stack = live.stack;
  });

  it("is refused before anything is placed on a node", async function () {
    // The machines share the kernel of this computer.
    const { stderr: lacks } = spawnSync("sh", ["-c", kernelCheck([weave])], { encoding: "utf8" });
    if (!lacks.includes(" dummy")) this.skip();
    await stack.beginWithoutBinaries();
    await stack.configure((settings) => {
      settings.network = "weave";
      settings.controllers = settings.controllers!.slice(0, 1);
      const pools = settings.workerPools!.flatMap(({ machines = [] }) => machines);
      for (const one of [...settings.controllers!, ...pools]) delete one.podCidr;
    });
    const { code, stdout, stderr } = await step("pulumi up", () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      /cp1: its kernel lacks what network weave needs, got \S+ without dummy; load the modules, use a kernel that has them, such as Debian's, or another network/,
    );
    for (const name of ["cp1", "worker1", "worker2"])
      await stack.machines.inside(
        name,
        "! test -e /usr/local/bin/kthw-node && ! test -e /opt/kthw && ! test -e /etc/kubernetes",
      );
    await step("pulumi destroy", () => stack.succeeding("destroy", "--yes", "--skip-preview"));
  });
});
