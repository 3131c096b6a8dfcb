import assert from "node:assert/strict";
import { changed, mistakes, worker2 } from "../support/settings.ts";

/** A field of a pool's kubelets that is refused, and what is said of it, and where if that is inside. */
function refuses(field: string, value: unknown, expected: string, inside = ""): void {
  const where = `workerPools[0].kubelet.${field}${inside}`;
  it(`${where}: ${expected}`, () =>
    assert.deepEqual(mistakes(changed({ "workerPools[0].kubelet": { [field]: value } })), [
      `${where}: ${expected}`,
    ]));
}

describe("fields of KubeletConfiguration", () => {
  it("of each kind are accepted", () => {
    const kubelet = {
      allowedUnsafeSysctls: ["net.core.somaxconn"],
      containerLogMaxSize: "20Mi",
      cpuCFSQuota: false,
      crashLoopBackOff: { maxContainerRestartPeriod: "60s" },
      evictionHard: { "memory.available": "200Mi", "nodefs.available": "5%" },
      featureGates: { InPlacePodVerticalScalingExclusiveCPUs: true },
      logging: {
        format: "json",
        flushFrequency: 5_000_000_000,
        verbosity: 2,
        vmodule: [{ filePattern: "pod*", verbosity: 4 }],
        options: { json: { splitStream: true, infoBufferSize: "64Ki" } },
      },
      maxPods: 60,
      memoryThrottlingFactor: 0.8,
      nodeStatusUpdateFrequency: "10s",
      podPidsLimit: -1,
      reservedMemory: [{ numaNode: 0, limits: { memory: "1Gi" } }],
      shutdownGracePeriodByPodPriority: [{ priority: 100, shutdownGracePeriodSeconds: 30 }],
      syncFrequency: "1m30s",
      systemReserved: { cpu: "100m" },
      tlsMinVersion: "VersionTLS13",
      tracing: { endpoint: "localhost:4317", samplingRatePerMillion: 100 },
    };
    assert.deepEqual(mistakes(changed({ "workerPools[0].kubelet": kubelet })), []);
  });
});

describe("a field that KubeletConfiguration does not have is refused", () => {
  const not = "not a field of KubeletConfiguration in Kubernetes 1.36";
  refuses("maxpods", 60, `${not}, got 60; did you mean maxPods?`);
  refuses(
    "evictionhard",
    { "memory.available": "1Gi" },
    `${not}, got {"memory.available":"1Gi"}; did you mean evictionHard?`,
  );
  refuses("frobnicate", 1, `${not}, got 1; use one of KubeletConfiguration`);
  refuses(
    "logging",
    { options: { json: { splitstream: true } } },
    "not a field of JSONOptions in Kubernetes 1.36, got true; did you mean splitStream?",
    ".options.json.splitstream",
  );
  refuses(
    "logging",
    { vmodule: [{ filePattern: "a", verbosity: 1 }, { file: "b" }] },
    "not a field of VModuleItem in Kubernetes 1.36, got b; use one of filePattern, verbosity",
    ".vmodule[1].file",
  );

  it("on a controller and on a machine of a pool", () =>
    assert.deepEqual(
      mistakes(
        changed({
          "controllers[1].kubelet": { maxpods: 1 },
          [`${worker2}.kubelet`]: { syncfrequency: "1s", rotateCertificates: false },
        }),
      ),
      [
        `controllers[1].kubelet.maxpods: ${not}, got 1; did you mean maxPods?`,
        `${worker2}.kubelet.syncfrequency: ${not}, got 1s; did you mean syncFrequency?`,
        `${worker2}.kubelet.rotateCertificates: decided by the program, got false; leave it out`,
      ],
    ));
});

describe("a field whose value is of another kind is refused", () => {
  const duration = "write it like 10s or 2h30m";
  refuses("nodeStatusUpdateFrequency", 10, `not a duration, got 10; ${duration}`);
  refuses("nodeStatusUpdateFrequency", "10", `not a duration, got 10; ${duration}`);
  refuses("nodeStatusUpdateFrequency", "2h 30m", `not a duration, got 2h 30m; ${duration}`);
  refuses(
    "cpuCFSQuota",
    "false",
    "neither true nor false, got false; write one of them, without quotes",
  );
  refuses(
    "registryBurst",
    "20",
    "not a whole number, got 20; write one from -2147483648 to 2147483647, without quotes",
  );
  refuses(
    "registryBurst",
    2 ** 31,
    "not a whole number, got 2147483648; write one from -2147483648 to 2147483647, without quotes",
  );
  refuses(
    "memoryThrottlingFactor",
    "0.8",
    "not a number, got 0.8; write it like 0.5, without quotes",
  );
  const quote = "put it in quotes, or add --type string to pulumi config set";
  refuses("containerLogMaxSize", 20, `not a text, got 20; ${quote}`);
  refuses("systemReserved", { cpu: 1 }, `not a text, got 1; ${quote}`, ".cpu");
  refuses("evictionHard", "1Gi", "not names with values, got 1Gi; write lines like a: b below it");
  refuses(
    "allowedUnsafeSysctls",
    "kernel.*",
    "not a list, got kernel.*; write its items below it, a dash before each",
  );
  refuses(
    "tracing",
    true,
    "not a group of fields, got true; write below it some of endpoint, samplingRatePerMillion",
  );
  refuses(
    "logging",
    { options: { text: { infoBufferSize: "much" } } },
    "not a quantity, got much; write it like 100Mi",
    ".options.text.infoBufferSize",
  );
  refuses(
    "evictionHard",
    null,
    "not names with values, got nothing; write lines like a: b below it",
  );
});

describe("a field that takes away what the program promises is refused", () => {
  for (const [field, value] of [
    ["enableServer", false],
    ["podCIDR", "10.0.0.0/24"],
    ["readOnlyPort", 10255],
    ["registerNode", false],
    ["runOnce", true],
  ] as const)
    refuses(field, value, `decided by the program, got ${value}; leave it out`);
  refuses(
    "tlsMinVersion",
    "VersionTLS10",
    "not TLS 1.2 or newer, got VersionTLS10; use VersionTLS12 or VersionTLS13",
  );
  refuses(
    "featureGates",
    { WatchLists: true },
    "WatchLists is not a feature gate of Kubernetes 1.36, got true; did you mean WatchList?",
    ".WatchLists",
  );
});
