import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { parse } from "yaml";
import { z } from "zod";
import { mirrorFiles } from "../components/downloads.ts";
import {
  encloses,
  enclosingCidr,
  formatAddress,
  formatCidr,
  holds,
  lastOf,
  nthAddress,
  overlap,
  parseAddress,
  parseCidr,
  sizeOf,
} from "../settings/ipv4.ts";
import { readMirror } from "../settings/mirror.ts";
import { schema } from "../settings/schema.ts";
import { parseSettings, rawSettings, type Settings } from "../settings/settings.ts";
import { warnings } from "../settings/warnings.ts";

const root = new URL("../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const kernel = { release: "6.1.0-18-amd64", ipvs: true };
const context = {
  stack: "local",
  arch: "amd64",
  cacheDir: "/var/cache/kthw",
  kernel,
  home: "/home/operator",
  read,
  isSecret: () => true,
};

/** What the command line hands on of stacks/Pulumi.local.yaml. */
function written(): Record<string, unknown> {
  const { config } = parse(read("stacks/Pulumi.local.yaml")) as { config: Record<string, unknown> };
  const texts = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === "object" ? JSON.stringify(value) : String(value),
  ]);
  return rawSettings(Object.fromEntries(texts));
}

function settings(raw: Record<string, unknown>, differing = {}): Settings {
  const result = parseSettings(raw, { ...context, ...differing });
  assert.ok("settings" in result, JSON.stringify(result));
  return result.settings;
}

function mistakes(raw: Record<string, unknown>, differing = {}): string[] {
  const result = parseSettings(raw, { ...context, ...differing });
  return "mistakes" in result ? result.mistakes : [];
}

/** Every setting's place, such as `controllers[].name`. */
function places(setting: unknown, place = ""): string[] {
  if (
    setting instanceof z.ZodDefault ||
    setting instanceof z.ZodPrefault ||
    setting instanceof z.ZodOptional
  ) {
    return places(setting.def.innerType, place);
  }
  if (setting instanceof z.ZodArray) return places(setting.element, `${place}[]`);
  if (!(setting instanceof z.ZodObject)) return [];
  return Object.entries(setting.shape).flatMap(([name, inner]) => {
    const inside = place ? `${place}.${name}` : name;
    return [inside, ...places(inner, inside)];
  });
}

