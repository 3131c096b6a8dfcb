import { itRefuses, label, worker1, worker2, worker3 } from "../support/settings.ts";

describe("settings as they are written:", () => {
  describe("unknown settings", () =>
    itRefuses([
      [
        { "hosts.jumpBox": { host: "bastion", password: "hunter2" } },
        "hosts.jumpBox.password: unknown setting, got [secret]; use a known one, those are host, user, port, privateKeyFile, privateKeyPassphrase, hostKey",
      ],
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
        "etcd.election: unknown setting, got 5; use a known one, those are generation, quotaMiB, compactionHours, backup, defragmentation",
      ],
      [
        { controllers: undefined, controlers: [{ nam: "cp1" }] },
        'controlers: unknown setting, got [{"nam":"cp1"}]; did you mean controllers?',
        "controllers[0].nam: unknown setting, got cp1; did you mean name?",
        "controllers[0].address: not an IPv4 address, got nothing; write four numbers like 10.240.0.10",
        "controllers[0].podCidr: not an IPv4 network, got nothing; write it like 10.200.21.0/24",
      ],
    ]));

  describe("types", () =>
    itRefuses([
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
    ]));

  describe("names", () =>
    itRefuses([
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
    ]));

  describe("choices and numbers", () =>
    itRefuses([
      [
        { platform: "azure" },
        "platform: not a platform, got azure; use one of local, hosts, libvirt, aws",
      ],
      [
        { kubernetesVersion: "1.36" },
        "kubernetesVersion: not a supported version, got 1.36; use one of 1.37.2, 1.36.4, 1.36.3",
      ],
      [
        { kubernetesVersion: "v1.18.0" },
        "kubernetesVersion: not a supported version, got v1.18.0; use one of 1.37.2, 1.36.4, 1.36.3",
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
        { drainTimeoutSeconds: 1e20 },
        "drainTimeoutSeconds: not a number of seconds, got 100000000000000000000; use a whole number from 1 to 86400",
      ],
      [
        { drainTimeoutSeconds: 0 },
        "drainTimeoutSeconds: not a number of seconds, got 0; use a whole number from 1 to 86400",
      ],
      [
        { "etcd.generation": 0 },
        "etcd.generation: not a positive whole number, got 0; use 1 or more",
      ],
      [
        { "etcd.quotaMiB": 16 },
        "etcd.quotaMiB: not a number of MiB that etcd can work with, got 16; use a whole number from 32 to 102400",
      ],
      [
        { "etcd.compactionHours": -1 },
        "etcd.compactionHours: not a number of hours, got -1; use a whole number from 0 to 8760",
      ],
      [
        { "etcd.backup.keep": 0 },
        "etcd.backup.keep: not a number of snapshots, got 0; use a whole number from 1 to 1000",
      ],
      [
        { "etcd.backup.intervalHours": 0.5 },
        "etcd.backup.intervalHours: not a number of hours, got 0.5; use a whole number from 1 to 8760",
      ],
      [
        { "etcd.defragmentation.freePercent": 100 },
        "etcd.defragmentation.freePercent: not a percentage, got 100; use a whole number from 1 to 99",
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
        { "certificates.validityHoursOf": { admin: 90_000, scheduler: 0, apiServer: 24 } },
        "certificates.validityHoursOf.scheduler: not a number of hours, got 0; use a whole number from 1 to 876000",
        "certificates.validityHoursOf.apiServer: not a kind of certificates, got apiServer; use some of admin, apiserver, apiserver-etcd-client, apiserver-kubelet-client, controller-manager, etcd-peer, etcd-server, front-proxy-client, kube-proxy-client, kubelet-client, kubelet-server, scheduler",
      ],
      [
        { "certificates.validityHoursOf": { admin: 90_000 } },
        "certificates.validityHoursOf.admin: longer than certificates.caValidityHours 87600, got 90000; let no certificate outlive its authority",
      ],
      [
        { "certificates.validityHours": 90_000 },
        "certificates.validityHours: longer than certificates.caValidityHours 87600, got 90000; let no certificate outlive its authority",
      ],
      [
        { "certificates.earlyRenewalHours": 8_760 },
        "certificates.earlyRenewalHours: not shorter than certificates.validityHours 8760, got 8760; renew a certificate during its life",
      ],
    ]));
});
