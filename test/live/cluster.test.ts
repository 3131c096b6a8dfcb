import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { artifacts, images } from "../../components/versions.ts";
import { changedPaths, planOf } from "../../operations/plan/plan.ts";
import { effective, nameOf, type ResourceState } from "../../operations/plan/steps.ts";
import { managedLabel } from "../../services/guest-nodes.ts";
import {
  agnhost,
  architecture,
  etcdctl,
  importTestImage,
  list,
  namespace,
  readyNodes,
  startPod,
  version,
} from "./support/cluster.ts";
import { type Computer, differences, lookAtComputer } from "./support/computer.ts";
import type { Exported, LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { writeLogs } from "./support/logs.ts";
import {
  changed,
  changedFiles,
  differing,
  type Look,
  logins,
  restarted,
} from "./support/machines.ts";
import {
  bars,
  bootMachines,
  changeKubelet,
  commandsPerMachine,
  createCluster,
  destroy,
  updateWithoutChange,
} from "./support/measures.ts";
import { differencesFromPlan } from "./support/planned.ts";
import { eventually, step } from "./support/run.ts";
import { leaks, type SecretTexts, secretTexts } from "./support/secrets.ts";
import { failures, whileProbed } from "./support/undisturbed.ts";
import { writtenByMachine } from "./support/weight.ts";

const controllers = ["cp1", "cp2", "cp3"];
const workers = ["worker1", "worker2"];

describeLive("a cluster on this computer", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  let computer: Computer;
  /** What a worker is like before anything was put on it. */
  let emptyWorker: Look;
  let kubeconfig: string;
  /** What each machine had written to its disk, in MiB, once the cluster was there. */
  let written: Record<string, number>;
  const secrets: SecretTexts = new Map();

  const inNamespace = (...args: string[]) => stack.kubectl([`--namespace=${namespace}`, ...args]);
  const smokeNamespaces = async () =>
    (await list(stack, "namespaces"))
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith("smoke-"));
  const rememberSecrets = async () => {
    for (const [text, secret] of secretTexts((await stack.export()).deployment.resources))
      secrets.set(text, secret);
  };
  const withoutChange = () => stack.succeeding("preview", "--expect-no-changes");

  before(async () => {
    stack = live.stack;
    computer = await lookAtComputer(stack.name);
    await stack.beginWithoutBinaries();
  });

  it("comes up from booted, empty machines, all nodes Ready and DNS answering from a pod", async () => {
    await bootMachines(stack);
    const before = await stack.machines.lookAll();
    emptyWorker = before.get("worker1")!;
    const plan = planOf(await step("pulumi preview", () => stack.preview()));
    const seconds = await createCluster(stack);
    live.isUp = true;
    written = writtenByMachine(stack);
    const made = changed(before, await stack.machines.lookAll());
    assert.deepEqual(
      made.filter((path) => !isOfEtcd(path) && !isOfUsers(path) && !path.includes(agnhost.file)),
      changedPaths(plan),
    );
    await step("the plan is what is on the machines", async () => {
      assert.deepEqual(await differencesFromPlan(stack.machines, plan), []);
    });
    kubeconfig = await stack.takeKubeconfig();
    await rememberSecrets();
    console.log(`      ${seconds.toFixed(1)} s (bar: ${bars.creationSeconds} s)`);
    assert.deepEqual(await readyNodes(stack), [...controllers, ...workers]);
  });

  itOnceUp("needs few commands per machine, and writes little to its disk", async () => {
    const counts = await commandsPerMachine(stack);
    for (const [names, commands, mebibytes] of [
      [controllers, bars.commandsPerController, bars.writtenMiBByController],
      [workers, bars.commandsPerWorker, bars.writtenMiBByWorker],
    ] as const)
      for (const name of names) {
        assert.ok(counts[name]! <= commands, name);
        assert.ok(written[name]! <= mebibytes, `${name}: ${written[name]} MiB`);
      }
  });

  itOnceUp("does nothing without a change, in a preview, an update and a refresh", async () => {
    const { logins, said } = await updateWithoutChange(stack);
    assert.match(said, /^ +\d+ unchanged$/m);
    assert.doesNotMatch(said, /^ +[-+~]/m);
    assert.equal(logins, 0);
    await step("pulumi preview", withoutChange);
    await step("pulumi refresh", () =>
      stack.succeeding("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
    );
  });

  itOnceUp("passes its smoke test, and keeps nothing of it", async () => {
    // One worker is to be given the image by the smoke test itself.
    const forget = `crictl rmi ${agnhost.name} && rm /opt/kthw/${agnhost.file}*`;
    await stack.machines.inside("worker2", forget);
    const { code, stdout } = await step("make smoke", () =>
      stack.script("operations/smoke/run-smoke.ts"),
    );
    const ended = stdout.trimEnd().split("\n");
    assert.deepEqual(
      ended.filter((line) => !/^ok +\d+\.\d s {2}\S/.test(line)),
      [],
    );
    assert.ok(ended.length >= 18, stdout);
    assert.equal(code, 0);
    assert.deepEqual(await smokeNamespaces(), []);
    const left = await stack.machines.inside("worker2", "ls /opt/kthw/images");
    assert.ok(!left.includes("agnhost"), left);
  });

  itOnceUp("says in its smoke test what fails and what to look at", async () => {
    const scaleDns = (replicas: number) =>
      stack.kubectl([
        "--namespace=kube-system",
        "scale",
        "deployment/coredns",
        `--replicas=${replicas}`,
      ]);
    await scaleDns(0);
    await stack.kubectl(["apply", "--filename=-"], danglingApiService);
    const { code, stdout } = await step("make smoke without DNS servers", () =>
      stack.script("operations/smoke/run-smoke.ts"),
    );
    await scaleDns(2);
    await stack.kubectl(["delete", "apiservice", "v1.nobody.example.com"]);
    const failed = stdout.split("\n").filter((line) => line.startsWith("FAIL"));
    assert.deepEqual(
      failed.map((line) => line.replace(/^FAIL +\d+\.\d s +/, "")),
      [
        "every APIService answers",
        "CoreDNS has its 2 pods",
        "DNS finds a Service, from a pod on each node",
        "DNS denies a name that does not exist",
        "what the checks made is removed",
      ],
    );
    assert.equal(
      stdout.match(/the APIService v1\.nobody\.example\.com \(default/g)?.length,
      2,
      stdout,
    );
    assert.match(stdout, /somebody has scaled the Deployment coredns to 0/);
    assert.match(
      stdout,
      /^ +look at: make shell STACK=\S+ CMD='kubectl get pods.*--selector=k8s-app=kube-dns'$/m,
    );
    assert.equal(code, 1);
    await eventually(async () => assert.deepEqual(await smokeNamespaces(), []), 60);
    await stack.kubectl([
      "--namespace=kube-system",
      "rollout",
      "status",
      "deployment/coredns",
      "--timeout=60s",
    ]);
  });

  itOnceUp("cleans up after a smoke test that is interrupted", async () => {
    const { code, stdout, stderr } = await step("make smoke, interrupted", () =>
      stack.script("operations/smoke/run-smoke.ts", (said) => said.includes("the test image")),
    );
    assert.match(stdout, /^ok +\d+\.\d s {2}what the checks made is removed$/m);
    assert.match(stderr, /^interrupted$/m);
    assert.equal(code, 130);
    await eventually(async () => assert.deepEqual(await smokeNamespaces(), []));
  });

  const check = async () => {
    const { code, stdout } = await step("make check", () =>
      stack.script("operations/check/run-check.ts"),
    );
    const lines = stdout.trimEnd().split("\n");
    return { code, differences: lines.slice(0, -1).sort(), last: lines.at(-1)! };
  };
  const expectNoDifference = async () => {
    const { code, differences, last } = await check();
    assert.deepEqual({ code, differences }, { code: 0, differences: [] });
    assert.match(last, /^no differences: 6 machines, \d+ services and bundles, 5 Nodes$/);
  };
  const repair = async () => {
    const { code, stdout } = await step("make repair", () =>
      stack.script("operations/repair/run-repair.ts"),
    );
    assert.equal(code, 0, stdout);
    return stdout.trimEnd().split("\n");
  };

  const status = async () => {
    const { code, stdout } = await step("make status", () =>
      stack.script("operations/status/run-status.ts"),
    );
    return { code, lines: stdout.trimEnd().split("\n") };
  };

  itOnceUp("shows its status at a glance, and what is wrong", async () => {
    const { code, lines } = await status();
    const [last] = lines.slice(-1);
    assert.deepEqual({ code, last }, { code: 0, last: "nothing is wrong" });
    const line = (start: RegExp) => lines.find((one) => start.test(one)) ?? "";
    for (const name of [...controllers, ...workers])
      assert.match(line(new RegExp(`^${name} .* %`)), / Ready$/, lines.join("\n"));
    assert.match(line(/^lb /), / -$/);
    const apiServers = line(/^kube-apiserver /);
    assert.ok(apiServers.includes(` ${version} `), apiServers);
    assert.match(apiServers, / cp1 \d+[smhd], cp2 \d+[smhd], cp3 \d+[smhd]$/);
    assert.match(line(/^api-load-balancer /), / \d+\.\d+\.\d+ +lb \d+/);
    const members = lines.filter((one) => /^cp\d .* MiB /.test(one));
    assert.deepEqual(members.map((one) => one.split(" ").at(-1)).sort(), [
      "follower",
      "follower",
      "leader",
    ]);
    assert.match(line(/^\d{4}-\d\d-\d\d /), / kubernetes-ca|etcd-ca|front-proxy-ca/);

    await stack.machines.inside("worker2", "systemctl stop kube-proxy");
    const { code: failed, lines: wrong } = await status();
    await stack.machines.inside("worker2", "systemctl start kube-proxy");
    assert.deepEqual(wrong.slice(-3), ["worker2: kube-proxy.service: not running", "", "1 wrong"]);
    assert.ok(
      wrong.some((one) => /^kube-proxy +inactive +worker2$/.test(one)),
      wrong.join("\n"),
    );
    assert.equal(failed, 1);
  });

  itOnceUp("names what differs from the last update, and puts right just that", async () => {
    await expectNoDifference();
    assert.match((await repair())[0]!, /^no differences: /);
    const image = images(version, architecture).coredns.name;
    const crictl = (
      await stack.machines.inside("worker2", "readlink /usr/local/bin/crictl")
    ).trim();
    const label = Object.keys(managedLabel)[0]!;
    const before = await stack.machines.lookAll();
    await stack.machines.inside(
      "worker2",
      `crictl rmi ${image}
      echo >>/var/lib/kubelet/config.yaml
      chmod 0640 /etc/containerd/config.toml
      rm /usr/local/bin/crictl
      touch ${crictl}
      systemctl stop kube-proxy
      systemctl kill --signal=STOP pod-network
      ip route delete 10.200.21.0/24
      iptables --table nat --list-rules POSTROUTING | sed -n '/pods to the outside/s/^-A/--delete/p' | xargs iptables --table nat`,
    );
    await stack.kubectl(["label", "node", "worker1", "--overwrite", `${label}=somebody`]);
    await stack.kubectl(["taint", "node", "cp1", `${controlPlaneTaint}-`, "others=own:NoSchedule"]);
    const { code, differences, last } = await check();
    assert.deepEqual(differences, [
      `cp1: the Node's taint ${controlPlaneTaint}: missing`,
      "worker1: the Node's label app.kubernetes.io/managed-by=pulumi: somebody",
      "worker2: /etc/containerd/config.toml: mode or owner",
      `worker2: ${crictl}: content`,
      "worker2: /usr/local/bin/crictl: missing",
      "worker2: /var/lib/kubelet/config.yaml: content",
      `worker2: image ${image}: missing`,
      "worker2: kube-proxy.service: not running",
      'worker2: pod-network.service: not healthy: missing route 10.200.21.0/24 via 10.240.0.21, missing rule: -s 10.200.22.0/24 ! -d 10.200.0.0/16 -m comment --comment "pods to the outside" -j MASQUERADE',
    ]);
    assert.equal(code, 1);
    assert.match(last, /^9 differences: /);
    assert.equal((await repair()).at(-1), "repaired: 9 differences");
    // The kubelet of a full disk leaves a pinned image alone.
    const imported = await stack.machines.inside("worker2", `crictl inspecti ${image}`);
    assert.equal(JSON.parse(imported).status.pinned, true);
    const after = await stack.machines.lookAll();
    assert.deepEqual(
      restarted(before, after),
      ["kube-proxy", "kubelet", "pod-network"].map((name) => `worker2 ${name}.service`),
    );
    assert.deepEqual(changed(before, after), []);
    await expectNoDifference();
    const taints = await stack.kubectl([
      "get",
      "node",
      "cp1",
      "--output=jsonpath={.spec.taints[*].key}",
    ]);
    assert.deepEqual(taints.split(" ").sort(), ["node-role.kubernetes.io/control-plane", "others"]);
    await stack.kubectl(["taint", "node", "cp1", "others-"]);
  });

  itOnceUp("brings back by itself the routes that went with a link", async () => {
    const routes = () => stack.machines.inside("worker1", "ip route show proto 201 | sort");
    const before = await routes();
    assert.equal(before.trim().split("\n").length, 4, before);
    await stack.machines.inside("worker1", "ip link set eth0 down; ip link set eth0 up");
    await step("the routes are back", () =>
      eventually(async () => assert.equal(await routes(), before), 5),
    );
  });

  itOnceUp("makes a deleted Node again, as it was", async () => {
    const fields = async () => {
      const { metadata, spec } = JSON.parse(
        await stack.kubectl(["get", "node", "worker1", "--output=json"]),
      );
      return [Object.entries(metadata.labels).sort(), spec];
    };
    const node = await fields();
    const before = await stack.machines.lookAll();
    await stack.kubectl(["delete", "node", "worker1"]);
    assert.deepEqual((await check()).differences, ["worker1: the Node is missing"]);
    assert.equal((await repair()).at(-1), "repaired: 1 difference");
    assert.deepEqual(restarted(before, await stack.machines.lookAll()), [
      "worker1 kubelet.service",
    ]);
    assert.deepEqual(await readyNodes(stack), [...controllers, ...workers]);
    await eventually(async () => assert.deepEqual(await fields(), node));
    await step("pulumi preview", withoutChange);
  });

  itOnceUp("repairs API servers one after another, while every request is answered", async () => {
    for (const name of controllers)
      await stack.machines.inside(name, "echo >>/etc/systemd/system/kube-apiserver.service");
    let said: string[] = [];
    const noticed = await whileProbed(stack, async () => {
      said = await repair();
    });
    assert.deepEqual(failures(noticed), []);
    assert.deepEqual(
      said.filter((line) => line.endsWith("started anew")).sort(),
      controllers.map((name) => `${name}: kube-apiserver.service: started anew`),
    );
    // On a busy computer what elects a leader loses its lease while its API server restarts, and starts anew.
    const others = noticed.restarted.filter(
      (unit) => !/ kube-(controller-manager|scheduler)\.service$/.test(unit),
    );
    assert.deepEqual(
      others,
      controllers.map((name) => `${name} kube-apiserver.service`),
    );
    await expectNoDifference();
  });

  itOnceUp("shows after a refresh that CoreDNS was scaled, and puts that back", async () => {
    const coredns = "--namespace=kube-system deployment/coredns".split(" ");
    await stack.kubectl(["scale", ...coredns, "--replicas=1"]);
    await stack.kubectl(["rollout", "status", ...coredns]);
    // A refresh also sees a Service without Pods.
    await eventually(async () => {
      const ready = await stack.kubectl([
        ...["get", "endpointslices", "--namespace=kube-system", "--selector=k8s-app=kube-dns"],
        "--output=jsonpath={.items[*].endpoints[*].conditions.ready}",
      ]);
      assert.equal(ready, "true");
    });
    await step("pulumi refresh", () => stack.succeeding("refresh", "--yes", "--skip-preview"));
    const steps = await step("pulumi preview", () => stack.preview());
    assert.deepEqual(
      effective(steps).map(({ op, urn, diffReasons }) => [op, nameOf(urn), diffReasons]),
      [["update", "coredns", ["spec"]]],
    );
    await step("pulumi up", () => stack.up());
    const replicas = await stack.kubectl([
      "get",
      ...coredns,
      "--output=jsonpath={.status.readyReplicas}",
    ]);
    assert.equal(replicas, "2");
    await step("pulumi preview", withoutChange);
  });

  itOnceUp("meets the controls of CIS 1.12, and names the node that does not", async () => {
    const cis = async () => {
      const { code, stdout } = await step("make cis", () =>
        stack.script("operations/cis/run-cis.ts"),
      );
      const lines = stdout.trimEnd().split("\n");
      const failed = lines.findIndex((line) => line.startsWith("FAIL"));
      return { code, failed: lines.slice(failed, failed + 2), last: lines.at(-1)! };
    };
    const figures = /^ {4}(\d+ ok, .*)$/m.exec(await readFile("docs/cis.md", "utf8"))![1]!;
    const { code, last } = await cis();
    assert.equal(last, `${figures}: CIS Kubernetes Benchmark 1.12, 5 nodes`);
    assert.equal(code, 0);
    await stack.machines.inside("worker2", "chmod 0640 /var/lib/kubelet/config.yaml");
    const loose = await cis();
    assert.deepEqual(
      loose.failed.map((line) => line.trim().replaceAll(/ +/g, " ")),
      [
        "FAIL 4.1.9 mode of the kubelet's configuration",
        "worker2: /var/lib/kubelet/config.yaml: mode 0640, at most 0600 is right",
      ],
    );
    assert.equal(loose.code, 1);
    await stack.machines.inside("worker2", "chmod 0600 /var/lib/kubelet/config.yaml");
  });

  itOnceUp("lists every certificate", async () => {
    const { code, stdout } = await stack.script("operations/certificates/list-certificates.ts");
    const names = stdout.split("\n").map((line) => line.split(/\s+/)[2]);
    const { resources } = (await stack.export()).deployment;
    const issued = resources
      .filter(({ type }) => type === "tls:index/locallySignedCert:LocallySignedCert")
      .map(({ urn }) => nameOf(urn));
    const authorities = ["etcd-ca", "kubernetes-ca", "kubernetes-front-proxy-ca"];
    assert.deepEqual(
      names.filter((name) => name !== undefined && name !== "CERTIFICATE").sort(),
      [...issued, ...authorities].sort(),
    );
    assert.equal(code, 0);
  });

  itOnceUp("bundles what explains a failure, without the secrets that stand in it", async () => {
    const planted = [...secrets.keys(), kubeconfig].join("\n");
    await stack.machines.inside("worker1", "systemd-cat --identifier=planted", planted);
    const { said, files } = await step("make logs", () => writeLogs(stack));
    // Without the text, which is long.
    const has = (file: string, pattern: RegExp) =>
      assert.ok(pattern.test(files.get(file) ?? ""), `${file} has ${pattern}`);
    for (const name of [...controllers, "lb", ...workers]) {
      has(`machines/${name}/journal`, /systemd\[1\]/);
      has(`machines/${name}/units`, /ssh\.service/);
    }
    has("machines/worker1/journal", /planted/);
    has("machines/worker1/services/kubelet", /^unit kubelet\.service$/m);
    has("machines/cp1/bundles/control-plane", /apiserver\.key 600 root:root/);
    has("cluster/events", /probe/);
    has("cluster/pods-described", /coredns/);
    has("cluster/nodes-described", /^Name: +worker1$/m);
    assert.doesNotMatch(said, /^missing/m);
    const leaked = [...files].flatMap(([file, text]) => leaks(secrets, file, text));
    assert.deepEqual(leaked, []);
  });

  itOnceUp("changes one kubelet setting on one worker, and nothing else", async () => {
    const change = await changeKubelet(stack, 64);
    assert.deepEqual(change.lines, [
      { resource: "worker1:kubelet", sign: "+", line: "maxPods: 64" },
    ]);
    assert.deepEqual(Object.keys(change.logins), ["worker1"]);
    assert.deepEqual(change.restarted, ["worker1 kubelet.service"]);
    assert.deepEqual(change.changed, changedPaths(change.plan));
    const planned = [...change.plan].flatMap(([name, { services }]) =>
      services.map(({ action, unit }) => `${name} ${action} ${unit}`),
    );
    assert.deepEqual(planned, ["worker1 restart kubelet.service"]);
    await step("the plan is what is on the machines", async () => {
      assert.deepEqual(await differencesFromPlan(stack.machines, change.plan), []);
    });
    await step("pulumi preview", withoutChange);
    const [node] = await list(stack, "nodes", "--selector=kubernetes.io/hostname=worker1");
    assert.equal(node?.status.capacity?.pods, "64");
  });

  itOnceUp("shows in a preview for people exactly the line that changes", async () => {
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines![0]!.kubelet = { maxPods: 65 };
    });
    const { stdout } = await stack.succeeding("preview", "--diff");
    // The items of a list begin like lines that go.
    const changes = stdout.split("\n").filter((line) => /^ +[-+] +\w+:/.test(line));
    assert.deepEqual(
      changes.map((line) => line.replaceAll(/[\s|]+/g, " ").trim()),
      ["- maxPods: 64", "+ maxPods: 65"],
    );
    await live.restoreSettings();
  });

  itOnceUp("adds a worker: first refuses a binary that is not what it should be", async () => {
    const { file } = artifacts(version, architecture).crictl;
    const before = await stack.machines.lookAll();
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines!.push({
        name: "worker3",
        address: "10.240.0.23",
        podCidr: "10.200.23.0/24",
      });
    });
    const plan = planOf(await step("pulumi preview", () => stack.preview()));

    await step("pulumi up of a target beside it", () =>
      stack.succeeding("up", "--yes", "--skip-preview", "--target", "**::worker1:kubelet"),
    );
    assert.deepEqual(changed(before, await stack.machines.lookAll()), []);

    await stack.whileMirrored(file, "something else", async () => {
      const { code, stdout, stderr } = await step("pulumi up with another file", () =>
        stack.pulumi("up", "--yes", "--skip-preview"),
      );
      assert.notEqual(code, 0);
      const said = stdout + stderr;
      const sums = await readFile(join(stack.mirror, "SHA256SUMS"), "utf8");
      const expected = sums
        .split("\n")
        .find((line) => line.endsWith(`  ${file}`))!
        .slice(0, 64);
      assert.ok(said.includes(file), "the message names the file");
      assert.ok(said.includes(`expected ${expected}`), "and the sum that was expected");
      assert.ok(said.includes(`got ${sha256("something else")}`), "and the one that it has");
    });
    const installed = await stack.machines.inside("worker3", "ls /opt/kthw");
    assert.ok(!installed.includes("crictl"), `installed: ${installed}`);

    await step("pulumi up", () => stack.up());
    const after = await stack.machines.lookAll();
    assert.deepEqual(restarted(before, after), []);
    const made = changedFiles(emptyWorker, after.get("worker3")!)
      .filter((file) => !isIdentity(file) && !isOfUsers(file))
      .map((file) => `worker3 ${file}`);
    assert.deepEqual([...changed(before, after), ...made].sort(), changedPaths(plan));
    assert.equal(plan.get("worker3")?.fate, "made");
    await step("the plan is what is on the machines", async () => {
      assert.deepEqual(await differencesFromPlan(stack.machines, plan), []);
    });

    await step("its node takes pods", async () => {
      assert.deepEqual(await readyNodes(stack), [...controllers, ...workers, "worker3"]);
      await importTestImage(stack, ["worker3"]);
      await startPod(stack, "probe3", "worker3");
    });
    await rememberSecrets();
  });

  itOnceUp("removes that worker again", async () => {
    await inNamespace("delete", "pod", "probe3");
    const before = await stack.machines.lookAll();
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines!.pop();
    });
    const plan = planOf(await step("pulumi preview", () => stack.preview()));
    await step("pulumi up", () => stack.up());
    const after = await stack.machines.lookAll();
    assert.deepEqual([...after.keys()], [...controllers, "lb", ...workers]);
    assert.deepEqual(restarted(before, after), []);
    assert.deepEqual(changed(before, after), changedPaths(plan));
    assert.equal(plan.get("worker3")?.fate, "lost");
    await stack.kubectl(["delete", "node", "worker3", "--ignore-not-found"]);
    await step("pulumi preview", withoutChange);
  });

  itOnceUp("undoes a bad flag where it fails, and goes no further", async () => {
    const before = await stack.machines.lookAll();
    const state = await stack.export();
    await stack.configure((written) => {
      written.apiServer = { extraFlags: { "goaway-chance": "2" } };
    });
    await step("pulumi up with a bad flag", async () => {
      const { code, stdout, stderr } = await stack.pulumi("up", "--yes", "--skip-preview");
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, /on cp1 is not healthy/);
      assert.match(stdout + stderr, /--goaway-chance can not be/);
    });
    const after = await stack.machines.lookAll();
    assert.deepEqual(Object.keys(logins(before, after)), ["cp1"]);
    const elsewhere = restarted(before, after).filter((unit) => !unit.startsWith("cp1 "));
    assert.deepEqual(elsewhere, []);
    assert.equal(await stack.kubectl(["get", "--raw", "/readyz"]), "ok");

    await live.restoreSettings();
    await step("pulumi up without it", () => stack.up());
    assert.deepEqual(changed(before, await stack.machines.lookAll()), []);
    assert.deepEqual(differingResources(state, await stack.export()), []);
  });

  itOnceUp("changes a flag of all API servers while every request is answered", async () => {
    await stack.configure((written) => {
      written.apiServer = { extraFlags: { "event-ttl": "2h" } };
    });
    const noticed = await whileProbed(stack, () => step("pulumi up", () => stack.up()));
    assert.deepEqual(failures(noticed), []);
    const { requests } = noticed.requests;
    assert.ok(requests >= 200, `only ${requests} requests`);
    for (const name of controllers)
      assert.ok(
        noticed.restarted.includes(`${name} kube-apiserver.service`),
        `${name} was not restarted`,
      );
  });

  itOnceUp("refuses settings with mistakes, all at once, within seconds", async () => {
    const before = await stack.machines.lookAll();
    const state = await stack.export();
    await stack.configure((written) => {
      written.controllers = written.controllers!.slice(0, 2);
      written.dnsAddress = "10.33.0.10";
      Object.assign(written, { apiserver: {} });
    });
    const { file } = artifacts(version, architecture).runc;
    await stack.whileMirrored(file, undefined, async () => {
      for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
        const { code, stdout, stderr, seconds } = await step(`pulumi ${command[0]}`, () =>
          stack.pulumi(...command),
        );
        assert.notEqual(code, 0);
        for (const where of ["apiserver", "controllers", "dnsAddress", "artifacts.mirror"])
          assert.match(stdout + stderr, new RegExp(`^ *(error: )?${where}: .*, got .*; `, "m"));
        assert.ok(seconds <= 15, `took ${seconds.toFixed(1)} s`);
      }
    });
    await live.restoreSettings();
    const after = await stack.machines.lookAll();
    assert.deepEqual([changed(before, after), logins(before, after)], [[], {}]);
    assert.deepEqual(differingResources(state, await stack.export()), []);
  });

  itOnceUp(
    "refuses what the living cluster would not survive, before anything changes",
    async () => {
      const before = await stack.machines.lookAll();
      let address: string | undefined;
      await stack.configure((written) => {
        ({ address } = written.workerPools![0]!.machines![1]!);
        written.serviceCidr = "10.96.0.0/16";
        written.clusterDomain = "example.internal";
        // Its address passes to a machine of another name.
        Object.assign(written.workerPools![0]!.machines![1]!, { name: "worker9" });
      });
      for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
        const { code, stdout, stderr } = await step(`pulumi ${command[0]}`, () =>
          stack.pulumi(...command),
        );
        assert.notEqual(code, 0);
        for (const said of [
          "serviceCidr: cannot be changed on a living cluster, got 10.96.0.0/16; put 10.32.0.0/24 back",
          "clusterDomain: cannot be changed on a living cluster, got example.internal; put cluster.local back",
          `workerPools[0].machines[1].address: belongs to worker2, which leaves in this update, got ${address}; take worker2 out`,
        ])
          assert.ok((stdout + stderr).includes(said), `${said}\n${stdout}`);
      }
      await live.restoreSettings();
      const after = await stack.machines.lookAll();
      assert.deepEqual([changed(before, after), logins(before, after)], [[], {}]);
      await step("pulumi up without a change", () => stack.up());
      const unchanged = await stack.machines.lookAll();
      assert.deepEqual([changed(before, unchanged), restarted(before, unchanged)], [[], []]);
    },
  );

  itOnceUp("heals a worker that was killed", async () => {
    await stack.machines.kill("worker2");
    const steps = await step("pulumi preview", () => stack.preview());
    assert.deepEqual(
      effective(steps).map(({ op, urn }) => `${op} ${nameOf(urn)}`),
      ["update worker2"],
    );
    const { said, files } = await step("make logs", () => writeLogs(stack));
    assert.match(said, /^missing: worker2 cannot be reached: \S/m);
    assert.match(files.get("missing")!, /^worker2 cannot be reached: /);
    assert.ok(files.has("machines/worker1/journal") && files.has("cluster/events"));
    await step("pulumi up", () => stack.up());
    await step("its node takes pods", () =>
      eventually(async () => {
        assert.deepEqual(await readyNodes(stack), [...controllers, ...workers]);
        await startPod(stack, "after-reboot", "worker2");
      }),
    );
    await step("pulumi preview", withoutChange);
  });

  itOnceUp("heals a controller that was killed and lost its disk", async () => {
    await inNamespace("create", "configmap", "survivor", "--from-literal=value=still-there");
    await stack.machines.kill("cp1");
    await rm(join(stack.machines.folder, "cp1", "disk"), { recursive: true });
    const steps = await step("pulumi preview", () => stack.preview());
    const replaced = effective(steps).filter(({ op }) => /replace|create|delete/.test(op));
    assert.deepEqual([...new Set(replaced.map(({ urn }) => nameOf(urn)))], ["cp1"]);
    await step("pulumi up", () => stack.up());
    await rememberSecrets();
    await step("three members of etcd that vote and are healthy", async () => {
      const ask = async (command: string) =>
        JSON.parse(await stack.machines.inside("cp1", `${etcdctl} ${command} --write-out=json`));
      const { members } = await ask("member list");
      const voting = members.filter(({ isLearner }: { isLearner?: boolean }) => !isLearner);
      assert.deepEqual(voting.map(({ name }: { name: string }) => name).sort(), controllers);
      const health: { health: boolean }[] = await ask("endpoint health --cluster");
      assert.deepEqual(
        health.map((one) => one.health),
        [true, true, true],
      );
    });
    await step("one that was cut off while it was catching up goes on", async () => {
      const left = await stack.machines.inside(
        "cp1",
        `systemctl stop etcd && touch /etc/etcd/joining && rm /etc/etcd/founded-* &&
         systemctl start etcd && ${etcdctl} endpoint health >/dev/null && ls -d /var/lib/etcd/member*`,
      );
      assert.equal(left.trim(), "/var/lib/etcd/member");
    });
    const value = await inNamespace(
      "get",
      "configmap",
      "survivor",
      "--output=jsonpath={.data.value}",
    );
    assert.equal(value, "still-there");
    await eventually(async () =>
      assert.deepEqual(await readyNodes(stack), [...controllers, ...workers]),
    );
    await step("pulumi preview", withoutChange);
  });

  itOnceUp(
    "is destroyed though a machine is dead, and leaves nothing on the computer",
    async () => {
      await stack.machines.kill("worker1");
      await destroy(stack);
      live.isUp = false;
      assert.deepEqual(differences(computer, await lookAtComputer(stack.name)), []);
    },
  );

  it("shows no secret in what it said and in its state", async function () {
    if (secrets.size === 0) this.skip();
    const names = new Set(secrets.values());
    for (const name of ["operator-key", "cp1:apiserver-key", "service-accounts", "encryption-key1"])
      assert.ok(names.has(name), `there is a secret ${name}`);
    const found = stack.said.flatMap(({ command, text }) => leaks(secrets, command, text));
    for (const [file, text] of await stack.stateFiles()) found.push(...leaks(secrets, file, text));
    assert.deepEqual(found, []);
  });
});

