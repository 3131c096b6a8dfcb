import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { weaveObjects, withWeaveNet } from "../support/weave.ts";
import {
  agnhost,
  ask,
  importTestImage,
  type KubernetesObject,
  list,
  namespace,
  place,
  readyNodes,
  startPod,
} from "./support/cluster.ts";
import type { LiveStack, WrittenSettings } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { changed, restarted } from "./support/machines.ts";
import { audience, issuersAddress, OidcIssuers } from "./support/oidc-issuers.ts";
import { eventually, output, step } from "./support/run.ts";

const nodes = ["cp1", "worker1", "worker2"];
const addresses = { cp1: "10.240.0.11", worker1: "10.240.0.21", worker2: "10.240.0.22" };

/** A pod that answers with its own name, run by the kubelets of a pool. */
const staticPod = (port: number) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "static" },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "agnhost",
        image: agnhost.name,
        imagePullPolicy: "Never",
        args: ["netexec", `--http-port=${port}`],
      },
    ],
  },
});

/** Writes down what is asked of ConfigMaps, and nothing else. */
const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "Request", verbs: ["create"], resources: [{ group: "", resources: ["configmaps"] }] },
    { level: "None" },
  ],
};

/** What the tests read of a Node. */
interface NodeObject extends KubernetesObject {
  readonly spec: KubernetesObject["spec"] & {
    readonly taints?: readonly { readonly key: string; readonly effect: string }[];
  };
}

