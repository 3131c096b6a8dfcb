import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { planOf } from "../../operations/plan/plan.ts";
import { ask, importTestImage, list, namespace, readyNodes, startPod } from "./support/cluster.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { restarted } from "./support/machines.ts";
import { commandsPerMachine, destroy, updateWithoutChange } from "./support/measures.ts";
import { differencesFromPlan } from "./support/planned.ts";
import { eventually, output, step } from "./support/run.ts";
import { leaks, type SecretTexts, secretTexts } from "./support/secrets.ts";

/** One machine for each way to join. */
const workers = {
  certificates: "worker1",
  bootstrapToken: "worker2",
  kubeadmToken: "worker3",
  kubeadmFile: "worker4",
};
const comers = [workers.bootstrapToken, workers.kubeadmToken, workers.kubeadmFile];
const chosen = { id: "0a1b2c", secret: "secret0of0lab0ok" };
const clusterInfo = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
const kubeadmConfig = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config";

/** A machine as the settings name it. */
function machine(name: string) {
  const number = `2${name.at(-1)}`;
  return { name, address: `10.240.0.${number}`, podCidr: `10.200.${number}.0/24` };
}

/** A bootstrap token as `kubeadm token list` shows it. */
interface ListedToken {
  readonly token: string;
  readonly description: string;
  readonly expires: string;
}