describe("settings of the local stack", () => {
  it("have no mistake", () => assert.deepEqual(mistakes(written()), []));

  it("get every default", () => {
    const { controllers, workerPools, loadBalancers, hosts: _, ...rest } = settings(written());
    assert.deepEqual(rest, {
      platform: "local",
      clusterName: "kubernetes",
      clusterDomain: "cluster.local",
      kubernetesVersion: "1.36.4",
      architecture: "amd64",
      machineCidr: "10.240.0.0/24",
      podCidr: "10.200.0.0/16",
      serviceCidr: "10.32.0.0/24",
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
      etcd: { generation: 1 },
      apiServer: { extraFlags: {} },
      controllerManager: { extraFlags: {} },
      scheduler: { extraFlags: {} },
      kubeProxy: { mode: "iptables" },
      artifacts: { mirror: "/var/cache/kthw/mirror" },
      certificates: { validityHours: 8760, caValidityHours: 87600, earlyRenewalHours: 720 },
      reassert: 0,
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

  it("are the same with the defaults of Pulumi.yaml laid under", () => {
    const { config } = parse(read("Pulumi.yaml")) as {
      config: Record<string, { description: string; default: unknown }>;
    };
    const texts = Object.entries(config).map(([name, { default: value }]) => [
      `kthw:${name}`,
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]);
    const raw = { ...rawSettings(Object.fromEntries(texts)), ...written() };
    assert.deepEqual(settings(raw), settings(written()));
  });

  it("are described one by one in Pulumi.yaml and docs/settings.md", () => {
    const { config } = parse(read("Pulumi.yaml")) as {
      config: Record<string, { description?: string }>;
    };
    assert.deepEqual(Object.keys(config), Object.keys(schema.shape));
    assert.ok(Object.values(config).every(({ description }) => description));
    const headings = read("docs/settings.md").matchAll(/^##+ (\S+)$/gm);
    assert.deepEqual(
      [...headings].map(([, heading]) => heading),
      places(schema),
    );
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

/** Settings by their place, undefined for one that is taken out. */
type Change = Readonly<Record<string, unknown>>;

function changed(change: Change): Record<string, unknown> {
  const raw = written();
  for (const [place, value] of Object.entries(change)) {
    const steps = place.match(/[^.[\]]+/g)!;
    const last = steps.pop()!;
    const group = steps.reduce<Record<string, unknown>>((group, step) => {
      group[step] ??= {};
      return group[step] as Record<string, unknown>;
    }, raw);
    if (value !== undefined) group[last] = value;
    else if (Array.isArray(group)) group.splice(Number(last), 1);
    else delete group[last];
  }
  return raw;
}

const label = "use up to 63 small letters, digits and inner dashes, like";
const taint =
  "write key=value:Effect or key:Effect, the effect being one of NoSchedule, PreferNoSchedule, NoExecute";
const worker1 = "workerPools[0].machines[0]";
const worker2 = "workerPools[0].machines[1]";
const worker3 = { name: "worker3", address: "10.240.0.23", podCidr: "10.200.23.0/24" };
const token = "0a1b2c.0123456789abcdef";
const noToken =
  "not a bootstrap token, got [secret]; use 6 and 16 small letters and digits with a dot between them";

const staticPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "registry" },
  spec: { containers: [{ name: "registry", image: "registry.example.com/registry:3" }] },
};
const onTheMachine = "use what is on the machine, such as a hostPath, or a DaemonSet";

const rows: Readonly<Record<string, readonly (readonly [Change, ...mistakes: string[]])[]>> = {
  "unknown settings": [
    [{ clusterNmae: "x" }, "clusterNmae: unknown setting, got x; did you mean clusterName?"],
    [
      { machineCIDR: "10.240.0.0/16" },
      "machineCIDR: unknown setting, got 10.240.0.0/16; did you mean machineCidr?",
    ],
    [
      { colour: ["red"] },
      'colour: unknown setting, got ["red"]; use a known one, docs/settings.md lists those',
    ],
    [
      { "controllers[1].address": undefined, "controllers[1].adress": "10.240.0.12" },
      "controllers[1].adress: unknown setting, got 10.240.0.12; did you mean address?",
    ],
    [
      { [`${worker1}.private address`]: { of: 1 } },
      `${worker1}["private address"]: unknown setting, got {"of":1}; use a known one, those are name, address, podCidr, kubelet`,
    ],
    [
      { "etcd.generation": 1, "etcd.election": 5 },
      "etcd.election: unknown setting, got 5; use a known one, those are generation",
    ],
    [
      { controllers: undefined, controlers: [{ nam: "cp1" }] },
      'controlers: unknown setting, got [{"nam":"cp1"}]; did you mean controllers?',
      "controllers[0].nam: unknown setting, got cp1; did you mean name?",
      "controllers[0].address: not an IPv4 address, got nothing; write four numbers like 10.240.0.10",
      "controllers[0].podCidr: not an IPv4 network, got nothing; write it like 10.200.21.0/24",
    ],
  ],
  types: [
    [
      { controllers: "cp1" },
      "controllers: not a list, got cp1; write its items below it, a dash before each",
    ],
    [
      { local: [] },
      "local: not a group of settings, got []; write below it some of apiPort, sshPortBase",
    ],
    [
      { loadBalancers: [null] },
      "loadBalancers[0]: not a group of settings, got nothing; write below it some of name, address",
    ],
    [
      { controllerLabels: "a=b" },
      "controllerLabels: not names with values, got a=b; write lines like disk: ssd below it",
    ],
    [
      { "workerPools[0].kubelet": [] },
      "workerPools[0].kubelet: not names with values, got []; write lines like maxPods: 110 below it",
    ],
    [
      { "scheduler.extraFlags": "--v=2" },
      'scheduler.extraFlags: not names with values, got --v=2; write lines like v: "2" below it',
    ],
    [
      { colours: "y".repeat(100) },
      `colours: unknown setting, got ${"y".repeat(79)}…; use a known one, docs/settings.md lists those`,
    ],
  ],
  names: [
    [
      { "controllers[0].name": "CP_1" },
      `controllers[0].name: not a DNS label, got CP_1; ${label} worker1`,
    ],
    [
      { "controllers[0].name": undefined },
      `controllers[0].name: not a DNS label, got nothing; ${label} worker1`,
    ],
    [
      { "loadBalancers[0].name": "lb.example.com" },
      `loadBalancers[0].name: not a DNS label, got lb.example.com; ${label} lb`,
    ],
    [
      { "workerPools[0].name": "-workers" },
      `workerPools[0].name: not a DNS label, got -workers; ${label} workers`,
    ],
    [{ clusterName: " " }, `clusterName: not a DNS label, got " "; ${label} kubernetes`],
    [
      { clusterDomain: "cluster..local" },
      "clusterDomain: not a DNS name, got cluster..local; use small letters, digits, inner dashes and dots, like cluster.local",
    ],
    [
      { [`${worker2}.name`]: "cp1" },
      `${worker2}.name: the same as controllers[0].name, got cp1; give each machine a name of its own`,
    ],
    [
      { "workerPools[1]": { name: "workers", machines: [worker3] } },
      "workerPools[1].name: the same as workerPools[0].name, got workers; give each pool a name of its own",
    ],
    [
      { "workerPools[0].name": "controllers" },
      "workerPools[0].name: the name of the controllers' pool, got controllers; give each pool a name of its own",
    ],
  ],
  "choices and numbers": [
    [{ platform: "aws" }, "platform: not a platform, got aws; use one of local, hosts"],
    [
      { kubernetesVersion: "1.36" },
      "kubernetesVersion: not a supported version, got 1.36; use 1.36.4",
    ],
    [
      { kubernetesVersion: "v1.18.0" },
      "kubernetesVersion: not a supported version, got v1.18.0; use 1.36.4",
    ],
    [
      { architecture: "x86_64" },
      "architecture: not a supported architecture, got x86_64; use one of amd64, arm64",
    ],
    [
      { architecture: "arm64" },
      "architecture: not this computer's, got arm64; leave it out or use amd64",
    ],
    [
      { "kubeProxy.mode": "userspace" },
      "kubeProxy.mode: not a mode of kube-proxy, got userspace; use one of iptables, nftables, ipvs",
    ],
    [
      { controllerHealthProxy: "yes" },
      "controllerHealthProxy: neither true nor false, got yes; write one of them",
    ],
    [{ reassert: "-1" }, "reassert: not a whole number, got -1; use 0, and 1 more each time"],
    [
      { drainTimeoutSeconds: 0 },
      "drainTimeoutSeconds: not a number of seconds, got 0; use a whole number from 1 to 86400",
    ],
    [
      { "etcd.generation": 0 },
      "etcd.generation: not a positive whole number, got 0; use 1 or more",
    ],
    [
      { "workerPools[0].maxUnavailable": "50%" },
      "workerPools[0].maxUnavailable: not a positive whole number, got 50%; use 1 or more",
    ],
    [
      { "workerPools[0].maxUnavailable": 0 },
      "workerPools[0].maxUnavailable: not a positive whole number, got 0; use 1 or more",
    ],
    [
      { "certificates.earlyRenewalHours": 0.5 },
      "certificates.earlyRenewalHours: not a number of hours, got 0.5; use a whole number from 1 to 876000",
    ],
    [
      { "certificates.caValidityHours": 1_000_000 },
      "certificates.caValidityHours: not a number of hours, got 1000000; use a whole number from 1 to 876000",
    ],
    [
      { "certificates.validityHours": 90_000 },
      "certificates.validityHours: longer than certificates.caValidityHours 87600, got 90000; let no certificate outlive its authority",
    ],
    [
      { "certificates.earlyRenewalHours": 8_760 },
      "certificates.earlyRenewalHours: not shorter than certificates.validityHours 8760, got 8760; renew a certificate during its life",
    ],
  ],
  "numbers of machines": [
    [{ controllers: [] }, "controllers: no machine, got nothing; list one, three or five"],
    [
      { "controllers[2]": undefined },
      "controllers: an even number of etcd members, got 2; list 1 or 3, since an even number survives no more failures than one less",
    ],
    [{ loadBalancers: undefined }, "loadBalancers: no machine, got nothing; list exactly one"],
    [
      { "loadBalancers[1]": { name: "lb2", address: "10.240.0.9" } },
      "loadBalancers: more than one machine, got 2; list exactly one",
    ],
  ],
  "roles of machines": [
    [
      { "workerPools[0].machines": [] },
      "workerPools[0].machines: no machine, got nothing; list one, or leave the pool out",
    ],
    [
      { "workerPools[1]": { name: "more" } },
      "workerPools[1].machines: no machine, got nothing; list one, or leave the pool out",
    ],
    [
      {
        [`${worker1}.name`]: "cp1",
        [`${worker1}.address`]: "10.240.0.11",
        [`${worker1}.podCidr`]: "10.200.11.0/24",
      },
      `${worker1}: the same machine as controllers[0], got cp1; leave it in one place`,
    ],
  ],
  joining: [
    [
      { "workerPools[0].join": "token" },
      "workerPools[0].join: not a way to join, got token; use one of certificates, bootstrapToken, kubeadm",
    ],
    [
      { "workerPools[0].join": "kubeadm", "workerPools[0].discovery": "dns" },
      "workerPools[0].discovery: not a way of discovery, got dns; use one of token, file",
    ],
    [
      { "workerPools[0].discovery": "file" },
      "workerPools[0].discovery: not used by join certificates, got file; leave it out, or set join to kubeadm",
    ],
    [
      { "workerPools[0].kubelet.rotateCertificates": false },
      "workerPools[0].kubelet.rotateCertificates: decided by the program, got false; leave it out",
    ],
    ...["0a1b2c0123456789abcdef", "0A1B2C.0123456789ABCDEF", `${token}0`, ` ${token}`, 5].map(
      (wrong) =>
        [
          { joinTokens: [{ name: "lab", token: wrong }] },
          `joinTokens[0].token: ${noToken}`,
        ] as const,
    ),
    [
      { joinTokens: [{ name: "lab", tokn: "0a1b2c0123456789abcdef" }] },
      "joinTokens[0].tokn: unknown setting, got [secret]; did you mean token?",
      `joinTokens[0].token: ${noToken}`,
    ],
    [
      { joinTokns: [{ name: "lab", token }] },
      'joinTokns: unknown setting, got [{"name":"lab","token":"[secret]"}]; did you mean joinTokens?',
    ],
    [
      { joinTokens: [{ name: "lab", validityHours: 0 }] },
      "joinTokens[0].validityHours: not a number of hours, got 0; use a whole number from 1 to 876000",
    ],
    [
      { joinTokens: [{ name: "lab" }, { name: "lab" }] },
      "joinTokens[1].name: the same as joinTokens[0].name, got lab; give each token a name of its own",
    ],
    [
      {
        joinTokens: [
          { name: "a", token },
          { name: "b", token: token.replace("f", "0") },
        ],
      },
      "joinTokens[1].token: the same before the dot as joinTokens[0].token, got 0a1b2c; choose another",
    ],
  ],
  addresses: [
    [
      { "controllers[0].address": "10.240.0.011" },
      "controllers[0].address: not an IPv4 address, got 10.240.0.011; write four numbers like 10.240.0.10",
    ],
    [
      { dnsForwarders: ["1.1.1.1", "dns.example.com"] },
      "dnsForwarders[1]: not an IPv4 address, got dns.example.com; write four numbers like 10.240.0.10",
    ],
    [
      { "controllers[1].address": "10.240.0.10" },
      "controllers[1].address: the same as loadBalancers[0].address, got 10.240.0.10; give each machine an address of its own",
    ],
    [
      { "controllers[1].address": "10.241.0.7" },
      "controllers[1].address: not in machineCidr 10.240.0.0/24, got 10.241.0.7; choose a free one in it",
    ],
    [
      { "controllers[0].address": "10.240.0.0" },
      "controllers[0].address: the address of the network itself, got 10.240.0.0; choose a free one in machineCidr 10.240.0.0/24",
    ],
    [
      { "controllers[0].address": "10.240.0.1" },
      "controllers[0].address: the address of the machines' gateway, got 10.240.0.1; choose a free one in machineCidr 10.240.0.0/24",
    ],
    [
      { [`${worker1}.address`]: "10.240.0.255" },
      `${worker1}.address: the network's broadcast address, got 10.240.0.255; choose a free one in machineCidr 10.240.0.0/24`,
    ],
    [
      { dnsAddress: "10.33.0.10" },
      "dnsAddress: not in serviceCidr 10.32.0.0/24, got 10.33.0.10; leave it out for 10.32.0.10, or choose another in between",
    ],
    [
      { dnsAddress: "10.32.0.0" },
      "dnsAddress: the address of the network itself, got 10.32.0.0; leave it out for 10.32.0.10, or choose another in between",
    ],
    [
      { dnsAddress: "10.32.0.1" },
      "dnsAddress: the address of the API's own service, got 10.32.0.1; leave it out for 10.32.0.10, or choose another in between",
    ],
    [
      { dnsAddress: "10.32.0.255" },
      "dnsAddress: the network's broadcast address, got 10.32.0.255; leave it out for 10.32.0.10, or choose another in between",
    ],
    [
      { dnsAddress: 10 },
      "dnsAddress: not an IPv4 address, got 10; write four numbers like 10.240.0.10",
    ],
  ],
  networks: [
    [
      { machineCidr: "10.240.0.0" },
      "machineCidr: not an IPv4 network, got 10.240.0.0; write it like 10.240.0.0/24",
    ],
    [
      { podCidr: "10.200.0.0/33" },
      "podCidr: not an IPv4 network, got 10.200.0.0/33; write it like 10.200.0.0/16",
    ],
    [
      { serviceCidr: "10.32.0.1/24" },
      "serviceCidr: not the first address of its network, got 10.32.0.1/24; write 10.32.0.0/24",
    ],
    [
      { serviceCidr: "10.200.128.0/20" },
      "serviceCidr: overlaps podCidr 10.200.0.0/16, got 10.200.128.0/20; choose networks that are apart",
    ],
    [
      { podCidr: "10.0.0.0/8" },
      "podCidr: overlaps machineCidr 10.240.0.0/24, got 10.0.0.0/8; choose networks that are apart",
      "serviceCidr: overlaps podCidr 10.0.0.0/8, got 10.32.0.0/24; choose networks that are apart",
    ],
    [
      { machineCidr: "10.240.0.8/29" },
      "machineCidr: too small for 6 machines, got 10.240.0.8/29; choose a larger network",
    ],
    [
      { podCidr: "10.200.0.0/22" },
      "podCidr: too small for the ranges of 5 machines, got 10.200.0.0/22; choose a larger network",
    ],
    [
      { serviceCidr: "10.32.0.0/29" },
      "serviceCidr: too small for services, got 10.32.0.0/29; choose at least a /28",
    ],
    [
      { machineCidr: "10.241.0.0/24" },
      "machineCidr: apart from all machines, got 10.241.0.0/24; choose one that holds 10.240.0.10 and the others",
    ],
    [
      { podCidr: "10.201.0.0/16" },
      "podCidr: apart from all machines, got 10.201.0.0/16; choose one that holds 10.200.11.0/24 and the others",
    ],
    [
      { "controllers[2].podCidr": "10.100.13.0/24" },
      "controllers[2].podCidr: not in podCidr 10.200.0.0/16, got 10.100.13.0/24; choose a free one in it",
    ],
    [
      { [`${worker1}.podCidr`]: "10.200.12.0/23" },
      `${worker1}.podCidr: overlaps controllers[1].podCidr 10.200.12.0/24, got 10.200.12.0/23; give each machine a range of its own`,
    ],
    [
      { "controllers[0].podCidr": "10.200.11.0/26" },
      "controllers[0].podCidr: too small for 110 pods, got 10.200.11.0/26; choose at least a /25, or a smaller kubelet.maxPods",
    ],
    [
      { "workerPools[0].kubelet.maxPods": 300, [`${worker2}.kubelet.maxPods`]: 253 },
      `${worker1}.podCidr: too small for 300 pods, got 10.200.21.0/24; choose at least a /23, or a smaller kubelet.maxPods`,
    ],
  ],
  "labels and taints": [
    [
      { controllerLabels: { "a/b/c": "x" } },
      'controllerLabels["a/b/c"]: not the key of a label, got a/b/c; write it like disk or example.com/disk',
    ],
    [
      { controllerLabels: { "Example.com/disk": "x" } },
      'controllerLabels["Example.com/disk"]: not the key of a label, got Example.com/disk; write it like disk or example.com/disk',
    ],
    [
      { "workerPools[0].labels.disk": "solid state" },
      "workerPools[0].labels.disk: not the value of a label, got solid state; use up to 63 letters, digits and inner dashes, dots and underscores",
    ],
    [
      { "workerPools[0].labels.fast": true },
      'workerPools[0].labels.fast: not a text, got true; put it in quotes, or add --type string to pulumi config set ("" for none)',
    ],
    [
      { "workerPools[0].labels.fast": null },
      'workerPools[0].labels.fast: not a text, got nothing; put it in quotes, or add --type string to pulumi config set ("" for none)',
    ],
    ...["dedicated=yes", "a=b=c:NoSchedule", "a:Never", ":NoExecute", "a=-:NoExecute"].map(
      (text) =>
        [
          { controllerTaints: [text] },
          `controllerTaints[0]: not a taint, got ${text}; ${taint}`,
        ] as const,
    ),
    [
      { "workerPools[0].taints": [{ key: "a" }] },
      `workerPools[0].taints[0]: not a taint, got {"key":"a"}; ${taint}`,
    ],
    [
      { "workerPools[0].taints": ["a:NoExecute", "a:NoSchedule", "a=b:NoExecute"] },
      "workerPools[0].taints[2]: the same key and effect as workerPools[0].taints[0], got a=b:NoExecute; leave one of them out",
    ],
  ],
  "an authority": [
    [
      { "certificates.authority": { certificate: "ca.pem", privateKey: "secret words" } },
      "certificates.authority.certificate: neither PEM nor the path of a file, got ca.pem; write a path like /etc/ssl/kubernetes-ca.pem",
      "certificates.authority.privateKey: neither PEM nor the path of a file, got [secret]; write a path like /etc/ssl/kubernetes-ca-key.pem",
    ],
    [
      { "certificates.authority": { certificate: "./Makefile", privateKey: "./nowhere.pem" } },
      "certificates.authority.privateKey: not readable (no such file), got ./nowhere.pem; name a file of PEM that this computer can read",
      "certificates.authority.certificate: no certificates in PEM, got ./Makefile; write the authority's own first, then those above it up to the root",
    ],
    [
      { "certificates.authorty": { privateKey: "-----BEGIN PRIVATE KEY-----\nMIGH" } },
      "certificates.authorty: unknown setting, got [secret]; did you mean authority?",
      "certificates.authority.certificate: neither PEM nor the path of a file, got nothing; write a path like /etc/ssl/kubernetes-ca.pem",
    ],
  ],
  "static pods": [
    [
      { "workerPools[0].staticPods": ["registry.yaml"] },
      "workerPools[0].staticPods[0]: not a manifest, got registry.yaml; write a Pod's fields below the dash",
    ],
    [
      { controllerStaticPods: [{ ...staticPod, kind: "Deployment", apiVersion: "apps/v1" }] },
      "controllerStaticPods[0]: not a Pod, got apps/v1 Deployment; give a manifest of apiVersion v1 and kind Pod",
    ],
    [
      { controllerStaticPods: [{}] },
      "controllerStaticPods[0]: not a Pod, got nothing; give a manifest of apiVersion v1 and kind Pod",
    ],
    [
      { "workerPools[0].staticPods": [{ apiVersion: "v1", kind: "Pod", spec: {} }] },
      "workerPools[0].staticPods[0].metadata.name: not the name of a pod, got nothing; use small letters, digits, inner dashes and dots, like registry",
      "workerPools[0].staticPods[0].spec.containers: no container, got nothing; list one at least",
    ],
    [
      { "workerPools[0].staticPods": [staticPod, { ...staticPod, metadata: { name: "../x" } }] },
      "workerPools[0].staticPods[1].metadata.name: not the name of a pod, got ../x; use small letters, digits, inner dashes and dots, like registry",
    ],
    [
      { "workerPools[0].staticPods": [staticPod, staticPod], controllerStaticPods: [staticPod] },
      "workerPools[0].staticPods[1].metadata.name: the same as workerPools[0].staticPods[0].metadata.name, got registry; give each pod a name of its own",
    ],
    ...[
      ["serviceAccountName", "default"] as const,
      ["imagePullSecrets", [{ name: "x" }]] as const,
    ].map(
      ([field, value]) =>
        [
          { controllerStaticPods: [{ ...staticPod, spec: { ...staticPod.spec, [field]: value } }] },
          `controllerStaticPods[0].spec.${field}: out of reach of a static pod, got ${typeof value === "string" ? value : JSON.stringify(value)}; ${onTheMachine}`,
        ] as const,
    ),
    [
      {
        controllerStaticPods: [
          {
            ...staticPod,
            spec: {
              nodeSelector: { secret: "no" },
              containers: [
                {
                  name: "x",
                  env: [{ name: "secret", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
                  envFrom: [{ configMapRef: { name: "c" } }],
                },
              ],
              volumes: [
                { name: "secret", secret: { secretName: "s" } },
                { name: "p", projected: { sources: [{ configMap: { name: "c" } }] } },
                { name: "configMap", hostPath: { path: "/x" } },
              ],
            },
          },
        ],
      },
      `controllerStaticPods[0].spec.containers[0].env[0].valueFrom.secretKeyRef: out of reach of a static pod, got {"name":"s","key":"k"}; ${onTheMachine}`,
      `controllerStaticPods[0].spec.containers[0].envFrom[0].configMapRef: out of reach of a static pod, got {"name":"c"}; ${onTheMachine}`,
      `controllerStaticPods[0].spec.volumes[0].secret: out of reach of a static pod, got {"secretName":"s"}; ${onTheMachine}`,
      `controllerStaticPods[0].spec.volumes[1].projected.sources[0].configMap: out of reach of a static pod, got {"name":"c"}; ${onTheMachine}`,
    ],
  ],
  "what the program decides": [
    [
      { "controllers[0].kubelet.cgroupDriver": "systemd" },
      "controllers[0].kubelet.cgroupDriver: decided by the program, got systemd; leave it out",
    ],
    [
      { "workerPools[0].kubelet.clusterDNS": ["10.0.0.1"] },
      'workerPools[0].kubelet.clusterDNS: decided by the program, got ["10.0.0.1"]; set dnsAddress instead',
    ],
    [
      { [`${worker2}.kubelet.clusterDomain`]: "x" },
      `${worker2}.kubelet.clusterDomain: decided by the program, got x; set the cluster's clusterDomain instead`,
    ],
    [
      { "workerPools[0].kubelet.maxPods": "many" },
      "workerPools[0].kubelet.maxPods: not a positive whole number, got many; use 1 or more",
    ],
    [
      { "apiServer.extraFlags.etcd-servers": "x" },
      "apiServer.extraFlags.etcd-servers: decided by the program, got x; leave it out",
    ],
    [
      { "apiServer.extraFlags.service-cluster-ip-range": "x" },
      "apiServer.extraFlags.service-cluster-ip-range: decided by the program, got x; set serviceCidr instead",
    ],
    [
      { "controllerManager.extraFlags.cluster-cidr": "x" },
      "controllerManager.extraFlags.cluster-cidr: decided by the program, got x; set podCidr instead",
    ],
    [
      { "controllerManager.extraFlags.cluster-name": "x" },
      "controllerManager.extraFlags.cluster-name: decided by the program, got x; set clusterName instead",
    ],
    [
      { "scheduler.extraFlags.config": "/x" },
      "scheduler.extraFlags.config: decided by the program, got /x; leave it out",
    ],
    [
      { "apiServer.extraFlags.--v": 2 },
      'apiServer.extraFlags["--v"]: a flag with its dashes, got --v; write v',
    ],
    [
      { "apiServer.extraFlags.v=2": "" },
      'apiServer.extraFlags["v=2"]: not the name of a flag, got v=2; write lines like event-ttl: 2h',
    ],
    [
      { "apiServer.extraFlags.v": [2] },
      "apiServer.extraFlags.v: not a line of text, got [2]; write its value in one line",
    ],
    [
      { "apiServer.extraFlags.v": "1\n2" },
      'apiServer.extraFlags.v: not a line of text, got "1\\n2"; write its value in one line',
    ],
  ],
  ports: [
    [
      { "local.apiPort": 0 },
      "local.apiPort: not a port, got 0; use a whole number from 1 to 65535",
    ],
    [
      { "local.sshPortBase": 65_536 },
      "local.sshPortBase: not a port, got 65536; use a whole number from 1 to 65535",
    ],
    [
      { "local.sshPortBase": 65_520 },
      "local.sshPortBase: too high for the SSH port of 10.240.0.22, got 65520; use at most 65513",
    ],
    [
      { "local.apiPort": 22_011 },
      "local.apiPort: also the SSH port of 10.240.0.11, got 22011; choose another port",
    ],
  ],
  mirrors: [
    [
      { "artifacts.mirror": "mirror" },
      "artifacts.mirror: neither an absolute folder nor an http(s) address, got mirror; write it like /srv/kthw or https://mirror.example.com/kthw",
    ],
    [
      { "artifacts.mirror": "https://mirror.example.com" },
      "artifacts.mirror: out of reach for machines on this computer, got https://mirror.example.com; copy it into a folder and write that",
    ],
  ],
};

/** Settings of hosts with a change of theirs. */
function onHosts(change: Change = {}): Record<string, unknown> {
  return changed({ platform: "hosts", "hosts.privateKeyFile": "/keys/ok", ...change });
}

const keys: Readonly<Record<string, string>> = {
  "/keys/ok": openssh("none"),
  "/home/operator/.ssh/id": openssh("none"),
  "/keys/pem": generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey,
  "/keys/locked": openssh("aes256-ctr"),
  "/keys/locked-pem": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n",
  "/keys/public": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me",
};

/** The beginning of a private key as ssh-keygen writes it. */
function openssh(cipher: string): string {
  const length = String.fromCharCode(0, 0, 0, cipher.length);
  const body = Buffer.from(`openssh-key-v1\0${length}${cipher}`, "latin1").toString("base64");
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

const keysThere = {
  read: (file: string): string => {
    const code = file === "/keys/secret" ? "EACCES" : "ENOENT";
    if (file in keys) return keys[file]!;
    throw Object.assign(new Error(code), { code });
  },
};

describe("settings of existing hosts", () => {
  const hosts = (change: Change = {}) => settings(onHosts(change), keysThere).hosts;

  it("need nothing but a key", () => {
    const { entrances, generations, ...rest } = hosts();
    assert.deepEqual(Object.keys(entrances), ["lb", "cp1", "cp2", "cp3", "worker1", "worker2"]);
    assert.deepEqual(entrances.cp1, {
      host: "10.240.0.11",
      port: 22,
      user: "root",
      privateKeyFile: "/keys/ok",
      hostKey: undefined,
    });
    assert.equal(generations.cp1, 1);
    assert.deepEqual(rest, {
      jumpBox: undefined,
      endpoint: { host: "10.240.0.10", port: 6443 },
      traits: { cgroupVersion: 2, container: false, restrictOomScoreAdj: false },
    });
  });

  it("lay what a machine has of its own over what all have in common", () => {
    const { entrances, generations, jumpBox } = hosts({
      "hosts.user": "admin",
      "hosts.port": 2222,
      "hosts.privateKeyFile": "~/.ssh/id",
      "hosts.jumpBox": { host: "bastion.example.com" },
      "hosts.machines": [{ name: "cp2", host: "h", port: 3, user: "u", generation: 2 }],
    });
    const privateKeyFile = "/home/operator/.ssh/id";
    const entrance = { user: "admin", port: 2222, privateKeyFile, hostKey: undefined };
    assert.deepEqual(entrances.cp1, { ...entrance, host: "10.240.0.11" });
    assert.deepEqual(entrances.cp2, { ...entrance, host: "h", port: 3, user: "u" });
    assert.deepEqual([generations.cp1, generations.cp2], [1, 2]);
    assert.deepEqual(jumpBox, { ...entrance, host: "bastion.example.com", port: 22 });
  });

  it("download from upstream, and may be of any architecture and in any network", () => {
    const raw = onHosts({ architecture: "arm64", "controllers[0].address": "10.240.0.1" });
    const { artifacts, architecture } = settings(raw, { ...keysThere, stack: "My_Stack" });
    assert.deepEqual([artifacts.mirror, architecture], [undefined, "arm64"]);
  });

  it("take keys in each format", () =>
    assert.deepEqual(mistakes(onHosts({ "hosts.privateKeyFile": "/keys/pem" }), keysThere), []));

  const keyTodo = "name the file of a private key for SSH, without a passphrase";
  const machineTodo = "use the name of a load balancer, controller or worker";
  const hostTodo = "write it like 192.0.2.21 or worker1.example.com";
  const wrong: readonly (readonly [Change, string])[] = [
    [
      { "hosts.privateKeyFile": "~/nokey" },
      `hosts.privateKeyFile: no such file, got ~/nokey; ${keyTodo}`,
    ],
    [
      { "hosts.privateKeyFile": "/keys/secret" },
      `hosts.privateKeyFile: not readable (EACCES), got /keys/secret; ${keyTodo}`,
    ],
    [
      { "hosts.privateKeyFile": "/keys/public" },
      `hosts.privateKeyFile: no private key, got /keys/public; ${keyTodo}`,
    ],
    [
      { "hosts.privateKeyFile": "/keys/locked" },
      `hosts.privateKeyFile: protected by a passphrase, got /keys/locked; ${keyTodo}`,
    ],
    [
      { "hosts.privateKeyFile": "id_ed25519" },
      "hosts.privateKeyFile: not the path of a file, got id_ed25519; start it with / or ~/, like ~/.ssh/id_ed25519",
    ],
    [
      { "hosts.jumpBox": { host: "b", privateKeyFile: "/keys/locked-pem" } },
      `hosts.jumpBox.privateKeyFile: protected by a passphrase, got /keys/locked-pem; ${keyTodo}`,
    ],
    [
      { "hosts.jumpBox": { user: "admin" } },
      "hosts.jumpBox.host: neither an IPv4 address nor a DNS name, got nothing; write it like 192.0.2.1 or bastion.example.com",
    ],
    [
      { "hosts.user": "Root!" },
      "hosts.user: not the name of a user, got Root!; use up to 32 letters, digits, dots, dashes and underscores, no dash first, like jane.doe",
    ],
    [
      { "hosts.machines": [{ name: "cp9" }] },
      `hosts.machines[0].name: the name of no machine, got cp9; ${machineTodo}`,
    ],
    [
      { "hosts.machines": [{ name: "cp1" }, { name: "cp1" }] },
      "hosts.machines[1].name: the same as hosts.machines[0].name, got cp1; list each machine once",
    ],
    [
      { "hosts.machines": [{ name: "worker1", host: "10.240.0.11" }] },
      `hosts.machines[0].host: leads to the same host as cp1, the machine ${worker1}, got 10.240.0.11:22; give each machine a host of its own`,
    ],
    [
      { "hosts.machines": [{ name: "cp1", host: "10.240.0.300" }] },
      `hosts.machines[0].host: neither an IPv4 address nor a DNS name, got 10.240.0.300; ${hostTodo}`,
    ],
    [
      { "hosts.machines": [{ name: "cp1", hostKey: "SHA256:abc" }] },
      "hosts.machines[0].hostKey: not a host's public key, got SHA256:abc; write it in one line, as /etc/ssh/ssh_host_ed25519_key.pub has it on the host",
    ],
    [
      { "hosts.traits.cgroupVersion": 3 },
      "hosts.traits.cgroupVersion: not a version of cgroups, got 3; use 1 or 2",
    ],
    [
      { "hosts.traits.container": "maybe" },
      "hosts.traits.container: neither true nor false, got maybe; write one of them",
    ],
    [
      { "hosts.jumpbox": { host: "b" } },
      'hosts.jumpbox: unknown setting, got {"host":"b"}; did you mean jumpBox?',
    ],
    [
      { "controllers[1].address": "10.240.0.10" },
      "controllers[1].address: the same as loadBalancers[0].address, got 10.240.0.10; give each machine an address of its own",
    ],
  ];
  for (const [change, expected] of wrong)
    it(expected, () => assert.deepEqual(mistakes(onHosts(change), keysThere), [expected]));
});

describe("each mistake has its own message:", () => {
  for (const [group, list] of Object.entries(rows)) {
    describe(group, () => {
      for (const [change, ...expected] of list) {
        it(expected[0]!, () => assert.deepEqual(mistakes(changed(change)), expected));
      }
    });
  }

  describe("surroundings", () => {
    it("a stack's name", () => {
      const todo =
        "name the stack with up to 40 small letters, digits and inner dashes, like local";
      for (const stack of ["My.Stack", "a_b", "x".repeat(41)]) {
        assert.deepEqual(mistakes(written(), { stack }), [
          `stack: not usable as the name of a network namespace, got ${stack}; ${todo}`,
        ]);
      }
    });

    it("a computer's architecture", () =>
      assert.deepEqual(mistakes(written(), { arch: "riscv64" }), [
        "architecture: not supported, got riscv64; use a computer of amd64 or arm64",
      ]));

    it("a kernel that cannot do what kube-proxies are to do", () => {
      const inMode = (mode: string, kernel: { release: string; ipvs: boolean }) =>
        mistakes(changed({ "kubeProxy.mode": mode }), { kernel });
      const plain = { release: "6.18.44", ipvs: false };
      const old = { release: "5.10.0-32-amd64", ipvs: true };
      assert.deepEqual(inMode("ipvs", plain), [
        "kubeProxy.mode: this computer's kernel 6.18.44, which its machines share, has no ip_vs, got ipvs; use iptables or nftables, or a kernel with ip_vs",
      ]);
      assert.deepEqual(inMode("nftables", old), [
        "kubeProxy.mode: this computer's kernel 5.10.0-32-amd64, which its machines share, is older than 5.13, got nftables; use iptables, or a newer kernel",
      ]);
      assert.deepEqual(
        [
          inMode("nftables", plain),
          inMode("nftables", { release: "5.13.0", ipvs: false }),
          inMode("ipvs", old),
          inMode("iptables", { release: "4.19.0", ipvs: false }),
        ],
        [[], [], [], []],
      );
    });

    it("a key in plain text", () => {
      const privateKey = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";
      const raw = changed({ "certificates.authority": { certificate: "./Makefile", privateKey } });
      const plain =
        "certificates.authority.privateKey: in plain text in the settings, got [secret]; encrypt it by pulumi config set --secret --path 'kthw:certificates.authority.privateKey', or name a file";
      assert.ok(mistakes(raw, { isSecret: () => false }).includes(plain));
      assert.ok(!mistakes(raw).includes(plain));
    });

    it("a cache folder", () => {
      const cacheDir = "cache";
      assert.deepEqual(mistakes(written(), { cacheDir }), [
        "KTHW_CACHE: not an absolute folder, got cache; start it with a slash",
      ]);
      assert.deepEqual(mistakes({ ...written(), artifacts: { mirror: "/m" } }, { cacheDir }), []);
    });
  });

  it("all at once", () => {
    const raw = changed({
      reasert: 1,
      platform: "moon",
      "controllers[2]": undefined,
      [`${worker1}.address`]: "10.0.0.1",
      [`${worker2}.name`]: "lb",
    });
    const before = structuredClone(raw);
    assert.deepEqual(
      mistakes(raw).map((line) => line.slice(0, line.indexOf(":"))),
      ["reasert", "platform", "controllers", `${worker2}.name`, `${worker1}.address`],
    );
    assert.deepEqual(raw, before);
  });

  it("those of the mirror too, unless nobody knows which it is", () => {
    const mirrorOf = (change: Change) => {
      const result = parseSettings(changed(change), context);
      return "mirror" in result ? result.mirror?.artifacts.mirror : "no mistake";
    };
    assert.equal(mirrorOf({ platform: "moon" }), "/var/cache/kthw/mirror");
    assert.equal(mirrorOf({ platform: "moon", "artifacts.mirror": "/srv/kthw" }), "/srv/kthw");
    assert.equal(mirrorOf({ "artifacts.mirror": "kthw" }), undefined);
    assert.equal(mirrorOf({ kubernetesVersion: "1.18.0" }), undefined);
  });

  it("from the program in seconds, without a stack trace", () => {
    const config = {
      "kthw:clusterName": "A",
      "kthw:artifacts": '{"mirror":"/nonexistent"}',
      "kthw:loadBalancers": JSON.stringify(written().loadBalancers),
    };
    const program = "await (await import('./settings/settings.ts')).loadSettings()";
    const { stderr, status } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type", "module", "--eval", program],
      {
        cwd: root,
        encoding: "utf8",
        env: {
          ...process.env,
          PULUMI_CONFIG: JSON.stringify(config),
          PULUMI_NODEJS_STACK: "local",
        },
      },
    );
    assert.deepEqual(stderr.trimEnd().split("\n"), [
      `error: [runtime] clusterName: not a DNS label, got A; ${label} kubernetes`,
      "error: [runtime] controllers: no machine, got nothing; list one, three or five",
      "error: [runtime] artifacts.mirror: no SHA256SUMS (ENOENT: no such file or directory, open '/nonexistent/SHA256SUMS'), got /nonexistent; fill the mirror, the default one with `make artifacts`",
    ]);
    assert.equal(status, 32);
  });
});

describe("a warning", () => {
  it("tells of what is right today and will not be", () => {
    const inMode = (mode: string) => warnings(settings(changed({ "kubeProxy.mode": mode })));
    assert.deepEqual(inMode("ipvs"), [
      "kubeProxy.mode: ipvs is deprecated in Kubernetes since 1.35 and will be removed; use nftables",
    ]);
    assert.deepEqual([inMode("iptables"), inMode("nftables")], [[], []]);
  });
});

describe("a mirror", () => {
  const files = mirrorFiles("1.36.4", "amd64");
  const sumOf = (index: number) => index.toString(16).padStart(64, "0");
  const lines = files.map((file, index) => `${sumOf(index)}  ${file}\n`);
  const list = lines.join("");
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-mirror-"));
    for (const file of files) {
      mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
      writeFileSync(path.join(folder, file), "");
    }
    writeFileSync(path.join(folder, "SHA256SUMS"), list);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const readIt = (mirror: string | undefined) =>
    readMirror({ artifacts: { mirror }, architecture: "amd64", kubernetesVersion: "1.36.4" });
  const served = async (answer: string | undefined, use: (address: string) => Promise<void>) => {
    const server = createServer((request, response) => {
      if (request.url !== "/kthw/SHA256SUMS" || answer === undefined) response.statusCode = 404;
      response.end(answer);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await use(`http://127.0.0.1:${port}/kthw/`);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };

  it("gives the sums of its files", async () => {
    const sums = new Map(files.map((file, index) => [file, sumOf(index)]));
    assert.deepEqual(await readIt(folder), { sums });
    await served(list, async (address) => assert.deepEqual(await readIt(address), { sums }));
  });

  it("takes the ways in which sha256sum writes a line", async () => {
    writeFileSync(path.join(folder, "SHA256SUMS"), list.replaceAll("  ", " *./"));
    assert.ok("sums" in (await readIt(folder)));
  });

  it("need not be there for upstream", async () =>
    assert.deepEqual(await readIt(undefined), { sums: new Map() }));

  it("without a list", async () => {
    rmSync(path.join(folder, "SHA256SUMS"));
    const todo = "fill the mirror, the default one with `make artifacts`";
    assert.deepEqual(await readIt(folder), {
      mistakes: [
        `artifacts.mirror: no SHA256SUMS (ENOENT: no such file or directory, open '${folder}/SHA256SUMS'), got ${folder}; ${todo}`,
      ],
    });
    let gone = "";
    await served(undefined, async (address) => {
      gone = address;
      assert.deepEqual(await readIt(address), {
        mistakes: [`artifacts.mirror: no SHA256SUMS (404 Not Found), got ${address}; ${todo}`],
      });
    });
    const refused = `connect ECONNREFUSED ${new URL(gone).host}`;
    assert.deepEqual(await readIt(gone), {
      mistakes: [`artifacts.mirror: no SHA256SUMS (${refused}), got ${gone}; ${todo}`],
    });
  });

  it("without artifacts", async () => {
    const [, , ...others] = lines;
    writeFileSync(path.join(folder, "SHA256SUMS"), `oops\n${others.join("")}`);
    rmSync(path.join(folder, files[2]!));
    assert.deepEqual(await readIt(folder), {
      mistakes: [
        "artifacts.mirror: line 1 of SHA256SUMS is not a checksum and a path, got oops; write it as sha256sum does",
        `artifacts.mirror: SHA256SUMS without ${files[0]}, got ${folder}; add the file and its line`,
        `artifacts.mirror: SHA256SUMS without ${files[1]}, got ${folder}; add the file and its line`,
        `artifacts.mirror: without ${files[2]}, got ${folder}; add the file`,
      ],
    });
  });
});

describe("IPv4", () => {
  const address = fc.nat({ max: 2 ** 32 - 1 });
  const cidr = fc
    .tuple(address, fc.integer({ min: 0, max: 32 }))
    .map(([address, prefix]) => enclosingCidr(`${formatAddress(address)}/${prefix}`)!);

  it("addresses survive being written and read", () =>
    fc.assert(fc.property(address, (n) => assert.equal(parseAddress(formatAddress(n)), n))));

  it("networks survive being written and read", () =>
    fc.assert(fc.property(cidr, (c) => assert.deepEqual(parseCidr(formatCidr(c)), c))));

  it("a network holds exactly the addresses from its first to its last", () =>
    fc.assert(
      fc.property(cidr, address, (c, n) => {
        assert.equal(lastOf(c) - c.first + 1, sizeOf(c));
        assert.equal(holds(c, n), c.first <= n && n <= lastOf(c));
        assert.deepEqual(
          enclosingCidr(`${formatAddress(n)}/${c.prefix}`)?.first === c.first,
          holds(c, n),
        );
      }),
    ));

  it("a network is written by its first address only", () =>
    fc.assert(
      fc.property(cidr, address, (c, n) => {
        const text = `${formatAddress(n)}/${c.prefix}`;
        assert.equal(parseCidr(text) !== undefined, n % sizeOf(c) === 0);
      }),
    ));

  it("networks overlap when one encloses the other, and else are apart", () =>
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        const apart = lastOf(a) < b.first || lastOf(b) < a.first;
        assert.equal(overlap(a, b), !apart);
        assert.equal(overlap(a, b), overlap(b, a));
        assert.equal(encloses(a, b), overlap(a, b) && a.prefix <= b.prefix);
      }),
    ));

  it("halves of a network are apart and in it", () =>
    fc.assert(
      fc.property(
        cidr.filter(({ prefix }) => prefix < 32),
        ({ first, prefix }) => {
          const half = { first, prefix: prefix + 1 };
          const other = { first: lastOf(half) + 1, prefix: prefix + 1 };
          assert.ok(!overlap(half, other));
          assert.ok(encloses({ first, prefix }, half) && encloses({ first, prefix }, other));
        },
      ),
    ));

  it("the nth address is in the network, and no other exists", () =>
    fc.assert(
      fc.property(cidr, fc.integer({ min: -2, max: 2 ** 32 }), (c, n) => {
        if (n < 0 || n >= sizeOf(c)) assert.throws(() => nthAddress(c, n), RangeError);
        else assert.equal(parseAddress(nthAddress(c, n)), c.first + n);
      }),
    ));

  it("nothing else parses", () => {
    for (const text of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.-4",
      "1.2.3.4 ",
      "::1",
    ]) {
      assert.equal(parseAddress(text), undefined, text);
    }
    for (const text of [
      "1.2.3.4",
      "1.2.3.0/",
      "1.2.3.0/024",
      "1.2.3.0/33",
      "1.2.3.0/24/8",
      "1.2.3/24",
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const n = parseAddress(text);
        assert.ok(n === undefined || formatAddress(n) === text);
      }),
    );
  });
});