describeLive("details of the nodes of a small cluster", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  /** Folder of a company's authorities: root.pem, and ca.pem that it signed. */
  let company: string;
  let issuers: OidcIssuers | undefined;

  before(async () => {
    stack = live.stack;
    company = await makeAuthorities();
    await stack.configure((settings) => {
      settings.controllers = settings.controllers!.slice(0, 1);
      settings.certificates = {
        authority: {
          certificate: join(company, "chain.pem"),
          privateKey: join(company, "ca-key.pem"),
        },
      };
    });
  });

  after(async () => {
    await issuers?.stop();
    await rm(company, { recursive: true });
  });

  const inside = (machine: string, script: string) => stack.machines.inside(machine, script);
  /** Updates the stack with other settings; services that were restarted, and files that changed. */
  const update = async (title: string, change: (settings: WrittenSettings) => void) => {
    const before = await stack.machines.lookAll();
    await stack.configure(change);
    await step(`pulumi up: ${title}`, () => stack.up());
    const after = await stack.machines.lookAll();
    return { restarted: restarted(before, after), changed: changed(before, after) };
  };
  const kubeProxies = nodes.map((node) => `${node} kube-proxy.service`);

  /** Asks the service of the two pods from everywhere, at its cluster address and at a node port. */
  const serviceAnswers = async () => {
    const [service] = await list(stack, "services", `--namespace=${namespace}`);
    const { clusterIP, ports } = service!.spec;
    const { nodePort } = ports[0]!;
    const answer = /^web[12]$/;
    for (const pod of ["web1", "web2"])
      await eventually(async () => assert.match(await ask(stack, pod, clusterIP, 80), answer));
    for (const machine of nodes) {
      const curl = "curl --fail --silent --show-error --max-time 5";
      const script = `${curl} http://${clusterIP}/hostname`;
      await eventually(async () => assert.match(await inside(machine, script), answer));
    }
    for (const address of Object.values(addresses)) {
      const url = `http://${address}:${nodePort}/hostname`;
      await eventually(async () => assert.match(await fromOutside(url), answer));
    }
  };
  /** Asks from the network that the machines are in. */
  const fromOutside = (url: string) =>
    output("ip", [
      ...["netns", "exec", stack.namespace],
      ...["curl", "--fail", "--silent", "--show-error", "--max-time", "5", url],
    ]);
  /** Rules of kube-proxy's modes on a machine. */
  const rules = async (machine: string) => ({
    iptables: Number(
      await inside(
        machine,
        "iptables-save 2>/dev/null | grep --count --extended-regexp 'KUBE-(SVC|SEP|EXT|SERVICES|NODEPORTS|POSTROUTING|MARK-MASQ|PROXY)' || true",
      ),
    ),
    nftables: Number(
      await inside(machine, "nft list tables | grep --count ' kube-proxy$' || true"),
    ),
  });
  const node = async (name: string) =>
    JSON.parse(await stack.kubectl(["get", `node/${name}`, "--output=json"])) as NodeObject;
  const taints = async (name: string) =>
    ((await node(name)).spec.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).sort();
  /** Lets the scheduler choose a node for a pod without tolerations. */
  const schedule = async (name: string) => {
    await startPod(stack, name);
    const pods = await list(stack, "pods", `--namespace=${namespace}`);
    return pods.find(({ metadata }) => metadata.name === name)!.spec.nodeName;
  };

  it("comes up", async () => {
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    await stack.takeKubeconfig();
    assert.deepEqual(await readyNodes(stack), nodes);
    await step("test image", () => importTestImage(stack, nodes));
    await step("two pods", async () => {
      await startPod(stack, "web1", "worker1");
      await startPod(stack, "web2", "worker2");
    });
    await stack.kubectl(["--namespace", namespace, "label", "pods", "web1", "web2", "in=web"]);
    await place(stack, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { type: "NodePort", selector: { in: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await step("the service answers", serviceAnswers);
    const { iptables, nftables } = await rules("worker1");
    assert.ok(iptables > 0);
    assert.equal(nftables, 0);
  });

  itOnceUp(
    "the machines share the binaries of the mirror, and have none of their own",
    async () => {
      const ofDisk = `${stack.machines.folder}/*/disk/upper/opt/kthw`;
      assert.equal(await output("bash", ["-c", `find ${ofDisk} -type f ! -path '*/images/*'`]), "");
      assert.match(await inside("worker1", "crictl --version"), /^crictl version /);
    },
  );

  itOnceUp(
    "the cluster is signed by the company's authority, whose root is enough to know it",
    async () => {
      const own = await readFile(join(company, "ca.pem"), "utf8");
      const root = await readFile(join(company, "root.pem"), "utf8");
      const chain = await readFile(join(company, "chain.pem"), "utf8");
      const kubeconfig = parse(await stack.takeKubeconfig());
      const { cluster } = kubeconfig.clusters[0];
      assert.equal(Buffer.from(cluster["certificate-authority-data"], "base64").toString(), chain);
      const published = await stack.kubectl([
        ...["get", "configmap/kube-root-ca.crt", "--output", "jsonpath={.data.ca\\.crt}"],
      ]);
      assert.equal(published.trim(), chain.trim());
      assert.equal(await inside("worker1", "cat /var/lib/kubelet/pki/ca.crt"), own);

      cluster["certificate-authority-data"] = Buffer.from(root).toString("base64");
      const file = join(company, "kubeconfig");
      await writeFile(file, stringify(kubeconfig), { mode: 0o600 });
      assert.equal(await stack.kubectl([`--kubeconfig=${file}`, "get", "--raw=/readyz"]), "ok");

      for (const [machine, address] of [
        ["cp1", `${addresses.cp1}:6443`],
        ["worker1", `${addresses.worker1}:10250`],
      ] as const) {
        const script = `cat >/tmp/root.pem; openssl s_client -connect ${address} -CAfile /tmp/root.pem -verify_return_error </dev/null 2>&1`;
        assert.match(
          await stack.machines.inside(machine, script, root),
          /Verify return code: 0 \(ok\)/,
        );
      }
      const lookUp = ["/agnhost", "connect", "kubernetes.default.svc.cluster.local:443"];
      await stack.kubectl([`--namespace=${namespace}`, "exec", "web1", "--", ...lookUp]);
      const [hash] = await stack.output<string[]>("caCertHashes");
      const spki = `openssl x509 -in ${company}/ca.pem -noout -pubkey | openssl pkey -pubin -outform der | sha256sum`;
      assert.equal(hash, `sha256:${(await output("bash", ["-c", spki])).split(" ")[0]}`);
    },
  );

  itOnceUp("others whom the company knows are no users of the cluster", async () => {
    await output("bash", [
      ...[
        "-euc",
        sign("root", "stranger", "/O=system:masters/CN=stranger", "extendedKeyUsage=clientAuth"),
      ],
      company,
    ]);
    const server = `https://127.0.0.1:${stack.settings.local!.apiPort}`;
    const asked = await output("curl", [
      ...["--silent", "--show-error", "--cacert", join(company, "root.pem")],
      ...["--cert", join(company, "stranger.pem"), "--key", join(company, "stranger-key.pem")],
      `${server}/api/v1/namespaces`,
    ]);
    assert.match(asked, /"code": 401/);
  });

  itOnceUp("the authority's key is in no plain text", async () => {
    const [, secret] = (await readFile(join(company, "ca-key.pem"), "utf8")).split("\n");
    for (const [path, text] of await stack.stateFiles()) assert.ok(!text.includes(secret!), path);
    for (const { command, text } of stack.said) assert.ok(!text.includes(secret!), command);
  });

  itOnceUp("another authority is refused, or none", async () => {
    for (const authority of [
      undefined,
      { certificate: join(company, "root.pem"), privateKey: join(company, "root-key.pem") },
    ]) {
      await stack.configure((settings) => {
        settings.certificates = authority ? { authority } : {};
      });
      const { code, stdout, stderr } = await step("pulumi preview", () => stack.pulumi("preview"));
      assert.notEqual(code, 0);
      assert.match(
        stdout + stderr,
        /certificates\.authority: cannot be changed on a living cluster, got .+; put CN=Company Kubernetes sha256:\w+ back/,
      );
    }
    await live.restoreSettings();
  });

  itOnceUp("the API takes the objects of Weave Net, which may do what it needs", async () => {
    const { graph } = await withWeaveNet();
    const objects = [...weaveObjects(graph).values()].map(({ inputs }) => JSON.stringify(inputs));
    const apply = ["apply", "--server-side", "--filename=-"];
    const inSystem = "--namespace=kube-system";
    for (const object of objects) await stack.kubectl([...apply, "--dry-run=server"], object);
    for (const object of objects) await stack.kubectl(apply, object);
    try {
      // No image of the network can be pulled here, but each node has its pod, whatever the taints.
      await eventually(async () => {
        const pods = await list(stack, "pods", inSystem, "--selector=name=weave-net");
        assert.deepEqual(pods.map(({ spec }) => spec.nodeName).sort(), nodes);
      });
      const mayDo = async (...words: string[]) => {
        const as = "--as=system:serviceaccount:kube-system:weave-net";
        const question = ["auth", "can-i", ...words, inSystem, as];
        return (await stack.kubectl(question).catch(() => "no")).trim() === "yes";
      };
      for (const words of [
        ["watch", "pods"],
        ["list", "networkpolicies.networking.k8s.io"],
        ["watch", "nodes"],
        ["patch", "nodes", "--subresource=status"],
        ["get", "configmap/weave-net"],
        ["update", "configmap/weave-net"],
      ])
        assert.ok(await mayDo(...words), words.join(" "));
      for (const words of [
        ["patch", "nodes"],
        ["get", "secrets"],
        ["update", "configmap/coredns"],
        ["create", "configmaps"],
      ])
        assert.ok(!(await mayDo(...words)), words.join(" "));
    } finally {
      for (const object of objects.toReversed())
        await stack.kubectl(["delete", "--ignore-not-found", "--filename=-"], object);
    }
  });

  itOnceUp(
    "a mode of kube-proxy that the kernel lacks is refused before anything changes",
    async () => {
      const before = await stack.machines.lookAll();
      await stack.configure((settings) => {
        settings.kubeProxy = { mode: "ipvs" };
      });
      const { code, stdout, stderr } = await step("pulumi up: ipvs", () =>
        stack.pulumi("up", "--yes"),
      );
      assert.notEqual(code, 0);
      assert.match(
        stdout + stderr,
        /kubeProxy\.mode: this computer's kernel \S+, which its machines share, has no ip_vs, got ipvs; use iptables or nftables/,
      );
      const after = await stack.machines.lookAll();
      assert.deepEqual([...restarted(before, after), ...changed(before, after)], []);
      await live.restoreSettings();
    },
  );

  itOnceUp(
    "members of the group kubernetes see a node's containers, nobody else does",
    async () => {
      await inside("worker1", "useradd --groups kubernetes alice; useradd bob");
      const seen = (user: string) =>
        inside("worker1", `runuser -u ${user} -- crictl ps --quiet | grep --count . || true`);
      assert.ok(Number(await seen("alice")) > 0);
      await assert.rejects(inside("worker1", "runuser -u bob -- crictl ps"), /permission denied/);
      await assert.rejects(inside("worker1", "runuser -u alice -- ls /etc/kubernetes/pki"));
      await inside("worker1", "systemctl restart containerd");
      await eventually(async () => assert.ok(Number(await seen("alice")) > 0));
      assert.equal(
        await inside(
          "worker1",
          "stat --format='%a %U:%G' /etc/kubernetes /etc/kubernetes/pki /run/containerd/containerd.sock",
        ),
        "755 root:root\n711 root:root\n660 root:kubernetes\n",
      );
    },
  );

  itOnceUp(
    "nftables, labels, taints and static pods come without restarting a kubelet",
    async () => {
      const manifest = "/etc/kubernetes/manifests/static.yaml";
      await stack.kubectl(["taint", "node", "worker2", "cp1", "others=own:PreferNoSchedule"]);
      await stack.kubectl(["label", "node", "worker2", "others=own"]);
      const { restarted, changed } = await update("nftables, taints, a static pod", (settings) => {
        settings.kubeProxy = { mode: "nftables" };
        settings.controllerHealthProxy = true;
        settings.controllerTaints = [];
        settings.workerPools![0]!.labels = { disk: "ssd" };
        settings.workerPools![0]!.taints = ["example.com/only=tests:NoSchedule"];
        settings.workerPools![0]!.staticPods = [staticPod(8080)];
      });
      assert.deepEqual(restarted, ["cp1 health-proxy.service", ...kubeProxies]);
      assert.deepEqual(
        changed.filter((line) => !line.includes("-proxy")),
        [`worker1 ${manifest}`, `worker2 ${manifest}`],
      );
      assert.equal(await fromOutside(`http://${addresses.cp1}/healthz`), "ok");
      await assert.rejects(fromOutside(`http://${addresses.cp1}/api`), /404/);
      assert.equal((await node("worker1")).metadata.labels?.disk, "ssd");
      const others = "others:PreferNoSchedule";
      assert.deepEqual(await taints("worker1"), ["example.com/only:NoSchedule"]);
      assert.deepEqual(await taints("worker2"), ["example.com/only:NoSchedule", others]);
      assert.deepEqual(await taints("cp1"), [others]);
      assert.equal(await step("a pod is scheduled", () => schedule("anywhere")), "cp1");
      for (const name of ["static-worker1", "static-worker2"])
        await step(name, () =>
          stack.kubectl(["wait", "--for=condition=Ready", "--timeout=60s", `pod/${name}`]),
        );
      await step("the service answers", serviceAnswers);
      for (const machine of nodes)
        assert.deepEqual(await rules(machine), { iptables: 0, nftables: 2 }, machine);
    },
  );

  itOnceUp("a changed static pod takes the place of the former", async () => {
    const { restarted } = await update("iptables, no labels, another static pod", (settings) => {
      settings.kubeProxy = { mode: "iptables" };
      delete settings.controllerHealthProxy;
      delete settings.controllerTaints;
      settings.workerPools![0]!.labels = {};
      delete settings.workerPools![0]!.taints;
      settings.workerPools![0]!.staticPods = [staticPod(8081)];
    });
    assert.deepEqual(restarted, ["cp1 health-proxy.service", ...kubeProxies]);
    await assert.rejects(fromOutside(`http://${addresses.cp1}/healthz`), /Failed to connect/);
    await step("the static pod is another", () =>
      eventually(async () => {
        const pod = await stack.kubectl(["get", "pod/static-worker1", "--output=json"]);
        assert.match(pod, /--http-port=8081/);
        assert.match(pod, /"phase": "Running"/);
      }, 60),
    );
    assert.equal((await node("worker1")).metadata.labels?.disk, undefined);
    assert.deepEqual(await taints("worker1"), []);
    const others = "others:PreferNoSchedule";
    assert.deepEqual(await taints("worker2"), [others]);
    assert.equal((await node("worker2")).metadata.labels?.others, "own");
    assert.deepEqual(await taints("cp1"), [
      "node-role.kubernetes.io/control-plane:NoSchedule",
      others,
    ]);
    await stack.kubectl(["taint", "node", "worker2", "cp1", "others-"]);
    assert.match(await step("a pod is scheduled", () => schedule("elsewhere")), /^worker/);
    await step("the service answers", serviceAnswers);
    for (const machine of nodes) {
      const { iptables, nftables } = await rules(machine);
      assert.ok(iptables > 0, machine);
      assert.equal(nftables, 0, machine);
    }
  });

  itOnceUp("a static pod that is taken out of the settings ends", async () => {
    const { restarted } = await update("no static pod", (settings) => {
      delete settings.workerPools![0]!.staticPods;
    });
    assert.deepEqual(restarted, []);
    await step("pulumi refresh", () =>
      stack.succeeding("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
    );
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
    await step("no static pod is left", () =>
      eventually(async () => {
        const pods = await list(stack, "pods", "--namespace=default");
        assert.deepEqual(
          pods.map(({ metadata }) => metadata.name),
          [],
        );
      }, 60),
    );
  });

  /** Who somebody with a token is to the API. */
  const whoIs = async (token: string) => {
    const kubeconfig = parse(await stack.takeKubeconfig());
    const file = join(company, "kubeconfig-without-user");
    await writeFile(file, stringify({ ...kubeconfig, users: [] }));
    const asked = ["auth", "whoami", "--output=json", `--token=${token}`];
    const answer = JSON.parse(await stack.kubectl([`--kubeconfig=${file}`, ...asked]));
    return answer.status.userInfo as { username: string; groups: string[] };
  };
  const alice = { sub: "alice", groups: ["developers"] };
  const isAlice = async (token: string) => {
    const { username, groups } = await whoIs(token);
    assert.equal(username, "oidc:alice");
    assert.deepEqual(groups.toSorted(), ["oidc:developers", "system:authenticated"]);
  };

  itOnceUp("the API takes tokens of an issuer with their groups, and no others", async () => {
    const names = `subjectAltName=IP:${issuersAddress}`;
    await output("bash", ["-euc", sign("root", "server", "/CN=issuers", names), company]);
    issuers = await OidcIssuers.start(stack.namespace, company, ["first", "second"]);
    const first = issuers.token("first", alice);
    await assert.rejects(whoIs(first), /Unauthorized/);
    const own = "https://kubernetes.default.svc.cluster.local";
    const before = await update("an issuer, an audit policy, names, a list", (settings) => {
      settings.apiServer = {
        certificateNames: ["api.example.com"],
        jwt: [authenticator(issuers!.url("first"), join(company, "root.pem"))],
        auditPolicy: stringify(auditPolicy),
        extraFlags: { "service-account-issuer": [own, "https://tokens.example.com"] },
      };
    });
    assert.deepEqual(before.restarted, ["cp1 kube-apiserver.service"]);
    await isAlice(first);
    for (const token of [
      issuers.token("first", alice, "stranger"),
      issuers.token("second", alice),
      issuers.token("first", { ...alice, aud: "another" }),
      issuers.token("first", { ...alice, exp: 1 }),
    ])
      await assert.rejects(whoIs(token), /Unauthorized/);
  });

  itOnceUp(
    "the API is known by its further name, and writes down what its policy says",
    async () => {
      const shown = `openssl s_client -connect ${addresses.cp1}:6443 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName`;
      assert.match(await inside("cp1", shown), /DNS:api\.example\.com/);
      await stack.kubectl([`--namespace=${namespace}`, "create", "configmap", "audited"]);
      const log = await inside("cp1", "cat /var/log/kubernetes/audit.log");
      const events = log
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      const levels = events
        .filter(({ objectRef }) => objectRef?.name === "audited")
        .map(({ level, requestObject }) => [level, requestObject?.kind]);
      assert.deepEqual(levels, [["Request", "ConfigMap"]]);
      const token = await stack.kubectl(["create", "token", "default"]);
      const [, claims = ""] = token.split(".");
      const { iss } = JSON.parse(Buffer.from(claims, "base64url").toString());
      assert.equal(iss, "https://kubernetes.default.svc.cluster.local");
    },
  );

  itOnceUp("the API takes another issuer without a restart", async () => {
    const { restarted, changed } = await update("another issuer", ({ apiServer }) => {
      apiServer!.jwt!.push(authenticator(issuers!.url("second"), join(company, "root.pem")));
    });
    assert.deepEqual(restarted, []);
    assert.deepEqual(changed, ["cp1 /etc/kubernetes/authentication.yaml"]);
    for (const name of ["first", "second"]) await isAlice(issuers!.token(name, alice));
    await assert.rejects(whoIs(issuers!.token("second", alice, "stranger")), /Unauthorized/);
  });
});

/** An issuer as the settings have it, known by the company's root. */
function authenticator(url: string, certificateAuthority: string) {
  return {
    issuer: { url, audiences: [audience], certificateAuthority },
    claimMappings: {
      username: { claim: "sub", prefix: "oidc:" },
      groups: { claim: "groups", prefix: "oidc:" },
    },
  };
}

/** Makes a root and what it signed: an authority for Kubernetes. */
async function makeAuthorities(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "kthw-company-"));
  const root = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=Company root" \\
    -addext keyUsage=critical,keyCertSign -keyout "$0/root-key.pem" -out "$0/root.pem"`;
  const usage = "keyUsage=critical,digitalSignature,keyCertSign,cRLSign";
  const constraints = `basicConstraints=critical,CA:TRUE,pathlen:0\n${usage}\nsubjectKeyIdentifier=hash`;
  const own = sign("root", "ca", "/CN=Company Kubernetes", constraints);
  const chain = 'cat "$0/ca.pem" "$0/root.pem" >"$0/chain.pem"';
  await output("bash", ["-euc", [root, own, chain].join("\n"), folder]);
  return folder;
}

/** Shell commands by which an authority signs a certificate in the folder $0. */
function sign(by: string, name: string, subject: string, extensions: string): string {
  return `openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "${subject}" -keyout "$0/${name}-key.pem" |
    openssl x509 -req -CA "$0/${by}.pem" -CAkey "$0/${by}-key.pem" -days 30 -extfile <(printf '${extensions.replaceAll("\n", "\\n")}') >"$0/${name}.pem"`;
}
