import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { etcdctl, namespace } from "./support/cluster.ts";
import type { LiveStack, WrittenSettings } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { type Looks, restarted } from "./support/machines.ts";
import { curl, makeSecrets, secretsUrl } from "./support/many-secrets.ts";
import { Prober } from "./support/prober.ts";
import { eventually, run, step } from "./support/run.ts";

const controllers = ["cp1", "cp2", "cp3"];
/** How many Secrets are encrypted anew. */
const count = 2_000;

type Keys = NonNullable<WrittenSettings["encryptionKeys"]>;
const key1 = { name: "key1", provider: "aescbc" } as const;
const key2 = { name: "key2", provider: "secretbox" } as const;

describeLive("the encryption keys of a cluster", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  let start: Looks;
  let prober: Prober;

  const configure = (...encryptionKeys: Keys) =>
    stack.configure((settings) => {
      settings.encryptionKeys = encryptionKeys;
    });
  const refused = async (...keys: Keys) => {
    await configure(...keys);
    const { code, stdout, stderr } = await step("pulumi preview, refused", () =>
      stack.pulumi("preview"),
    );
    assert.notEqual(code, 0);
    await live.restoreSettings();
    return stdout + stderr;
  };
  /** How many values of Secrets in etcd begin with which prefix. */
  const prefixes = async () => {
    const script = `${etcdctl} get --prefix /registry/secrets/ --print-value-only |
      grep --text --only-matching 'k8s:enc:[a-z]*:v1:[a-z0-9]*:' | sort | uniq --count`;
    const lines = (await stack.machines.inside("cp1", script)).trim().split("\n");
    return Object.fromEntries(
      lines
        .map((line) => line.trim().split(" ") as [string, string])
        .map(([n, key]) => [key, Number(n)]),
    );
  };
  const stored = async () =>
    Number(
      await stack.machines.inside(
        "cp1",
        `${etcdctl} get --prefix /registry/secrets/ --keys-only | grep --count .`,
      ),
    );
  /** Gets each Secret from etcd, by each API server; returns how often each status was answered. */
  const statuses = async () => {
    const names = (
      await stack.kubectl(["get", "secrets", `--namespace=${namespace}`, "--output=name"])
    ).replaceAll(/^secret\/(.*)$/gm, `url = "${secretsUrl}/$1"\noutput = "/dev/null"`);
    const counts: Record<string, string> = {};
    for (const name of controllers)
      counts[name] = (
        await stack.machines.inside(
          name,
          `${curl} --parallel --parallel-max 4 --write-out '%{http_code}\\n' --config - | sort | uniq --count`,
          names,
        )
      ).trim();
    return counts;
  };

  before(async () => {
    stack = live.stack;
    await stack.configure((settings) => {
      settings.workerPools = [];
    });
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    const kubeconfig = await stack.takeKubeconfig();
    await stack.kubectl(["create", "namespace", namespace]);
    await step(`${count} Secrets`, () => makeSecrets(stack, count));
    await stack.kubectl(["create", "secret", "generic", "probe", `--namespace=${namespace}`]);
    start = await stack.machines.lookAll();
    prober = new Prober(kubeconfig, [`/api/v1/namespaces/${namespace}/secrets/probe`]);
  });

  itOnceUp("are not replaced in one step", async () => {
    assert.match(
      await refused(key2),
      /encryptionKeys\[0\]: not known to every API server yet, got key2 \(secretbox\); put it behind key1 \(aescbc\) in one update, and first in the next/,
    );
  });

  itOnceUp("are added behind the first, which still encrypts", async () => {
    await configure(key1, key2);
    await step("pulumi up", () => stack.up());
    await stack.kubectl(["create", "secret", "generic", "added", `--namespace=${namespace}`]);
    assert.deepEqual(await prefixes(), { "k8s:enc:aescbc:v1:key1:": await stored() });
  });

  itOnceUp("are promoted, though the update is killed in the middle", async () => {
    await configure(key2, key1);
    live.settings = stack.settings;
    const killed = new AbortController();
    const args = ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", stack.name];
    await step("pulumi up, killed once a controller has the keys", async () => {
      const up = run("pulumi", args, {
        cwd: fileURLToPath(new URL("../..", import.meta.url)),
        env: stack.environment,
        timeoutSeconds: 300,
        signal: killed.signal,
      });
      const placed = "grep --quiet '^# Step 2$' /etc/kubernetes/encryption.yaml";
      await eventually(() => stack.machines.inside("cp1", placed), 120).finally(async () => {
        killed.abort();
        await up.catch(() => undefined);
      });
    });
    await stack.succeeding("cancel", "--yes");
    assert.match(await refused(key2), /changed while an update of the keys was cut off/);
    await step("pulumi up", () => stack.up());
    assert.deepEqual(await prefixes(), { "k8s:enc:secretbox:v1:key2:": await stored() });
  });

  itOnceUp("are retired once no Secret is encrypted by them", async () => {
    await configure(key2);
    await step("pulumi up", () => stack.up());
    const file = await stack.machines.inside("cp1", "cat /etc/kubernetes/encryption.yaml");
    assert.doesNotMatch(file, /key1|aescbc/);
    const answers = await step("each Secret from each API server", statuses);
    const all = `${count + 2} 200`;
    assert.deepEqual(answers, { cp1: all, cp2: all, cp3: all });
  });

  itOnceUp("have changed without a restart and without a failed request", async () => {
    const { requests, failures, maxMs, p99Ms } = await prober.stop();
    console.log(`      ${requests} requests, p99 ${p99Ms} ms, max ${maxMs} ms`);
    assert.deepEqual(failures, []);
    const units = restarted(start, await stack.machines.lookAll());
    assert.deepEqual(units, []);
    await step("pulumi preview", () => stack.succeeding("preview", "--expect-no-changes"));
    await step("make check", async () => {
      const { stdout } = await stack.script("operations/check/run-check.ts");
      const differences = stdout.split("\n").filter((line) => /encryption|apiserver/.test(line));
      assert.deepEqual(differences, []);
    });
    await step("make smoke", async () => {
      const encrypted = "a secret is encrypted in etcd";
      const { stdout } = await stack.script("operations/smoke/run-smoke.ts", (said) =>
        said.includes(encrypted),
      );
      assert.match(stdout, new RegExp(`^ok .* ${encrypted}$`, "m"));
    });
  });
});
