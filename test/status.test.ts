import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linesOf } from "../operations/status/lines.ts";
import { questionBefore, readAnswer } from "../operations/status/machine.ts";
import { faultsOf, type Node, type Status } from "../operations/status/status.ts";

const answer = `up\t 7261
load\t0.52
MemTotal\t1000
MemAvailable\t750
disk\t 31%
service\tetcd.service\tactive\t 7200\t/opt/kthw/etcd/3.6.14/etcd
service\tapi-load-balancer.service\tactive\t90\tnginx version: nginx/1.22.1
service\tpod-network.service\tactive\t90\t/usr/bin/bash
service\tkube-proxy.service\tfailed\t\t
etcd\t"ClusterID" : 1
etcd\t"MemberID" : 10501334649042878790
etcd\t"Version" : "3.6.14"
etcd\t"DBSize" : 5242880
etcd\t"DBSizeInUse" : 1572864
etcd\t"DBSizeQuota" : 2147483648
etcd\t"Leader" : 10501334649042878790
etcd\t"IsLearner" : false
alarms\tmemberID:10501334649042878790 alarm:NOSPACE
--- end of the status
/etc/zone: content
`;

describe("make status", () => {
  it("reads what a machine tells, and leaves the rest to the check", () => {
    const [status, rest] = readAnswer(answer);
    assert.deepEqual(status, {
      up: 7261,
      load: 0.52,
      memory: 25,
      disk: 31,
      services: [
        { unit: "etcd.service", state: "active", age: 7200, version: "3.6.14" },
        { unit: "api-load-balancer.service", state: "active", age: 90, version: "1.22.1" },
        { unit: "pod-network.service", state: "active", age: 90 },
        { unit: "kube-proxy.service", state: "failed" },
      ],
      member: {
        version: "3.6.14",
        size: 5242880,
        inUse: 1572864,
        quota: 2147483648,
        role: "leader",
      },
      alarms: "memberID:10501334649042878790 alarm:NOSPACE\n",
    });
    assert.equal(rest, "/etc/zone: content\n");
  });

  it("tells a follower from a leader by all digits of their ids", () => {
    const [{ member }] = readAnswer(answer.replace(/("Leader" : \d+)0\n/, "$11\n"));
    assert.equal(member?.role, "follower");
    const [{ member: alone }] = readAnswer(answer.replace(/"Leader" : \d+/, '"Leader" : 0'));
    assert.equal(alone?.role, "without a leader");
  });

  it("fails for an answer that breaks off", () => {
    assert.throws(() => readAnswer("up\t3\n"), /^Error: it did not answer to the end: up\t3$/);
  });

  it("asks by a script that runs where nothing is placed", () => {
    const said = execFileSync("bash", { input: questionBefore("echo more"), encoding: "utf8" });
    const [status, rest] = readAnswer(said);
    assert.ok(status.up > 0 && status.load >= 0 && status.memory > 0 && status.disk >= 0, said);
    assert.deepEqual(status.services, []);
    assert.equal(rest, "more\n");
  });

  it("tells the state, age and version of what runs, and nothing of what does not run", () => {
    const folder = mkdtempSync(join(tmpdir(), "kthw-status-"));
    try {
      for (const name of ["clock", "alarm"]) {
        mkdirSync(join(folder, "services", name), { recursive: true });
        writeFileSync(
          join(folder, "services", name, "applied"),
          `service ${name}\nunit ${name}.service\n`,
        );
      }
      // As systemd answers: in an order of its own, a block for each unit.
      const said = [
        `MainPID=0\nId=alarm.service\nActiveState=failed\n`,
        `MainPID=${process.pid}\nId=clock.service\nActiveState=active\n`,
      ].join("\n");
      writeFileSync(
        join(folder, "systemctl"),
        `#!/bin/sh\n[ "$3 $4" = "alarm.service clock.service" ] && printf '${said}'\n`,
        { mode: 0o755 },
      );
      const script = questionBefore("").replaceAll("/var/lib/kthw", folder);
      const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };
      const [{ services }] = readAnswer(
        execFileSync("bash", { input: script, env, encoding: "utf8" }),
      );
      const [alarm, clock] = services;
      assert.deepEqual(alarm, { unit: "alarm.service", state: "failed" });
      assert.deepEqual(
        [clock?.unit, clock?.state, typeof clock?.age],
        ["clock.service", "active", "number"],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const node = (name: string, ready: string): Node => ({
    metadata: { name },
    spec: { unschedulable: ready === "False" },
    status: {
      addresses: [],
      conditions: [{ type: "Ready", status: ready, message: "" }],
      nodeInfo: { architecture: "", machineID: "", systemUUID: "" },
    },
  });
  const well: Status = {
    machines: new Map([
      ["cp1", readAnswer(answer)[0]],
      ["worker1", undefined],
    ]),
    nodes: new Map([
      ["cp1", node("cp1", "True")],
      ["worker1", node("worker1", "False")],
    ]),
    certificates: [1, 2, 3, 4].map((number) => ({
      name: `cp1:certificate${number}`,
      subject: "system:node:cp1",
      issuer: "kubernetes-ca",
      end: new Date(`2027-01-0${number}T00:00:00Z`),
      due: false,
    })),
    differences: { machines: [], nodes: [], alarms: [] },
    faults: [],
  };
  const now = new Date("2026-12-22T00:00:00Z");

  it("shows machines, services by version, members of etcd and the certificates that end next", () => {
    assert.deepEqual(linesOf(well, now), [
      "MACHINE  UP  LOAD  MEMORY  DISK  NODE",
      "cp1      2h  0.52  25 %    31 %  Ready",
      "worker1  -   -     -       -     not Ready, cordoned",
      "",
      "SERVICE            VERSION  RUNS ON, FOR",
      "api-load-balancer  1.22.1   cp1 90s",
      "etcd               3.6.14   cp1 2h",
      "kube-proxy         failed   cp1",
      "pod-network        -        cp1 90s",
      "",
      "MEMBER OF ETCD  VERSION  SIZE     IN USE   QUOTA       ROLE",
      "cp1             3.6.14   5.0 MiB  1.5 MiB  2048.0 MiB  leader",
      "",
      "ENDS        DAYS  CERTIFICATE       SUBJECT          ISSUER",
      "2027-01-01  10    cp1:certificate1  system:node:cp1  kubernetes-ca",
      "2027-01-02  11    cp1:certificate2  system:node:cp1  kubernetes-ca",
      "2027-01-03  12    cp1:certificate3  system:node:cp1  kubernetes-ca",
      "",
      "nothing is wrong",
    ]);
  });

  it("names Nodes that are not Ready, an etcd that nobody leads, and certificates that have ended", () => {
    const [machine] = readAnswer(answer.replace(/"Leader" : \d+/, '"Leader" : 0'));
    const members = [{ name: "cp1", ssh: "" }];
    assert.deepEqual(faultsOf({ ...well, members, now }), [
      "worker1: the Node is not Ready: it has not said anything",
    ]);
    assert.deepEqual(
      faultsOf({
        machines: new Map([["cp1", machine]]),
        nodes: new Map(),
        certificates: well.certificates,
        members,
        now: new Date("2027-01-02T00:00:00Z"),
      }),
      [
        "etcd has no leader among the members that answer",
        "the certificate cp1:certificate1 has ended",
        "the certificate cp1:certificate2 has ended",
      ],
    );
  });

  it("ends with what make check finds and what else is wrong", () => {
    const lines = linesOf(
      {
        ...well,
        differences: {
          machines: [{ machine: "worker1", what: "cannot be reached", kind: "unreachable" }],
          nodes: [],
          alarms: [],
        },
        faults: ["etcd has no leader among the members that answer"],
      },
      now,
    );
    assert.deepEqual(lines.slice(-4), [
      "worker1: cannot be reached",
      "etcd has no leader among the members that answer",
      "",
      "2 wrong",
    ]);
  });
});
