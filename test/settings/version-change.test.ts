import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Upgrade } from "../../components/upgrade.ts";
import type { KubernetesVersion } from "../../components/versions.ts";
import { clusterCheck, upgradeFault } from "../../settings/version-change.ts";
import { record } from "../support/record.ts";

describe("a version of Kubernetes", () => {
  const faults: readonly (readonly [from: string, to: string, fault?: string])[] = [
    ["1.36.3", "1.36.4"],
    ["1.36.4", "1.37.2"],
    ["1.36.3", "1.37.2"],
    ["1.36.10", "1.37.2"],
    [
      "1.37.2",
      "1.36.4",
      "older than 1.37.2, which the cluster has had; put 1.37.2 back: neither the data of etcd nor the objects of Kubernetes go back to an older version",
    ],
    [
      "1.36.10",
      "1.36.4",
      "older than 1.36.10, which the cluster has had; put 1.36.10 back: neither the data of etcd nor the objects of Kubernetes go back to an older version",
    ],
    [
      "1.35.9",
      "1.37.2",
      "skips 1.36, which follows the cluster's 1.35.9; set 1.36.4 for one update, then 1.37.2 for the next",
    ],
    [
      "1.34.1",
      "1.36.4",
      "skips 1.35, which follows the cluster's 1.34.1; let an earlier release of this program, which has 1.35, upgrade the cluster to it first",
    ],
  ];
  for (const [from, to, fault] of faults)
    it(`${to} is ${fault ? "refused" : "taken"} after ${from}`, () => {
      const found = upgradeFault(from, to);
      assert.equal(found && `${found.wrong}; ${found.todo}`, fault);
    });

  it("is taken for a new cluster", () =>
    assert.equal(upgradeFault(undefined, "1.37.2"), undefined));
});

describe("what the state remembers of versions", () => {
  /** The change that is made of a cluster's first version and of versions that the state has as reached. */
  const changeOf = async (
    version: KubernetesVersion,
    first: string | undefined,
    ...reached: string[]
  ) => {
    const { exports } = await record(
      async () => await new Upgrade("upgrade", { version, first: Promise.resolve(first) }).change,
      {
        outputs: ({ name }) =>
          reached.includes(name.replace("kubernetes-", "")) ? { input: "reached" } : {},
      },
    );
    return exports;
  };

  it("is no change in a preview of the first update, and while the version stays", async () => {
    assert.equal(await changeOf("1.36.4", undefined), undefined);
    assert.equal(await changeOf("1.36.4", "1.36.4"), undefined);
  });

  it("is a change from the newest version that the cluster has had", async () => {
    const change = { from: "1.36.3", to: "1.36.4", isMinor: false };
    assert.deepEqual(await changeOf("1.36.4", "1.36.3"), change);
    assert.deepEqual(await changeOf("1.36.4", "1.35.9", "1.36.3"), change);
    assert.deepEqual(await changeOf("1.36.4", "1.35.9"), {
      from: "1.35.9",
      to: "1.36.4",
      isMinor: true,
    });
  });

  it("is a way back after a newer version", async () => {
    const back = { from: "1.36.4", to: "1.36.3", isMinor: false };
    assert.deepEqual(await changeOf("1.36.3", "1.36.3", "1.36.4"), back);
  });
});

describe("before a minor version, a machine", () => {
  const change = { from: "1.36.4", to: "1.37.2", isMinor: true } as const;
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-version-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (commands: string) => {
    const { status, stderr } = spawnSync("sh", ["-c", commands], { encoding: "utf8" });
    return { status, said: stderr.trim() };
  };
  /** Asks a cluster whose kubectl is a shell script. */
  const ask = (kubectl: string) => {
    const program = path.join(folder, "kubectl");
    writeFileSync(program, `#!/bin/sh\nshift 2\ncase "$*" in\n${kubectl}\n*) exit 1 ;;\nesac\n`);
    chmodSync(program, 0o755);
    return run(clusterCheck(change, folder));
  };
  const nodes = (...lines: string[]) => `'get nodes '*) printf '${lines.join("\\n")}\\n' ;;`;
  const served = `'get --raw /apis/scheduling.k8s.io/v1alpha2')
    echo '{"kind":"APIResourceList","groupVersion":"scheduling.k8s.io/v1alpha2","resources":[{"name":"workloads","singularName":"workload"},{"name":"workloads/status"}]}' ;;`;

  it("passes where nothing is in the way", () => {
    const fine = nodes("cp1 v1.36.4", "guest1 v1.34.1", "new ");
    assert.deepEqual(ask(fine), { status: 0, said: "" });
    const none = "'get workloads.v1alpha2.scheduling.k8s.io '*) ;;";
    assert.deepEqual(ask(`${served}\n${none}\n${fine}`), { status: 0, said: "" });
  });

  it("names all objects of an API that goes, and Nodes that are too old", () => {
    const { status, said } = ask(`${served}
      'get workloads.v1alpha2.scheduling.k8s.io '*) printf ' default/a apps/b' ;;
      ${nodes("cp1 v1.36.4", "guest1 v1.33.9")}`);
    assert.equal(status, 1);
    assert.equal(
      said,
      `kubernetesVersion: 1.37 no longer serves scheduling.k8s.io/v1alpha2, got workloads default/a apps/b; delete them, and make them anew with another version of the API once the cluster has 1.37
kubernetesVersion: 1.37 works with kubelets of three earlier minor versions at most, got v1.33.9 on guest1; upgrade that first`,
    );
  });

  it("refuses where the API does not answer", () => assert.notEqual(ask("none) ;;").status, 0));
});
