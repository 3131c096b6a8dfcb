import assert from "node:assert/strict";
import { kubeApiserver, reservedApiServerFlags } from "../../services/kube-apiserver.ts";
import {
  kubeControllerManager,
  reservedControllerManagerFlags,
} from "../../services/kube-controller-manager.ts";
import { kubeScheduler, reservedSchedulerFlags } from "../../services/kube-scheduler.ts";
import { controllers, facts } from "../support/facts.ts";
import { itRefuses, worker2 } from "../support/settings.ts";

describe("a flag that names a file of the program", () => {
  for (const [service, reserved] of [
    [kubeApiserver(facts, controllers[0]!), reservedApiServerFlags],
    [kubeControllerManager(facts), reservedControllerManagerFlags],
    [kubeScheduler(facts), reservedSchedulerFlags],
  ] as const)
    it(`is reserved by ${service.name}`, () => {
      const flags = [...service.files[0]!.text.matchAll(/--([\w-]+)=\//g)].map(([, flag]) => flag!);
      assert.ok(flags.length > 0);
      assert.deepEqual(
        flags.filter((flag) => !Object.hasOwn(reserved, flag)),
        [],
      );
    });
});

describe("settings beside the program's own:", () => {
  describe("what the program decides", () =>
    itRefuses([
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
        "workerPools[0].kubelet.maxPods: not a positive whole number, got many; use 1 or more, without quotes",
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
        "apiServer.extraFlags.v: a list for a flag that is given once, got [2]; write one value",
      ],
      [
        { "apiServer.extraFlags.v": "1\n2" },
        'apiServer.extraFlags.v: not a line of text, got "1\\n2"; write its value in one line',
      ],
    ]));
});
