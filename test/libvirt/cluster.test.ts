import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, step } from "../live/support/run.ts";
import { policies } from "./support/policies.ts";
import { LibvirtStack } from "./support/stack.ts";

const log = fileURLToPath(new URL("../../.state/libvirt-logs", import.meta.url));
const images = process.env.WEAVE_IMAGES;

/** The settings of a stack, as far as these tests change them. */
interface Changed {
  workerPools: { machines: unknown[]; kubelet?: object; join?: string }[];
}

for (const network of ["bridge", "weave"] as const) {
  const title = `a cluster on emulated machines of libvirt, with network ${network}`;
  describe(title, function () {
    this.timeout(5_400_000);
    let stack: LibvirtStack;
    let isUp = false;

    before(async function () {
      if (network === "weave" && images === undefined) {
        console.log(
          "  WEAVE_IMAGES names no folder with the images of Weave Net: nothing is tried",
        );
        this.skip();
      }
      console.log(`  ${title}`);
      stack = await step("start a libvirt of its own", () => LibvirtStack.create(network, log));
      await stack.succeeding("stack", "init");
    });
    afterEach(async function () {
      if (this.currentTest?.state !== "failed") return;
      await stack?.explain();
      console.log(`    log of what failed: ${log}`);
    });
    after(() => stack?.remove());

    /** A test of the cluster; skipped where there is none. */
    const itOnceUp = (title: string, test: () => Promise<void>) =>
      it(title, function () {
        if (!isUp) this.skip();
        return test();
      });
    const readyNodes = async () => {
      const nodes = await stack.kubectl(["get", "nodes", "--no-headers"]);
      return [...nodes.matchAll(/^(\S+) +Ready\b/gm)].map(([, name]) => name).sort();
    };
    const allReady = (...names: string[]) =>
      eventually(async () => assert.deepEqual(await readyNodes(), names), 300);
    const smoke = async () => {
      const said = await stack.script("operations/smoke/run-smoke.ts");
      for (const line of said.trim().split("\n")) console.log(`      ${line}`);
    };

    it("comes up", async () => {
      await step("up", () => stack.up());
      isUp = true;
      await stack.takeKubeconfig();
      await allReady("cp1", "worker1");
    });

    itOnceUp("is the same after another update, which opens no connection", async () => {
      assert.equal(await step("up", () => stack.unchanged()), 0);
    });

    itOnceUp("is the same after a refresh", async () => {
      const args = ["--yes", "--skip-preview", "--expect-no-changes"];
      await step("refresh", () => stack.succeeding("refresh", ...args));
      assert.equal(await step("up", () => stack.unchanged()), 0);
    });

    itOnceUp("works", () => step("smoke test", smoke));

    if (network === "weave")
      policies({
        it: itOnceUp,
        kubectl: (args, input) => stack.kubectl(args, input),
      });

    itOnceUp("takes a changed setting of the kubelet", async () => {
      await stack.configure((settings) => {
        (settings as unknown as Changed).workerPools[0]!.kubelet = { maxPods: 64 };
      });
      await step("up with another setting", () => stack.up());
      const pods = ["get", "node", "worker1", "--output=jsonpath={.status.capacity.pods}"];
      await eventually(async () => assert.equal(await stack.kubectl(pods), "64"), 120);
    });

    itOnceUp("starts a domain that was stopped", async () => {
      await stack.computer.virsh("destroy", "kthw-libvirt-test-worker1");
      await step("up after a domain was stopped", () => stack.up());
      assert.equal(await stack.computer.virsh("domstate", "kthw-libvirt-test-worker1"), "running");
      await step("all nodes are ready", () => allReady("cp1", "worker1"));
    });

    itOnceUp("sees a stopped domain at a refresh, too", async () => {
      await stack.computer.virsh("destroy", "kthw-libvirt-test-worker1");
      await step("refresh", () => stack.succeeding("refresh", "--yes", "--skip-preview"));
      await step("up after a domain was stopped", () => stack.up());
      await step("all nodes are ready", () => allReady("cp1", "worker1"));
    });

    itOnceUp("starts a network that was stopped", async () => {
      await stack.computer.virsh("net-destroy", "kthw-libvirt-test");
      await step("up after the network was stopped", () => stack.up());
      assert.match(await stack.computer.virsh("net-list", "--name"), /kthw-libvirt-test/);
      await step("all nodes are ready", () => allReady("cp1", "worker1"));
      assert.equal(await step("up", () => stack.unchanged()), 0);
    });

    if (network === "weave") {
      itOnceUp("a machine that was rebooted comes back", async () => {
        const before = await stack.inside("worker1", "cat /proc/sys/kernel/random/boot_id");
        await stack.inside("worker1", "systemctl --no-block reboot");
        await step("the machine is up again", () =>
          eventually(async () => {
            const now = await stack.inside("worker1", "cat /proc/sys/kernel/random/boot_id");
            assert.notEqual(now, before);
          }, 600),
        );
        await step("all nodes are ready", () => allReady("cp1", "worker1"));
      });

      for (const join of ["certificates", "bootstrapToken", "kubeadm"])
        itOnceUp(`a worker leaves, and joins again by ${join}`, async () => {
          const { settings } = stack;
          const peers = async () =>
            (
              await stack.inside("cp1", "curl --silent --fail http://127.0.0.1:6784/status/ipam")
            ).trim();
          await stack.configure((settings) => {
            settings.workerPools = [];
          });
          await step("up without the worker", () => stack.up());
          assert.deepEqual(await readyNodes(), ["cp1"]);
          await eventually(async () => assert.doesNotMatch(await peers(), /worker1/), 120);
          await stack.write(settings);
          await stack.configure((settings) => {
            (settings as unknown as Changed).workerPools[0]!.join = join;
          });
          await step("up with the worker", () => stack.up());
          await step("all nodes are ready", () => allReady("cp1", "worker1"));
          assert.match(await peers(), /worker1/);
        });

      itOnceUp("works after that", () => step("smoke test", smoke));
    }

    itOnceUp("leaves nothing behind", async () => {
      await step("destroy", () => stack.succeeding("destroy", "--yes", "--skip-preview"));
      isUp = false;
      for (const list of ["list", "net-list", "pool-list"])
        assert.equal(await stack.computer.virsh(list, "--all", "--name"), "", list);
      const folder = join(stack.computer.folder, "lib/images");
      assert.deepEqual(existsSync(folder) ? await readdir(folder) : [], []);
    });
  });
}