describeLive("machines that join a cluster", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  const secrets: SecretTexts = new Map([[chosen.secret, "the chosen token"]]);

  const rememberSecrets = async () => {
    for (const [text, secret] of secretTexts((await stack.export()).deployment.resources))
      secrets.set(text, secret);
  };

  before(async () => {
    stack = live.stack;
    await stack.configure((settings) => {
      settings.controllers = settings.controllers!.slice(0, 1);
      settings.workerPools = [{ name: "workers", machines: [machine(workers.certificates)] }];
      settings.joinTokens = [{ name: "lab" }, { name: "short" }];
    });
  });

  /** Asks the API as a machine does that is not in the cluster yet; the status of the answer. */
  const status = async (path: string, token?: string) => {
    const credentials = token === undefined ? [] : ["--header", "@-"];
    return output(
      "ip",
      [
        ...["netns", "exec", stack.namespace, "curl", "--insecure", "--silent", "--max-time", "5"],
        ...["--output", "/dev/null", "--write-out", "%{http_code}", ...credentials],
        `https://10.240.0.10:6443${path}`,
      ],
      { input: token === undefined ? "" : `Authorization: Bearer ${token}\n` },
    );
  };

  const tokens = async (): Promise<ListedToken[]> => {
    const said = await stack.machines.inside(
      "cp1",
      "kubeadm token list --kubeconfig=/etc/kubernetes/admin.conf --output=json",
    );
    // One object after another.
    return said.trim() === "" ? [] : JSON.parse(`[${said.trim().replaceAll(/\}\s*\{/g, "},{")}]`);
  };

  const tokenFor = async (description: string) =>
    (await tokens()).find((one) => one.description === description);

  /** Of every Node that became Ready since then, after how many seconds it did. */
  const printReadiness = async (since: number) => {
    for (const { metadata, status } of await list(stack, "nodes")) {
      const ready = status.conditions?.find(({ type }) => type === "Ready") as
        | { lastTransitionTime?: string }
        | undefined;
      const seconds = (Date.parse(ready?.lastTransitionTime ?? "") - since) / 1000;
      if (seconds > 0) console.log(`      ${metadata.name} Ready after ${seconds.toFixed(0)} s`);
    }
  };

  it("the cluster comes up with a token for others", async () => {
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    await stack.takeKubeconfig();
    await rememberSecrets();
    assert.deepEqual(await readyNodes(stack), ["cp1", workers.certificates]);
    const command = await stack.output<string>("joinCommand");
    const { token, expires } = (await tokenFor("lab"))!;
    const [hash] = await stack.output<string[]>("caCertHashes");
    assert.ok(
      command.startsWith(
        `kubeadm join 10.240.0.10:6443 --token ${token} --discovery-token-ca-cert-hash ${hash} `,
      ),
      "the command line to paste",
    );
    assert.ok(command.endsWith(` # until ${expires}`), "with its end");
    const hours = (Date.parse(expires) - Date.now()) / 3_600_000;
    assert.ok(hours > 23 && hours <= 24, `${hours} hours`);
  });

  itOnceUp("each way is shown before it happens, and nothing restarts elsewhere", async () => {
    await stack.configure(({ workerPools }) => {
      workerPools!.push(
        {
          name: "bootstrap-token",
          join: "bootstrapToken",
          machines: [machine(workers.bootstrapToken)],
        },
        { name: "kubeadm-token", join: "kubeadm", machines: [machine(workers.kubeadmToken)] },
        {
          name: "kubeadm-file",
          join: "kubeadm",
          discovery: "file",
          kubelet: { maxPods: 60 },
          machines: [machine(workers.kubeadmFile)],
        },
      );
    });
    const steps = await step("pulumi preview", () => stack.preview());
    const plan = planOf(steps);
    const planned = (name: string, path: string) => plan.get(name)?.files.get(path);
    const secret = (name: string, path: string) => planned(name, path)?.kind === "secret";
    assert.ok(secret(workers.bootstrapToken, "/etc/kubernetes/bootstrap-kubelet.conf"));
    for (const name of [workers.kubeadmToken, workers.kubeadmFile]) {
      assert.ok(secret(name, "/etc/kubernetes/kubeadm-join.yaml"), name);
      assert.match(planned(name, "/usr/local/bin/kubeadm")?.text ?? "", /^\(link: /, name);
      const command = steps.find(({ urn }) => urn.endsWith(`::${name}:kubeadm-join`));
      assert.equal(command?.op, "create", name);
      assert.match(String(command?.newState?.inputs?.create), /kubeadm join --config=/, name);
    }
    assert.ok(secret(workers.kubeadmFile, "/etc/kubernetes/kubeadm-discovery.conf"));
    assert.match(
      planned(workers.kubeadmFile, "/etc/kubernetes/kubelet.conf.d/10-machine.conf")?.text ?? "",
      /^maxPods: 60$/m,
    );

    const before = await stack.machines.lookAll();
    const since = Date.now();
    await step("pulumi up", () => stack.up());
    await printReadiness(since);
    await rememberSecrets();
    assert.deepEqual(restarted(before, await stack.machines.lookAll()), []);
    assert.deepEqual(await readyNodes(stack), ["cp1", ...Object.values(workers)]);
    await step("the plan is what is on the machines", async () => {
      assert.deepEqual(await differencesFromPlan(stack.machines, plan), []);
    });
    const counts = await commandsPerMachine(stack);
    // One of them is the routes to machines that are not in the settings.
    for (const name of comers) assert.ok(counts[name]! <= 10, `${name}: ${counts[name]} commands`);
  });

  itOnceUp("their Nodes run pods that can be asked, read and entered", async () => {
    const names = Object.values(workers);
    await step("import the test image", () => importTestImage(stack, names));
    await step("a pod on each", () =>
      Promise.all(names.map((name) => startPod(stack, `on-${name}`, name))),
    );
    for (const name of names) {
      const pod = [`--namespace=${namespace}`, `on-${name}`];
      const { status } = (await list(stack, "pods", pod[0]!)).find(
        ({ metadata }) => metadata.name === `on-${name}`,
      )!;
      assert.equal(await ask(stack, "on-worker1", status.podIP, 8080), `on-${name}`);
      assert.match(await stack.kubectl(["logs", ...pod]), /Started HTTP server/, name);
      const entered = await stack.kubectl(["exec", ...pod, "--", "/bin/cat", "/etc/hostname"]);
      assert.equal(entered.trim(), `on-${name}`);
    }
    const [node] = await list(
      stack,
      "nodes",
      `--selector=kubernetes.io/hostname=${workers.kubeadmFile}`,
    );
    assert.equal(node?.status.capacity?.pods, "60");
  });

  itOnceUp("kubelets asked the cluster for their certificates, and renew them", async () => {
    const requests = JSON.parse(await stack.kubectl(["get", "csr", "--output=json"])).items as {
      spec: { username: string; signerName: string; groups: string[] };
      status: { conditions?: { type: string }[]; certificate?: string };
    }[];
    const issued = requests.filter(
      ({ spec, status }) =>
        spec.signerName === "kubernetes.io/kube-apiserver-client-kubelet" &&
        spec.username.startsWith("system:bootstrap:") &&
        status.conditions?.some(({ type }) => type === "Approved") &&
        status.certificate,
    );
    assert.equal(issued.length, comers.length);
    for (const name of comers) {
      const said = await stack.machines.inside(
        name,
        "openssl x509 -in /var/lib/kubelet/pki/kubelet-client-current.pem -noout -subject -issuer",
      );
      assert.match(said, new RegExp(`CN = system:node:${name}$`, "m"));
      assert.match(said, /^issuer=CN = kubernetes-ca$/m);
      const rotates = await stack.kubectl(["get", "--raw", `/api/v1/nodes/${name}/proxy/configz`]);
      const { kubeletconfig } = JSON.parse(rotates);
      assert.equal(kubeletconfig.rotateCertificates, true, name);
      assert.notEqual(kubeletconfig.serverTLSBootstrap, true, name);
      const may = [
        ...["auth", "can-i", "create", "certificatesigningrequests.certificates.k8s.io"],
        ...["--subresource=selfnodeclient", `--as=system:node:${name}`, "--as-group=system:nodes"],
      ];
      assert.equal((await stack.kubectl(may)).trim(), "yes", name);
    }
  });

  itOnceUp("a second update does nothing", async () => {
    const { logins, said } = await updateWithoutChange(stack);
    assert.match(said, /^ +\d+ unchanged$/m);
    assert.doesNotMatch(said, /^ +[-+~]/m);
    assert.equal(logins, 0);
    await step("pulumi refresh", () =>
      stack.succeeding("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
    );
  });

  itOnceUp("anybody may read the cluster's address and authority, and nothing else", async () => {
    assert.equal(await status(clusterInfo), "200");
    for (const path of [
      "/api/v1/namespaces/kube-public/configmaps",
      "/api/v1/namespaces/kube-public",
      "/api/v1/nodes",
      "/version",
      kubeadmConfig,
    ])
      assert.equal(await status(path), "401", path);
  });

  itOnceUp(
    "a token that has ended is refused, and another number of hours makes another",
    async () => {
      const { token } = (await tokenFor("short"))!;
      const name = `bootstrap-token-${token.slice(0, 6)}`;
      await eventually(async () => assert.equal(await status(kubeadmConfig, token), "200"));
      const past = Buffer.from(new Date(Date.now() - 60_000).toISOString()).toString("base64");
      const patch = JSON.stringify({ data: { expiration: past } });
      await stack.kubectl(["patch", "secret", name, "--namespace=kube-system", `--patch=${patch}`]);
      await eventually(async () => assert.equal(await status(kubeadmConfig, token), "401"));
      await stack.configure(({ joinTokens }) => {
        joinTokens![1]!.validityHours = 48;
      });
      await step("pulumi up", () => stack.up());
      await rememberSecrets();
      const renewed = (await tokenFor("short"))!;
      assert.notEqual(renewed.token, token);
      assert.ok(Date.parse(renewed.expires) > Date.now() + 47 * 3_600_000, renewed.expires);
      await eventually(async () => assert.equal(await status(kubeadmConfig, renewed.token), "200"));
    },
  );

  itOnceUp(
    "a token is the operator's own where it is given, and revoked where it goes",
    async () => {
      const { token } = (await tokenFor("short"))!;
      await stack.configure(({ joinTokens }) => {
        joinTokens!.splice(0, 2, { name: "lab" }, { name: "own" });
      });
      await stack.setSecret("joinTokens[1].token", `${chosen.id}.${chosen.secret}`);
      await step("pulumi up", () => stack.up());
      await rememberSecrets();
      assert.equal((await tokenFor("own"))?.token, `${chosen.id}.${chosen.secret}`);
      assert.equal(await tokenFor("short"), undefined);
      // The API servers hear of the token's end a moment later.
      await eventually(async () => assert.equal(await status(kubeadmConfig, token), "401"));
      const { own } = await stack.output<Record<string, string>>("joinCommands");
      assert.ok(
        own?.includes(` --token ${chosen.id}.${chosen.secret} `),
        "the command line to paste",
      );
    },
  );

  itOnceUp(
    "a machine that was made anew joins again, with a token that lasts as long",
    async () => {
      const description = `lets ${workers.kubeadmToken} join`;
      const before = (await tokenFor(description))!;
      const looks = await stack.machines.lookAll();
      const others = new Map([...looks].filter(([name]) => name !== workers.kubeadmToken));
      await stack.machines.kill(workers.kubeadmToken);
      await rm(join(stack.machines.folder, workers.kubeadmToken, "disk"), { recursive: true });
      await step("pulumi up", () => stack.up());
      await rememberSecrets();
      const after = (await tokenFor(description))!;
      assert.notEqual(after.token, before.token);
      assert.ok(after.expires > before.expires, `${before.expires}, then ${after.expires}`);
      assert.deepEqual(restarted(others, await stack.machines.lookAll()), []);
      await step("its node takes pods", async () => {
        await stack.kubectl(["delete", "pod", `--namespace=${namespace}`, "on-worker3"]);
        await importTestImage(stack, [workers.kubeadmToken]);
        await startPod(stack, "anew", workers.kubeadmToken);
      });
    },
  );

  itOnceUp("putting everything right again renews tokens and restarts nothing", async () => {
    const description = `lets ${workers.bootstrapToken} join`;
    const before = (await tokenFor(description))!;
    const looks = await stack.machines.lookAll();
    await stack.configure((settings) => {
      settings.reassert = 1;
    });
    await step("pulumi up", () => stack.up());
    await rememberSecrets();
    const after = (await tokenFor(description))!;
    assert.notEqual(after.token, before.token);
    assert.deepEqual(restarted(looks, await stack.machines.lookAll()), []);
    assert.deepEqual(await readyNodes(stack), ["cp1", ...Object.values(workers)]);
  });

  itOnceUp("another way is taken by the kubelets alone, and their pods go on", async () => {
    const ways = { workers: "kubeadm", "bootstrap-token": "certificates" } as const;
    const changing = [workers.certificates, workers.bootstrapToken];
    const columns =
      "NAME:.metadata.name,UID:.metadata.uid,RESTARTS:.status.containerStatuses[*].restartCount";
    const pods = () =>
      stack.kubectl([
        "get",
        "pods",
        `--namespace=${namespace}`,
        `--output=custom-columns=${columns}`,
      ]);
    const [before, running] = [await stack.machines.lookAll(), await pods()];
    await stack.configure(({ workerPools }) => {
      for (const pool of workerPools!)
        pool.join = ways[pool.name as keyof typeof ways] ?? pool.join;
    });
    await step("pulumi up", () => stack.up());
    await rememberSecrets();
    assert.deepEqual(
      restarted(before, await stack.machines.lookAll()),
      changing.map((name) => `${name} kubelet.service`),
    );
    await eventually(async () =>
      assert.deepEqual(await readyNodes(stack), ["cp1", ...Object.values(workers)]),
    );
    assert.deepEqual(await pods(), running);
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
  });

  itOnceUp("all of it can be destroyed", async () => {
    await destroy(stack);
    live.isUp = false;
  });

  it("shows no secret in what it said and in its state", async function () {
    if (secrets.size === 1) this.skip();
    const names = new Set(secrets.values());
    for (const name of ["join-token:lab", ...comers.map((name) => `${name}:bootstrap-token`)])
      assert.ok(names.has(name), `there is a secret ${name}`);
    const found = stack.said.flatMap(({ command, text }) => leaks(secrets, command, text));
    for (const [file, text] of await stack.stateFiles()) found.push(...leaks(secrets, file, text));
    assert.deepEqual(found, []);
  });
});