const controlPlaneTaint = "node-role.kubernetes.io/control-plane:NoSchedule";

/** An APIService whose Service there is not. */
const danglingApiService = JSON.stringify({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name: "v1.nobody.example.com" },
  spec: {
    group: "nobody.example.com",
    version: "v1",
    groupPriorityMinimum: 100,
    versionPriority: 100,
    insecureSkipTLSVerify: true,
    service: { namespace: "default", name: "nobody" },
  },
});

/** Files by which machines differ before anything is put on them. */
function isIdentity(file: string): boolean {
  return ["/etc/hostname", "/etc/machine-id"].includes(file);
}

/** What etcd's start script writes down for itself. */
function isOfEtcd(path: string): boolean {
  return path.endsWith(" /etc/etcd/founded-1");
}

/** Where the system writes down users and groups, which a plan lists by their names. */
function isOfUsers(path: string): boolean {
  return /(^| )\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)-?$/.test(path);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Resources that are not as they were, without saying how: they hold secrets. */
function differingResources(before: Exported, after: Exported): string[] {
  const texts = ({ deployment }: Exported) =>
    new Map(
      deployment.resources.map((resource) => {
        const { modified, created, ...rest } = resource as ResourceState & Record<string, unknown>;
        return [resource.urn, JSON.stringify(rest, unordered)] as const;
      }),
    );
  return differing(texts(before), texts(after));
}

/** Pulumi writes down what a resource depends on in no order. */
function unordered(key: string, value: unknown): unknown {
  if (key === "propertyDependencies")
    return Object.fromEntries(
      Object.entries(value as Record<string, string[]>).map(([name, urns]) => [name, urns.sort()]),
    );
  return key === "dependencies" ? (value as string[]).toSorted() : value;
}
