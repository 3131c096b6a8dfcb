import assert from "node:assert/strict";
import { noTurn } from "../../components/rotation.ts";
import { rawSettings } from "../../settings/load.ts";
import { changed, mistakes, settings, worker2, written } from "../support/settings.ts";

describe("settings of the local stack", () => {
  it("have no mistake", () => assert.deepEqual(mistakes(written()), []));

  it("get every default", () => {
    // The groups of other platforms have their defaults in tests of their own.
    const { controllers, workerPools, loadBalancers, hosts, libvirt, aws, ...rest } = settings(
      written(),
    );
    assert.deepEqual(rest, {
      platform: "local",
      clusterName: "kubernetes",
      clusterDomain: "cluster.local",
      kubernetesVersion: "1.36.4",
      architecture: "amd64",
      machineCidr: "10.240.0.0/24",
      podCidr: "10.200.0.0/16",
      serviceCidr: "10.32.0.0/24",
      network: "bridge",
      weave: { fastDatapath: true, imageDigests: {} },
      dnsAddress: "10.32.0.10",
      dnsForwarders: [],
      controllerTaints: [
        { key: "node-role.kubernetes.io/control-plane", value: "", effect: "NoSchedule" },
      ],
      controllerLabels: { "node-role.kubernetes.io/control-plane": "" },
      controllerStaticPods: [],
      controllerHealthProxy: false,
      joinTokens: [],
      drainTimeoutSeconds: 300,
      timeoutFactor: 1,
      etcd: {
        generation: 1,
        quotaMiB: 2048,
        compactionHours: 8,
        backup: { enabled: true, intervalHours: 6, keep: 8 },
        defragmentation: { enabled: true, intervalHours: 24, freePercent: 45 },
      },
      encryptionKeys: [{ name: "key1", provider: "aescbc" }],
      apiServer: {
        extraFlags: {},
        certificateNames: [],
        jwt: [],
        auditPolicy: undefined,
        admissionConfiguration: undefined,
        webhooks: {},
      },
      controllerManager: { extraFlags: {} },
      scheduler: { extraFlags: {} },
      kubeProxy: { mode: "iptables" },
      artifacts: { mirror: "/var/cache/kthw/mirror" },
      certificates: {
        authorities: [],
        validityHours: 8760,
        validityHoursOf: {},
        caValidityHours: 87600,
        earlyRenewalHours: 720,
        turns: {
          kubernetesCa: noTurn,
          etcdCa: noTurn,
          frontProxyCa: noTurn,
          serviceAccountKey: noTurn,
        },
      },
      proxy: { noProxy: [] },
      reassert: 0,
      registries: [],
      local: { apiPort: 16443, sshPortBase: 22000 },
    });
    assert.deepEqual(
      loadBalancers.map(({ name }) => name),
      ["lb"],
    );
    assert.deepEqual(
      controllers.map(({ name }) => name),
      ["cp1", "cp2", "cp3"],
    );
    assert.deepEqual(workerPools[0]?.machines[1], {
      name: "worker2",
      address: "10.240.0.22",
      podCidr: "10.200.22.0/24",
      kubelet: {},
    });
  });

  it("cannot be changed", () => {
    const all: unknown[] = [settings(written())];
    for (const value of all) {
      if (typeof value !== "object" || value === null) continue;
      assert.ok(Object.isFrozen(value), JSON.stringify(value));
      all.push(...Object.values(value));
    }
    assert.deepEqual(settings(written()), settings(written()));
  });
});

describe("settings", () => {
  it("of a pool's kubelets hold for its machines, which may differ", () => {
    const raw = changed({
      "workerPools[0].kubelet": { maxPods: 50, podPidsLimit: 100 },
      [`${worker2}.kubelet`]: { maxPods: 60 },
    });
    const [pool] = settings(raw).workerPools;
    assert.deepEqual(
      pool?.machines.map(({ kubelet }) => kubelet),
      [
        { maxPods: 50, podPidsLimit: 100 },
        { maxPods: 60, podPidsLimit: 100 },
      ],
    );
    assert.ok(!("kubelet" in pool!));
  });

  it("may hold numbers as text and flags as numbers", () => {
    const raw = { ...written(), reassert: "3", local: { apiPort: "7000" } };
    const { reassert, local } = settings(raw);
    assert.deepEqual(
      { reassert, local },
      { reassert: 3, local: { apiPort: 7000, sshPortBase: 22000 } },
    );
    const apiServer = { extraFlags: { v: 4, profiling: true, "event-ttl": "2h" } };
    assert.deepEqual(settings({ ...written(), apiServer }).apiServer.extraFlags, {
      v: "4",
      profiling: "true",
      "event-ttl": "2h",
    });
  });

  it("may hold a choice as text", () => {
    const choice = (value: unknown) =>
      settings({ ...written(), controllerHealthProxy: value }).controllerHealthProxy;
    assert.deepEqual([choice("true"), choice("false"), choice(true)], [true, false, true]);
  });

  it("parse taints", () => {
    const taints = ["example.com/gpu=yes:NoExecute", "slow:PreferNoSchedule"];
    const raw = changed({ "workerPools[0].taints": taints });
    assert.deepEqual(settings(raw).workerPools[0]?.taints, [
      { key: "example.com/gpu", value: "yes", effect: "NoExecute" },
      { key: "slow", value: "", effect: "PreferNoSchedule" },
    ]);
  });

  it("put the DNS address at the tenth of the services", () => {
    const raw = { ...written(), serviceCidr: "10.99.7.16/28" };
    assert.equal(settings(raw).dnsAddress, "10.99.7.26");
  });

  it("are read from their own namespace alone", () => {
    const config = {
      "kthw:reassert": "1",
      "kthw:architecture": "",
      "kthw:dnsForwarders": '["1.1.1.1"]',
      "kthw:loadBalancers": "[oops",
      "other:reassert": "2",
    };
    assert.deepEqual(rawSettings(config), {
      reassert: "1",
      dnsForwarders: ["1.1.1.1"],
      loadBalancers: "[oops",
    });
  });
});
