import assert from "node:assert/strict";
import { bridgeNetwork } from "../../networks/bridge/service.ts";
import { placed } from "../../services/service.ts";
import { cluster, worker } from "../support/facts.ts";
import {
  apply,
  applyAndWait,
  describeOnMachine,
  done,
  machine,
  node,
} from "./support/node-tests.ts";
import { eventually } from "./support/run.ts";

/** The service of the machine, whose pods have that range, beside another node. */
const withRange = (podCidr: string) =>
  placed(
    bridgeNetwork(
      cluster({
        nodes: [
          { name: "worker1", address: "10.240.0.11", podCidr },
          { name: "worker2", address: "10.240.0.22", podCidr: "10.200.22.0/24" },
        ],
      }),
      worker({ address: "10.240.0.11", podCidr }),
    ),
  );
const rules = async () =>
  (await machine.output("iptables -t nat -S POSTROUTING"))
    .split("\n")
    .filter((rule) => rule.includes("pods to the outside"));

describeOnMachine("the routes to pods", () => {
  it("are taken over from a unit that put them there once, without a break", async () => {
    const today = withRange("10.200.21.0/24");
    const former = {
      ...today,
      files: today.files.map((file) => ({
        ...file,
        text: file.text
          .replace(
            "ExecStart=",
            "Type=oneshot\nRemainAfterExit=yes\nExecStop=/bin/ip route flush proto 201\nExecStart=",
          )
          .replace(" follow ", " up ")
          .replaceAll(/^Restart.*\n/gm, ""),
      })),
    };
    await applyAndWait(former);
    const watched = machine.run("timeout 4 ip -4 monitor route | grep ^Deleted || true");
    await applyAndWait(today);
    assert.equal((await watched).stdout, "");
    await machine.output("ip route delete 10.200.22.0/24");
    await eventually(() => done(node("check", today)), 5);
  });

  it("come with one rule for what leaves the range of all pods", async () => {
    await apply(withRange("10.200.21.0/24"));
    await applyAndWait(withRange("10.200.21.0/24"));
    assert.match(await machine.output("ip route"), /^10\.200\.22\.0\/24 via 10\.240\.0\.22 /m);
    assert.deepEqual(await rules(), [
      '-A POSTROUTING -s 10.200.21.0/24 ! -d 10.200.0.0/16 -m comment --comment "pods to the outside" -j MASQUERADE',
    ]);
  });

  const missing = "missing route 10.200.22.0/24 via 10.240.0.22";
  const isBack = async () => {
    const { code, stdout } = await node("check", withRange("10.200.21.0/24"));
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  };

  it("come back by themselves after a link was down, a route was deleted, or the service met a link that was down", async () => {
    await machine.output("ip link set eth0 down && ip link set eth0 up");
    await eventually(isBack, 5);
    await machine.output("ip route delete 10.200.22.0/24");
    await eventually(isBack, 5);
    await machine.output("ip link set eth0 down && systemctl restart pod-network");
    const { stdout } = await node("check", withRange("10.200.21.0/24"));
    assert.ok(stdout.includes(missing), stdout);
    await machine.output("ip link set eth0 up");
    await eventually(isBack, 5);
  });

  it("and their rule are put back by a repair where nothing else does", async () => {
    await machine.output(
      "systemctl stop pod-network && ip route delete 10.200.22.0/24 && iptables --table nat --flush POSTROUTING",
    );
    const { stdout } = await node("repair", withRange("10.200.21.0/24"));
    assert.equal(stdout, "pod-network.service: started anew\n");
    await isBack();
  });

  it("stay while the service is changed, stopped or started", async () => {
    const watched = machine.run("timeout 3 ip -4 monitor route | grep ^Deleted || true");
    await machine.output("systemctl reload pod-network && systemctl restart pod-network");
    assert.equal((await watched).stdout, "");
    await isBack();
  });

  it("leave no rule of another range behind", async () => {
    await applyAndWait(withRange("10.200.31.0/24"));
    assert.deepEqual(await rules(), [
      '-A POSTROUTING -s 10.200.31.0/24 ! -d 10.200.0.0/16 -m comment --comment "pods to the outside" -j MASQUERADE',
    ]);
  });

  it("go with their service", async () => {
    await done(node("remove", withRange("10.200.31.0/24")));
    assert.deepEqual(await rules(), []);
    assert.doesNotMatch(await machine.output("ip route"), /10\.200\./);
  });
});
