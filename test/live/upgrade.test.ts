import assert from "node:assert/strict";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  artifacts,
  type KubernetesVersion,
  kubernetesVersions,
} from "../../components/versions.ts";
import { mirrored } from "../../install/mirrored.ts";
import { kubeletFlagsPath } from "../../services/kubelet.ts";
import {
  architecture,
  etcdctl,
  type KubernetesObject,
  list,
  namespace,
  place,
  podSpec,
  version,
} from "./support/cluster.ts";
import { loggedSecrets } from "./support/eavesdropper.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { changed, restarted } from "./support/machines.ts";
import { bootMachines, createCluster, updateWithoutChange } from "./support/measures.ts";
import { step } from "./support/run.ts";
import { secretTexts } from "./support/secrets.ts";
import { whileServiceAsked } from "./support/service-prober.ts";
import { avoidable, whileProbed } from "./support/undisturbed.ts";
import { budget, deployment, service } from "./support/web.ts";

const formerPatch = "1.36.3";
const nextMinor = "1.37.2";
const controllers = ["cp1", "cp2", "cp3"];
const nodes = [...controllers, "worker1", "worker2"];

/** What the tests read of a Node. */
interface NodeObject extends KubernetesObject {
  readonly spec: KubernetesObject["spec"] & { readonly unschedulable?: boolean };
  readonly status: KubernetesObject["status"] & {
    readonly nodeInfo: { readonly kubeletVersion: string };
  };
}

