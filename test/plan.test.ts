import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describeService, type Prerequisites, type Service } from "../node/description.ts";
import { placed } from "../operations/plan/placed.ts";
import { changedPaths, type Plan, planOf } from "../operations/plan/plan.ts";
import type { PreviewStep, ResourceState } from "../operations/plan/steps.ts";
import { summary } from "../operations/plan/summary.ts";
import { treeOf } from "../operations/plan/tree.ts";
import { kubelet } from "../services/kubelet.ts";
import { placed as placedService } from "../services/service.ts";
import { cluster, worker } from "./support/facts.ts";
import { describedBy, runProgram } from "./support/program.ts";

/** Steps of a real preview, cut down to a few commands of one or two workers and a few lines of their files. */
function recorded(name: string): PreviewStep[] {
  return JSON.parse(readFileSync(new URL(`./recorded/${name}.json`, import.meta.url), "utf8"));
}

/** A preview of two workers without a change, except for the recorded steps of `change`. */
function preview(change?: string): PreviewStep[] {
  const changes = change === undefined ? [] : recorded(change);
  const same = recorded("unchanged")
    .filter(({ urn }) => !changes.some((step) => step.urn === urn))
    .map((step) => ({ ...step, oldState: step.newState! }));
  return [...same, ...changes];
}

const planned = (change: string) => planOf(preview(change));

/** The lines of the summary about one machine. */
function linesOf(plan: Plan, machine: string): string[] {
  return summary(new Map([[machine, plan.get(machine)!]]));
}

const everyFile = [
  "/etc/cni/net.d/10-bridge.conflist",
  "/etc/kthw/pod-routes",
  "/etc/kubernetes/kubelet.conf",
  "/etc/kubernetes/pki/kube-proxy.crt",
  "/etc/kubernetes/pki/kube-proxy.key",
  "/etc/systemd/system/kubelet.service",
  "/etc/systemd/system/multi-user.target.wants/kubelet.service",
  "/etc/systemd/system/multi-user.target.wants/pod-network.service",
  "/etc/systemd/system/pod-network.service",
  "/opt/kthw/crictl/1.36.0/crictl",
  "/opt/kthw/images/coredns-v1.14.2-amd64.tar",
  "/usr/local/bin/crictl",
  "/usr/local/bin/kthw-node",
  "/usr/local/libexec/kthw/pod-routes",
  "/var/lib/kubelet/config.yaml",
  "/var/lib/kubelet/pki/ca.crt",
  "/var/lib/kubelet/pki/kubelet-client.crt",
  "/var/lib/kubelet/pki/kubelet-client.key",
  "/var/lib/kubelet/pki/kubelet.crt",
  "/var/lib/kubelet/pki/kubelet.key",
];
const records = [
  "/opt/kthw/crictl/1.36.0/.crictl.sum",
  "/opt/kthw/images/coredns-v1.14.2-amd64.tar.name",
  "/opt/kthw/images/coredns-v1.14.2-amd64.tar.sum",
];
const anotherRoute = [
  "  ~ /etc/kthw/pod-routes",
  "  reload pod-network.service: /etc/kthw/pod-routes changed",
];

