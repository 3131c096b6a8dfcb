import assert from "node:assert/strict";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { artifacts } from "../../components/versions.ts";
import { mirrored } from "../../install/mirrored.ts";
import { architecture, list, namespace, place, version } from "./support/cluster.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { changed, restarted } from "./support/machines.ts";
import { bootMachines, createCluster, updateWithoutChange } from "./support/measures.ts";
import { Prober } from "./support/prober.ts";
import { sleep, step } from "./support/run.ts";
import { ServiceProber } from "./support/service-prober.ts";
import { budget, deployment, service } from "./support/web.ts";

const from = "1.36.3";
const controllers = ["cp1", "cp2", "cp3"];
const nodes = [...controllers, "worker1", "worker2"];

describeLive("an upgrade to the next patch", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  let firstUp = 0;
  let kubeconfig: string;

  const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
  before(async () => {
    stack = live.stack;
    await mirrorUnder(stack.mirror, from);
    await stack.configure((settings) => {
      settings.kubernetesVersion = from;
    });
    await bootMachines(stack);
    firstUp = await createCluster(stack);
    kubeconfig = await stack.takeKubeconfig();
    live.isUp = true;
    await inNamespace("delete", "pod", "probe");
    await inNamespace("create", "configmap", "probed");
    await place(stack, deployment(2), service, budget(1));
    await inNamespace("rollout", "status", "deployment/web", "--timeout=60s");
  });

  itOnceUp("changes no service before every machine has the binaries", async () => {
    const before = await stack.machines.lookAll();
    await stack.configure((settings) => {
      settings.kubernetesVersion = version;
    });
    // Only workers and controllers fetch it, and the last service that changes is its.
    const { file } = artifacts(version, architecture)["kube-proxy"];
    await stack.whileMirrored(file, "something else", async () => {
      const { code, stdout, stderr } = await step("pulumi up with another file in the mirror", () =>
        stack.pulumi("up", "--yes", "--skip-preview"),
      );
      assert.notEqual(code, 0);
      assert.ok((stdout + stderr).includes(file), stdout + stderr);
    });
    assert.deepEqual(restarted(before, await stack.machines.lookAll()), []);
  });

  itOnceUp("goes on with the next update, and no request fails", async () => {
    const [web] = await list(stack, "services", `--namespace=${namespace}`);
    const api = new Prober(kubeconfig, `/api/v1/namespaces/${namespace}/configmaps/probed`);
    const pods = new ServiceProber(
      `${stack.namespace}:worker1`,
      `http://${web!.spec.clusterIP}/hostname`,
    );
    const before = await stack.machines.lookAll();
    await sleep(2);
    const { seconds } = await step(`pulumi up from ${from} to ${version}`, () => stack.up());
    await sleep(2);
    for (const [name, prober] of Object.entries({ API: api, Service: pods })) {
      const { requests, failures, maxMs, p99Ms } = await prober.stop();
      const failed = `${failures.length} of ${requests} failed`;
      console.log(`      ${name}: ${failed}, p99 ${p99Ms} ms, slowest ${maxMs} ms`);
      assert.deepEqual(failures, []);
      assert.ok(requests > 100, `${requests} requests`);
    }
    const times = seconds / firstUp;
    console.log(
      `      ${seconds.toFixed(1)} s, ${times.toFixed(1)} x the first update's ${firstUp.toFixed(1)} s`,
    );
    assert.ok(times <= 5, `${times} x the first update`);
    const units = restarted(before, await stack.machines.lookAll());
    const expected = [
      ...controllers.flatMap((name) =>
        ["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(
          (unit) => `${name} ${unit}.service`,
        ),
      ),
      ...nodes.flatMap((name) =>
        ["kubelet", "kube-proxy"].map((unit) => `${name} ${unit}.service`),
      ),
    ];
    assert.deepEqual([...units].sort(), expected.sort());
  });

  itOnceUp("leaves every node at the new version, and nothing to change", async () => {
    const former = `grep --files-with-matches /kubernetes/${from}/ /etc/systemd/system/*.service || true`;
    for (const name of nodes) assert.equal(await stack.machines.inside(name, former), "", name);
    const { logins } = await updateWithoutChange(stack);
    assert.equal(logins, 0);
  });

  itOnceUp("has no way back", async () => {
    const before = await stack.machines.lookAll();
    await stack.configure((settings) => {
      settings.kubernetesVersion = from;
    });
    const { code, stdout, stderr } = await stack.pulumi("preview");
    assert.notEqual(code, 0);
    assert.ok(
      (stdout + stderr).includes(
        `kubernetesVersion: older than ${version}, which the cluster has had, got ${from}; put ${version} back`,
      ),
      stdout + stderr,
    );
    await live.restoreSettings();
    assert.deepEqual(changed(before, await stack.machines.lookAll()), []);
  });
});

/** Adds files of the tested version to a mirror under the paths of another version: another patch would take minutes to compile. */
async function mirrorUnder(mirror: string, other: typeof from): Promise<void> {
  const files = (of: typeof from | typeof version) => {
    const table = mirrored(of, architecture);
    return [...table.artifacts, ...table.images].map(({ file }) => file);
  };
  const list = join(mirror, "SHA256SUMS");
  let sums = await readFile(list, "utf8");
  const sources = files(version);
  for (const [index, file] of files(other).entries()) {
    const source = sources[index]!;
    if (file === source || sums.includes(`  ${file}\n`)) continue;
    await mkdir(dirname(join(mirror, file)), { recursive: true });
    await link(join(mirror, source), join(mirror, file));
    const line = sums.split("\n").find((one) => one.endsWith(`  ${source}`))!;
    sums += `${line.replace(source, file)}\n`;
  }
  // The list is a link to that of the whole computer.
  await rm(list);
  await writeFile(list, sums);
}
