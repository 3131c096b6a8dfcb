import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { clusterCheck, foreseen, kubeletFlagsCheck } from "../../settings/upgrade-inspections.ts";

describe("before a minor version, a machine", () => {
  const change = { from: "1.36.4", to: "1.37.2", isMinor: true, isBegun: false } as const;
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

  it("names the flags of kubeadm's that its kubelet will not take", () => {
    const file = path.join(folder, "kubeadm-flags.env");
    const check = kubeletFlagsCheck(change).replaceAll("/var/lib/kubelet/kubeadm-flags.env", file);
    assert.equal(run(check).status, 0, "without the file");
    writeFileSync(file, 'KUBELET_KUBEADM_ARGS="--node-ip=10.240.0.23 --containerd-like=x"\n');
    assert.equal(run(check).status, 0);
    writeFileSync(
      file,
      'KUBELET_KUBEADM_ARGS="--containerd=/run/c.sock --node-ip=10.240.0.23 --boot-id-file"\n',
    );
    const { status, said } = run(check);
    assert.equal(status, 1);
    assert.match(
      said,
      /kubeadm-flags\.env on \S+: kubelet 1\.37 does not know some flags and would not start, got --containerd --boot-id-file; take them out$/,
    );
  });

  it("is asked for no flags before a patch", () =>
    assert.equal(
      kubeletFlagsCheck({ from: "1.36.3", to: "1.36.4", isMinor: false, isBegun: false }),
      "",
    ));
});

describe("a preview of a minor version", () => {
  /** Machines whose ssh is a shell script. */
  const machines = (ssh: Readonly<Record<string, string>>) =>
    Object.entries(ssh).map(([name, script]) => ({
      urn: `urn:pulumi:test::kthw::kthw:index:Host::${name}`,
      type: "kthw:index:Host",
      outputs: { name, ssh: `sh -c '${script}'` },
    }));

  it("says what stands in the way on each machine, and which cannot be asked", async () => {
    const inspections = ["cp1", "worker1", "worker2", "worker3"].map((machine) => ({
      machine,
      command: `echo ${machine}: in the way >&2; exit 1`,
    }));
    const runs = "exec bash -s";
    const { found, unreached } = await foreseen(
      inspections,
      machines({ cp1: runs, worker1: "echo no route >&2; exit 255", worker2: runs, lb: runs }),
    );
    assert.deepEqual(found.sort(), ["cp1: in the way", "worker2: in the way"]);
    assert.deepEqual(unreached, ["worker1 cannot be reached: no route"]);
  });

  it("says nothing where nothing is in the way", async () => {
    const inspections = [{ machine: "cp1", command: "true" }];
    const nothing = { found: [], unreached: [] };
    assert.deepEqual(await foreseen(inspections, machines({ cp1: "exec bash -s" })), nothing);
  });
});
