import assert from "node:assert/strict";
import { changedPaths, planOf } from "../../operations/plan/plan.ts";
import { namespace, place } from "./support/cluster.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { inFile, restartsOf, rotate, served } from "./support/rotations.ts";
import { eventually, step } from "./support/run.ts";
import { failures, whileProbed } from "./support/undisturbed.ts";

const pki = "/etc/kubernetes/pki";
const each = (count: number) => ({ cp1: count, cp2: count, cp3: count });

describeLive("certificates", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  const onCp1 = (script: string) => stack.machines.inside("cp1", script);
  const keep = (...names: string[]) =>
    onCp1(`install -d -m 0700 /root/old && cd ${pki} && cp ${names.join(" ")} /root/old`);

  before(() => {
    stack = live.stack;
  });

  it("are made with the cluster", async () => {
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines!.splice(1);
    });
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    await stack.takeKubeconfig();
    await stack.kubectl(["create", "namespace", namespace]);
  });

  itOnceUp("are renewed, all pairs of the cluster, without a restart, and served", async () => {
    await stack.configure((written) => {
      written.certificates = { validityHours: 8000 };
    });
    const plan = planOf(await step("pulumi preview", () => stack.preview()));
    assert.deepEqual(
      [...plan].flatMap(([, { services }]) => services),
      [],
    );
    assert.notDeepEqual(changedPaths(plan), []);
    const noticed = await whileProbed(stack, () =>
      step("pulumi up with renewed pairs", () => stack.up()),
    );
    assert.deepEqual(failures(noticed), []);
    assert.deepEqual(noticed.restarted, []);
    for (const [machine, port, file] of [
      ...["cp1", "cp2", "cp3"].flatMap((name) => [
        [name, 6443, `${pki}/apiserver.crt`] as const,
        [name, 2379, `${pki}/etcd/server.crt`] as const,
        [name, 10250, "/var/lib/kubelet/pki/kubelet.crt"] as const,
      ]),
      ["worker1", 10250, "/var/lib/kubelet/pki/kubelet.crt"] as const,
    ])
      await eventually(async () =>
        assert.equal(
          await served(stack, machine, port),
          await inFile(stack, machine, file),
          `${machine}:${port}`,
        ),
      );
  });

  itOnceUp("refuse steps of a rotation out of order", async () => {
    await stack.configure((written) => {
      written.certificates = { validityHours: 8000, rotation: { etcdCa: "sign 2" } };
    });
    const { code, stdout } = await stack.pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(
      stdout,
      /certificates\.rotation\.etcdCa: does not follow nothing, got sign 2; write trust 2/,
    );
    await live.restoreSettings();
  });

  itOnceUp("have another front-proxy authority without a restart", async () => {
    await keep("front-proxy-client.crt", "front-proxy-client.key");
    const ask = (folder: string) =>
      onCp1(
        `curl --silent --output /dev/null --write-out '%{http_code}' --cacert ${pki}/ca.crt --header 'X-Remote-User: kubernetes-admin' --header 'X-Remote-Group: system:masters' --cert ${folder}/front-proxy-client.crt --key ${folder}/front-proxy-client.key https://127.0.0.1:6443/api/v1/nodes`,
      );
    assert.equal(await ask("/root/old"), "200");
    const steps = await rotate(stack, "frontProxyCa");
    assert.deepEqual(
      Object.values(steps).flatMap(({ restarted }) => restarted),
      [],
    );
    assert.equal(await ask(pki), "200");
    assert.equal(await ask("/root/old"), "401");
    const published = await stack.kubectl([
      ...["--namespace=kube-system", "get", "configmap/extension-apiserver-authentication"],
      "--output=jsonpath={.data.requestheader-client-ca-file}",
    ]);
    assert.equal(published.match(/BEGIN CERTIFICATE/g)?.length, 1);
  });

  itOnceUp(
    "have another authority of etcd with one restart of each member and API server",
    async () => {
      await keep("apiserver-etcd-client.crt", "apiserver-etcd-client.key");
      const ask = (folder: string) =>
        onCp1(
          `curl --silent --show-error --cacert ${pki}/etcd/ca.crt --cert ${folder}/apiserver-etcd-client.crt --key ${folder}/apiserver-etcd-client.key https://127.0.0.1:2382/health`,
        );
      assert.match(await ask("/root/old"), /true/);
      const steps = await rotate(stack, "etcdCa");
      assert.deepEqual(restartsOf("etcd", steps), each(1));
      assert.deepEqual(restartsOf("kube-apiserver", steps), each(1));
      assert.match(await ask(pki), /true/);
      await assert.rejects(ask("/root/old"));
      assert.match(await served(stack, "cp2", 2379), /etcd-ca-2/);
    },
  );

  itOnceUp(
    "have another service-account key with three restarts of each API server; Pods have its tokens before the former one goes",
    async () => {
      const heads = async () => {
        const tokens = "/var/lib/kubelet/pods/*/volumes/kubernetes.io~projected/*/token";
        const script = `for token in ${tokens}; do [ ! -e $token ] || { cut -d. -f1 $token; echo; }; done`;
        const machines = ["cp1", "cp2", "cp3", "worker1"];
        const said = await Promise.all(machines.map((name) => stack.machines.inside(name, script)));
        return [...new Set(said.join("\n").split("\n").filter(Boolean))];
      };
      const former = (await stack.kubectl(["create", "token", "default"])).trim();
      const answer = () =>
        onCp1(
          `curl --silent --output /dev/null --write-out '%{http_code}' --cacert ${pki}/ca.crt --header 'Authorization: Bearer ${former}' https://127.0.0.1:6443/version/`,
        );
      assert.deepEqual(await heads(), [former.split(".")[0]]);
      assert.notEqual(await answer(), "401");
      const annotations = { "kubernetes.io/service-account.name": "default" };
      await place(stack, {
        apiVersion: "v1",
        kind: "Secret",
        type: "kubernetes.io/service-account-token",
        metadata: { name: "lasting", annotations },
      });
      const steps = await rotate(stack, "serviceAccountKey", async () => {
        const [head, ...others] = await heads();
        assert.notEqual(head, former.split(".")[0]);
        assert.deepEqual(others, []);
        assert.notEqual(await answer(), "401");
        const { code, stdout } = await stack.pulumi("up", "--yes", "--skip-preview");
        assert.notEqual(code, 0);
        assert.match(stdout, /the Secret live-test\/lasting has a token of the key/);
        await stack.kubectl([`--namespace=${namespace}`, "delete", "secret", "lasting"]);
      });
      assert.deepEqual(restartsOf("kube-apiserver", steps), each(3));
      assert.deepEqual(restartsOf("kube-controller-manager", steps), each(1));
      assert.equal(await answer(), "401");
      await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
    },
  );
});