describe("a plan", () => {
  it("is one line for a machine without a change", () => {
    assert.deepEqual(summary(planOf(preview())), ["worker1: no change", "worker2: no change"]);
  });

  it("does not depend on the order of a preview", () => {
    const all = preview("added-machine");
    const [one, other] = [planOf(all), planOf(all.toReversed())];
    assert.deepEqual(summary(one), summary(other));
    assert.deepEqual([...treeOf(one)], [...treeOf(other)]);
  });

  it("has every file of the first update", () => {
    const plan = planOf(recorded("first-update"));
    assert.deepEqual(summary(plan), [
      "worker1: made, 20 files added, 2 services started",
      ...everyFile.map((path) => `  + ${path}`),
      "  start kubelet.service: new",
      "  start pod-network.service: new",
    ]);
    assert.deepEqual(
      changedPaths(plan),
      [...everyFile, ...records].sort().map((path) => `worker1 ${path}`),
    );
  });

  it("has the changed line of a file, and the restart of the service", () => {
    const plan = planned("changed-line");
    assert.deepEqual(summary(plan), [
      "worker1: 1 file changed, 1 service restarted",
      "  ~ /var/lib/kubelet/config.yaml",
      "  restart kubelet.service: /var/lib/kubelet/config.yaml changed",
      "worker2: no change",
    ]);
    const [before, after] = [treeOf(planOf(preview())), treeOf(plan)];
    assert.deepEqual([...before.keys()], [...after.keys()]);
    assert.deepEqual(
      [...after].filter(([path, text]) => before.get(path) !== text),
      [
        [
          "worker1/var/lib/kubelet/config.yaml",
          "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 64\n",
        ],
      ],
    );
  });

  it("has all files of a new machine, and the changes on the others", () => {
    const plan = planned("added-machine");
    assert.deepEqual(linesOf(plan, "worker3"), [
      "worker3: made, 20 files added, 2 services started",
      ...everyFile.map((path) => `  + ${path}`),
      "  start kubelet.service: new",
      "  start pod-network.service: new",
    ]);
    for (const machine of ["worker1", "worker2"])
      assert.deepEqual(linesOf(plan, machine).slice(1), anotherRoute);
  });
  it("tells that a machine joins by kubeadm, but not where kubeadm only checks again", () => {
    const join = (op: string): PreviewStep => {
      const urn =
        "urn:pulumi:local::kthw::kthw:index:WorkerPool$command:remote:Command::worker3:kubeadm-join";
      const state = { urn, type: "command:remote:Command", inputs: { create: "kthw-node wait" } };
      return { op, urn, oldState: state, newState: state };
    };
    const first = (...steps: PreviewStep[]) => linesOf(planOf(steps), "worker3")[0];
    assert.equal(
      first(...preview("added-machine"), join("create")),
      "worker3: made, joined by kubeadm, 20 files added, 2 services started",
    );
    assert.equal(first(join("update")), "worker3: no change");
  });

  it("has no file of a lost machine, but the changes on the others", () => {
    const plan = planned("removed-machine");
    assert.deepEqual(linesOf(plan, "worker2"), ["worker2: drained, lost, with all that is on it"]);
    assert.deepEqual(linesOf(plan, "worker1").slice(1), anotherRoute);
    assert.deepEqual(
      [...treeOf(plan).keys()].filter((path) => path.startsWith("worker2")),
      [],
    );
    assert.deepEqual(changedPaths(plan), ["worker1 /etc/kthw/pod-routes"]);
  });

  it("places everything anew on a machine that is rebuilt", () => {
    const plan = planned("machine-made-anew");
    assert.deepEqual(linesOf(plan, "worker1"), [
      "worker1: rebuilt, its 20 files placed anew, 2 services started",
      "  start kubelet.service: machine made anew",
      "  start pod-network.service: machine made anew",
    ]);
    assert.deepEqual([...treeOf(plan)], [...treeOf(planOf(preview()))]);
  });

  it("names the certificates that restart a service", () => {
    const plan = planned("renewed-certificate");
    assert.deepEqual(linesOf(plan, "worker1"), [
      "worker1: 1 bundle changed, 1 service restarted",
      "  ~ bundle kubelet: some of its 7 files; renewed: worker1:kubelet-client, worker1:kubelet-server",
      "  restart kubelet.service: worker1:kubelet-client renewed, worker1:kubelet-server renewed",
    ]);
    assert.equal(changedPaths(plan).length, 7);
  });

  it("restarts nothing for a bundle alone, whose files are read anew", () => {
    const steps = preview("renewed-certificate").filter(({ urn }) => !urn.endsWith(":kubelet"));
    assert.deepEqual(linesOf(planOf(steps), "worker1"), [
      "worker1: 1 bundle changed",
      "  ~ bundle kubelet: some of its 7 files; renewed: worker1:kubelet-client, worker1:kubelet-server",
    ]);
  });

  it("restarts a service whose external certificates are not known yet", () => {
    const steps = preview("renewed-certificate").filter(({ urn }) => !urn.includes("$tls:"));
    const without = steps.filter(({ urn }) => !urn.endsWith(":kubelet-pki"));
    assert.deepEqual(linesOf(planOf(without), "worker1"), [
      "worker1: 1 service restarted",
      "  restart kubelet.service: its certificates are not known yet",
    ]);
  });

  it("tells a reassertion from a restart", () => {
    assert.deepEqual(linesOf(planned("reassert"), "worker1"), [
      "worker1: 2 services checked",
      "  check kubelet.service: reassert",
      "  check pod-network.service: reassert",
    ]);
  });

  it("knows a rebuilt machine by its id, where the machine is no resource", () => {
    const steps = preview("reassert").map((step) =>
      JSON.parse(JSON.stringify(step).replace(/("newState".*# machine )worker1\w+/, "$1another")),
    );
    assert.equal(planOf(steps).get("worker1")?.fate, "rebuilt");
  });

  it("tells a machine that is started again", () => {
    const steps = preview().map((step) =>
      step.urn.endsWith("command:local:Command::worker1") ? { ...step, op: "update" } : step,
    );
    assert.deepEqual(summary(planOf(steps)), ["worker1: started again", "worker2: no change"]);
  });

  it("has a line for each secret, with its mode and owner beside the tree", () => {
    const tree = treeOf(planOf(recorded("first-update")));
    const key = "/var/lib/kubelet/pki/kubelet.key";
    assert.equal(tree.get(`worker1${key}`), "(secret: shown only on the machine)\n");
    const listing = tree.get("worker1.listing")!.split("\n");
    assert.ok(listing.includes(`file ${key} 0600 root:root`));
    assert.ok(listing.includes("directory /var/lib/kubelet 0700 root:root"));
    assert.ok(listing.includes("package iptables"));
    assert.ok(listing.includes("file /etc/cni/net.d/10-bridge.conflist 0644 root:root live"));
  });

  it("describes binaries and links", () => {
    const tree = treeOf(planOf(recorded("first-update")));
    const sum =
      /^\(binary: crictl of file:\S+\/crictl-v1\.36\.0-linux-amd64\.tar\.gz, sha256:\w{64}\)\n$/;
    assert.match(tree.get("worker1/opt/kthw/crictl/1.36.0/crictl")!, sum);
    assert.equal(
      tree.get("worker1/usr/local/bin/crictl"),
      "(link: /opt/kthw/crictl/1.36.0/crictl)\n",
    );
  });
});

describe("a plan of the program's first update", () => {
  it("has each file that a description of a service or bundle names", async () => {
    const { graph } = await runProgram({
      settings: (settings) => {
        settings.joinTokens = [{ name: "guests" }];
        settings.controllerHealthProxy = true;
      },
    });
    const kinds = new Set<string>();
    for (const command of graph.commands()) {
      const described = describedBy(command);
      if (described === undefined) continue;
      kinds.add(described.kind);
      const found = placed({ urn: "", type: "command:remote:Command", inputs: command.inputs })!;
      assert.equal(found.kind, described.kind, command.name);
      for (const { path, mode, owner } of described.files) {
        const file = found.files.get(path);
        assert.deepEqual([file?.mode, file?.owner], [mode, owner], `${command.name} ${path}`);
      }
    }
    assert.deepEqual([...kinds].sort(), ["bundle", "service"]);
  });
});

describe("a plan for a service", () => {
  const clock: Service = {
    name: "clock",
    unit: "clock.service",
    files: [{ path: "/etc/systemd/system/clock.service", text: "[Unit]\n" }],
  };
  const zone = { path: "/etc/zone", text: "UTC\n" };

  it("that is new starts the service", () => {
    assert.deepEqual(summary(planOf([place("create", clock)])), [
      "m1: 2 files added, 1 service started",
      "  + /etc/systemd/system/clock.service",
      "  + /etc/systemd/system/multi-user.target.wants/clock.service",
      "  start clock.service: new",
    ]);
  });

  it("enables its timers", () => {
    const path = "/etc/systemd/system/tick.timer";
    const ticking = { ...clock, files: [...clock.files, { path, text: "[Timer]\n", live: true }] };
    assert.deepEqual(summary(planOf([place("update", ticking, clock)])), [
      "m1: 2 files added",
      "  + /etc/systemd/system/tick.timer",
      "  + /etc/systemd/system/timers.target.wants/tick.timer",
    ]);
  });

  it("that goes stops the service, and leaves files that another service has, too", () => {
    const alarm: Service = { ...clock, name: "alarm", unit: "alarm.service", files: [zone] };
    const steps = [
      place("delete", undefined, { ...clock, files: [...clock.files, zone] }),
      place("same", alarm, alarm),
    ];
    assert.deepEqual(summary(planOf(steps)), [
      "m1: 2 files removed, 1 service stopped",
      "  - /etc/systemd/system/clock.service",
      "  - /etc/systemd/system/multi-user.target.wants/clock.service",
      "  stop clock.service: removed",
    ]);
  });

  it("tells added and removed files", () => {
    const before = { ...clock, files: [...clock.files, { path: "/etc/old", text: "" }] };
    const after = { ...clock, files: [...clock.files, { path: "/etc/new", text: "" }] };
    assert.deepEqual(linesOf(planOf([place("update", after, before)]), "m1"), [
      "m1: 1 file added, 1 file removed, 1 service restarted",
      "  + /etc/new",
      "  - /etc/old",
      "  restart clock.service: /etc/new added, /etc/old removed",
    ]);
  });

  it("tells changed modes and owners, for which nothing restarts", () => {
    const before = { ...clock, files: [...clock.files, zone] };
    const strict = (text: string) => ({
      ...clock,
      files: [...clock.files.map((file) => ({ ...file, mode: "0600" })), { ...zone, text }],
    });
    assert.deepEqual(linesOf(planOf([place("update", strict(zone.text), before)]), "m1"), [
      "m1: 1 file changed",
      "  ~ /etc/systemd/system/clock.service",
    ]);
    assert.deepEqual(linesOf(planOf([place("update", strict("CET\n"), before)]), "m1").slice(-1), [
      "  restart clock.service: /etc/zone changed",
    ]);
  });

  it("restarts nothing for a live file, nor for another health check", () => {
    const live = (text: string): Service => ({
      ...clock,
      files: [...clock.files, { ...zone, text, live: true }],
    });
    const other = { ...live("CET\n"), health: "true" };
    assert.deepEqual(linesOf(planOf([place("update", other, live("UTC\n"))]), "m1"), [
      "m1: 1 file changed",
      "  ~ /etc/zone",
    ]);
  });

  it("tells what is taken back of what the former service did", () => {
    const before = { ...clock, files: [...clock.files, zone], undo: ["hwclock --hctosys", "true"] };
    const after = { ...clock, undo: ["true"] };
    assert.deepEqual(linesOf(planOf([place("update", after, before)]), "m1").slice(-1), [
      "  restart clock.service: /etc/zone removed; then hwclock --hctosys",
    ]);
  });

  it("takes the file for systemd-logind back from a kubelet that no longer delays shutdowns", () => {
    const last = (before: object, after: object) => {
      const [former, present] = [before, after].map((fields) =>
        placedService(kubelet(cluster(), worker({ kubelet: { ...fields } }))),
      );
      return linesOf(planOf([place("update", present, former)]), "m1").at(-1);
    };
    const restart = "  restart kubelet.service: /var/lib/kubelet/config.yaml changed";
    const undone = /; then cd \/etc\/systemd\/logind\.conf\.d .*rm -f 99-kubelet\.conf; .*HUP/;
    const byPriority = [{ priority: 100, shutdownGracePeriodSeconds: 30 }];
    for (const before of [
      { shutdownGracePeriod: "30s" },
      { shutdownGracePeriodByPodPriority: byPriority },
    ])
      for (const after of [{}, { shutdownGracePeriod: "0s" }])
        assert.match(last(before, after)!, undone);
    for (const after of [
      { shutdownGracePeriod: "10s" },
      { shutdownGracePeriodByPodPriority: byPriority },
    ])
      assert.equal(last({ shutdownGracePeriod: "30s" }, after), restart);
    assert.equal(last({ shutdownGracePeriod: "0s" }, { maxPods: 64 }), restart);
  });

  it("restarts a service for a file of another that it reads, if its own command runs", () => {
    const reading: Service = { ...clock, reads: ["/etc/alarm"] };
    const alarm = (text: string): Service => ({
      name: "alarm",
      unit: "alarm.service",
      files: [{ path: "/etc/alarm/at", text, live: true }],
    });
    const steps = [
      place("update", alarm("7:00\n"), alarm("6:00\n")),
      place("update", { ...reading, health: "true" }, reading),
    ];
    assert.deepEqual(linesOf(planOf(steps), "m1"), [
      "m1: 1 file changed, 1 service restarted",
      "  ~ /etc/alarm/at",
      "  restart clock.service: /etc/alarm/at changed",
    ]);
  });

  it("lists whatever must be on the machine before the files", () => {
    const needing: Required<Prerequisites> = {
      packages: ["tzdata"],
      masks: ["ntp.service"],
      users: ["clock"],
      directories: [{ path: "/var/lib/clock", mode: "0700", owner: "clock:clock" }],
    };
    const tree = treeOf(planOf([place("create", { ...clock, ...needing })]));
    assert.deepEqual(tree.get("m1.listing")!.split("\n").slice(0, 4), [
      "directory /var/lib/clock 0700 clock:clock",
      "mask ntp.service",
      "package tzdata",
      "user clock",
    ]);
  });

  it("reads states of version 1 of the format beside those of today", () => {
    const [after, before] = [place("update", clock), place("update", clock)].map(
      ({ newState }) => newState!,
    );
    const former = String(before!.inputs!.stdin).split("\n").slice(1, -2).join("\n");
    const oldState = { ...before!, inputs: { ...before!.inputs, stdin: `${former}\n` } };
    const step = { op: "update", urn: after!.urn, oldState, newState: after! };
    assert.deepEqual(summary(planOf([step])), ["m1: no change"]);
  });

  it("reads commands with sudo", () => {
    const fetch: ResourceState = {
      urn: urn("binaries"),
      type,
      inputs: { create: "sudo -n kthw-node fetch", stdin: "link /usr/local/bin/x /opt/kthw/x\n" },
    };
    assert.deepEqual(summary(planOf([{ op: "create", urn: urn("binaries"), newState: fetch }])), [
      "m1: 1 file added",
      "  + /usr/local/bin/x",
    ]);
  });

  it("reads the command that places the agent, with or without a look at the kernel before", () => {
    const install = "install -D -m 0755 /dev/stdin /usr/local/bin/kthw-node";
    const look = `sh -c 'test -e "/x" ||\n  { echo '\\''no'\\''; false; }' </dev/null && `;
    for (const create of [
      install,
      `sudo -n ${install}`,
      look + install,
      `sudo -n ${look}sudo -n ${install}`,
    ]) {
      const agent = { urn: urn("node"), type, inputs: { create, stdin: "#!/bin/bash\n" } };
      const plan = planOf([{ op: "create", urn: urn("node"), newState: agent }]);
      assert.deepEqual(summary(plan), ["m1: 1 file added", "  + /usr/local/bin/kthw-node"], create);
    }
  });

  it("keeps binaries of former versions", () => {
    const fetch = (version: string): ResourceState => ({
      urn: urn("binaries"),
      type,
      inputs: {
        create: "kthw-node fetch",
        stdin: `artifact etcd ${version} https://mirror/etcd sha256:0\n  - etcd\n`,
      },
    });
    const step = { op: "update", urn: urn("binaries"), diffReasons: ["stdin"] };
    const plan = planOf([{ ...step, oldState: fetch("1.0"), newState: fetch("2.0") }]);
    assert.deepEqual(summary(plan), ["m1: 1 file added", "  + /opt/kthw/etcd/2.0/etcd"]);
  });

  const type = "command:remote:Command";
  const urn = (name: string) => `urn:pulumi:local::kthw::kthw:index:Clocks$${type}::m1:${name}`;

  /** A step of a service's command. */
  function place(op: string, after: Service | undefined, before?: Service): PreviewStep {
    const state = (service: Service): ResourceState => ({
      urn: urn(service.name),
      type,
      inputs: {
        create: "kthw-node apply",
        update: "kthw-node apply --wait # machine m1, reassert 0",
        stdin: describeService(service),
      },
    });
    return {
      op,
      urn: urn((after ?? before)!.name),
      ...(before && { oldState: state(before) }),
      ...(after && { newState: state(after) }),
    };
  }
});