describeLive("upgrades", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  let firstUp = 0;
  /** The seconds of all updates to the next minor version. */
  let minorSeconds = 0;

  const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
  const setVersion = (kubernetesVersion: KubernetesVersion) =>
    stack.configure((settings) => {
      settings.kubernetesVersion = kubernetesVersion;
    });
  const kubelets = async () =>
    Object.fromEntries(
      ((await list(stack, "nodes")) as NodeObject[]).map(({ metadata, spec, status }) => [
        metadata.name,
        `${status.nodeInfo.kubeletVersion}${spec.unschedulable ? " cordoned" : ""}`,
      ]),
    );
  /** Runs a command of the Pulumi CLI that must fail; returns what it says. */
  const failing = async (...args: string[]) => {
    const { code, stdout, stderr } = await step(`pulumi ${args[0]}, which fails`, () =>
      stack.pulumi(...args),
    );
    assert.notEqual(code, 0);
    return stdout + stderr;
  };
  /** Updates while the API and a Service are asked, of which no request may fail; returns the seconds and what was restarted. */
  const undisturbed = async (update: () => Promise<unknown>) => {
    const [web] = await list(stack, "services", `--namespace=${namespace}`);
    const url = `http://${web!.spec.clusterIP}/hostname`;
    const [noticed, asked] = await whileServiceAsked(`${stack.namespace}:worker1`, url, () =>
      whileProbed(stack, update),
    );
    const { requests, failures: failed, p99Ms, maxMs } = asked;
    console.log(
      `      Service: ${failed.length} failed of ${requests}, p99 ${p99Ms} ms, at most ${maxMs} ms; ${(noticed.seconds / firstUp).toFixed(1)} x the first update's ${firstUp.toFixed(0)} s`,
    );
    assert.deepEqual([...avoidable(noticed), ...failed], []);
    assert.ok(Math.min(requests, noticed.requests.requests) > 100, `${requests} requests`);
    return noticed;
  };

  before(async () => {
    stack = live.stack;
    await mirrorUnder(stack.mirror, formerPatch);
    await stack.configure((settings) => {
      settings.kubernetesVersion = formerPatch;
      settings.workerPools![0]!.join = "kubeadm";
    });
    await bootMachines(stack);
    firstUp = await createCluster(stack);
    live.isUp = true;
    await inNamespace("delete", "pod", "probe");
    await place(stack, deployment(2), service, budget(1));
    await inNamespace("rollout", "status", "deployment/web", "--timeout=60s");
  });

  itOnceUp("change no service before every machine has the binaries", async () => {
    const before = await stack.machines.lookAll();
    await setVersion(version);
    // Only workers and controllers fetch it, and the last service that changes is its.
    const { file } = artifacts(version, architecture)["kube-proxy"];
    await stack.whileMirrored(file, "something else", async () => {
      const said = await failing("up", "--yes", "--skip-preview");
      assert.ok(said.includes(file), said);
    });
    assert.deepEqual(restarted(before, await stack.machines.lookAll()), []);
  });

  itOnceUp("to a patch go on with the next update, and no request fails", async () => {
    const { restarted: units, seconds } = await undisturbed(() =>
      step(`pulumi up from ${formerPatch} to ${version}`, () => stack.up()),
    );
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
    assert.ok(seconds <= 5 * firstUp, `${seconds} s`);
    const former = `grep --files-with-matches /kubernetes/${formerPatch}/ /etc/systemd/system/*.service || true`;
    for (const name of nodes) assert.equal(await stack.machines.inside(name, former), "", name);
  });

  itOnceUp("to a minor version show in the preview what a kubelet will not take", async () => {
    await setVersion(nextMinor);
    const kept = await stack.machines.inside("worker2", `cat ${kubeletFlagsPath}`);
    const flags = kept.replace(/"\n$/, ' --boot-id-file=/proc/sys/kernel/random/boot_id"\n');
    assert.notEqual(flags, kept);
    await stack.machines.inside("worker2", `cat >${kubeletFlagsPath}`, flags);
    const said = await failing("preview");
    assert.ok(
      said.includes(
        `${kubeletFlagsPath} on worker2: kubelet 1.37 does not know some flags and would not start, got --boot-id-file; take them out`,
      ),
      said,
    );
    await stack.machines.inside("worker2", `cat >${kubeletFlagsPath}`, kept);
    await live.restoreSettings();
  });

  itOnceUp("stop at a worker that cannot be drained, which stays as it was", async () => {
    const alone = { app: "alone" };
    await place(
      stack,
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "alone", labels: alone },
        spec: { ...podSpec, nodeName: "worker2" },
      },
      {
        apiVersion: "policy/v1",
        kind: "PodDisruptionBudget",
        metadata: { name: "alone" },
        spec: { minAvailable: 1, selector: { matchLabels: alone } },
      },
    );
    await stack.configure((settings) => {
      settings.kubernetesVersion = nextMinor;
      settings.drainTimeoutSeconds = 20;
    });
    let said = "";
    const { restarted: units, seconds } = await undisturbed(async () => {
      said = await failing("up", "--yes", "--skip-preview");
    });
    minorSeconds += seconds;
    assert.match(said, /worker2: not drained within 20 s/);
    assert.ok(units.includes("worker1 kubelet.service"), `${units}`);
    assert.deepEqual(
      units.filter((unit) => unit.startsWith("worker2 ")),
      [],
    );
    // The controllers have lanes of their own: how far they came by then is a matter of time.
    const { cp1, worker1, worker2 } = await kubelets();
    assert.deepEqual(
      { cp1, worker1, worker2 },
      { cp1: `v${nextMinor}`, worker1: `v${nextMinor}`, worker2: `v${version}` },
    );
  });

  itOnceUp("to a minor version go on with the next update, and no request fails", async () => {
    await inNamespace("delete", "poddisruptionbudget", "alone");
    const { restarted: units, seconds } = await undisturbed(() =>
      step(`pulumi up from ${version} to ${nextMinor}`, () => stack.up()),
    );
    minorSeconds += seconds;
    assert.ok(units.includes("worker2 kubelet.service"), `${units}`);
    assert.deepEqual(
      units.filter((unit) => !/^(worker2|cp2|cp3) /.test(unit)),
      [],
    );
    assert.ok(minorSeconds <= 5 * firstUp, `${minorSeconds} s`);
  });

  itOnceUp("leave every part at the new version, and nothing to change", async () => {
    const expected = nodes.map((node) => [node, `v${nextMinor}`]);
    assert.deepEqual(await kubelets(), Object.fromEntries(expected));
    const { serverVersion } = JSON.parse(await stack.kubectl(["version", "--output=json"]));
    assert.equal(serverVersion.gitVersion, `v${nextMinor}`);
    const endpoints = JSON.parse(
      await stack.machines.inside("cp1", `${etcdctl} endpoint status --cluster --write-out=json`),
    );
    const { etcd, coredns } = kubernetesVersions[nextMinor];
    assert.deepEqual(
      endpoints.map(({ Status }: { Status: { version: string; storageVersion: string } }) => [
        Status.version,
        Status.storageVersion,
      ]),
      Array(3).fill([etcd, "3.7.0"]),
    );
    const ofSystem = (...args: string[]) => stack.kubectl(["--namespace=kube-system", ...args]);
    const image = "--output=jsonpath={.spec.template.spec.containers[0].image}";
    assert.ok((await ofSystem("get", "deployment", "coredns", image)).endsWith(`:v${coredns}`));
    const published = await ofSystem("get", "configmap", "kubeadm-config", "--output=yaml");
    assert.match(published, new RegExp(`kubernetesVersion: v${nextMinor}`));
    const { logins } = await updateWithoutChange(stack);
    assert.equal(logins, 0);
  });

  itOnceUp(
    "put no secret into a journal, though kubelets log their whole configuration",
    async () => {
      const { machines } = stack;
      const secrets = secretTexts((await stack.export()).deployment.resources);
      secrets.set(stack.passphrase, "the passphrase");
      const [text] = [...secrets].find(([, secret]) => secret === "service-accounts")!;
      await machines.inside("worker2", "systemd-cat --identifier=canary", text);
      const told = "journalctl --unit=kubelet | grep --quiet 'Effective KubeletConfiguration'";
      const logged = nodes.map(async (name) => {
        await machines.inside(name, told);
        return [name, await loggedSecrets(machines, name, secrets)];
      });
      // The search finds what is there to be found.
      const expected = {
        ...Object.fromEntries(nodes.map((name) => [name, []])),
        worker2: ["service-accounts"],
      };
      assert.deepEqual(Object.fromEntries(await Promise.all(logged)), expected);
    },
  );

  itOnceUp("have no way back", async () => {
    const before = await stack.machines.lookAll();
    await setVersion(version);
    assert.ok(
      (await failing("preview")).includes(
        `kubernetesVersion: older than ${nextMinor}, which the cluster has had, got ${version}; put ${nextMinor} back`,
      ),
    );
    await live.restoreSettings();
    assert.deepEqual(changed(before, await stack.machines.lookAll()), []);
  });
});

/** Adds files of the tested version to a mirror under the paths of another version: another patch would take minutes to compile. */
async function mirrorUnder(mirror: string, other: typeof formerPatch): Promise<void> {
  const files = (of: KubernetesVersion) => {
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
