import { strict as assert } from "node:assert";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { oldestLinuxForNftables } from "../services/kube-proxy.ts";
import { type Graph, machineOf, runProgram, stdinOf } from "./support/program.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const machines = ["lb", "cp1", "cp2", "cp3", "worker1", "worker2"];

/** Settings with Weave Net, for machines as in the settings of the local stack, which then have no ranges. */
const withoutRanges = () => {
  const machine = (name: string, last: number) => ({ name, address: `10.240.0.${last}` });
  return {
    network: "weave",
    controllers: [machine("cp1", 11), machine("cp2", 12), machine("cp3", 13)],
    workerPools: [{ name: "workers", machines: [machine("worker1", 21), machine("worker2", 22)] }],
  };
};

describe("the program on existing hosts", () => {
  let folder: string;
  let graph: Graph;
  const onHosts = (hosts: object = {}, others: object = {}) =>
    runProgram({
      settings: (settings) => {
        settings.platform = "hosts";
        settings.hosts = {
          privateKeyFile: path.join(folder, "key"),
          user: "admin",
          jumpBox: { host: "bastion.example.com", port: 2222, user: "hop" },
          machines: [{ name: "cp2", user: "root", generation: 3 }],
          ...hosts,
        };
        Object.assign(settings, others);
      },
    });

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-hosts-"));
    const key = ["-q", "-t", "ed25519", "-N", "", "-f", path.join(folder, "key")];
    execFileSync("ssh-keygen", key);
    ({ graph } = await onHosts());
  });
  after(() => rmSync(folder, { recursive: true }));

  const inputs = (name: string) => graph.command(name).inputs as Record<string, string>;

  it("makes no machines, so that nothing goes without being removed", () => {
    for (const command of graph.commands()) assert.equal(command.deletedWith, "", command.name);
  });
  it("puts nothing anywhere before all hosts have passed their checks", () => {
    const [gate] = graph
      .ofType("command:local:Command")
      .filter(({ name }) => /^machines:/.test(name));
    const checks = graph.commands().filter(({ name }) => name.endsWith(":host-check"));
    assert.deepEqual(checks.map(({ name }) => machineOf(name)).sort(), machines.toSorted());
    for (const check of checks) {
      assert.ok(graph.awaited(gate!).has(check), check.name);
      assert.equal(check.inputs.delete, undefined, check.name);
    }
    for (const command of graph.commands())
      if (!checks.includes(command)) assert.ok(graph.awaited(command).has(gate!), command.name);
  });
  it("remembers a host before it is looked at, and until everything of it has gone", () => {
    for (const machine of machines) {
      const earlier = [...graph.awaited(graph.command(`${machine}:host-check`))];
      assert.ok(
        earlier.some(({ name }) => name === `${machine}:address`),
        machine,
      );
    }
  });
  it("lets the first host tell that the jump box does not answer", () => {
    for (const machine of machines.slice(1))
      assert.ok(graph.waits(`${machine}:host-check`, "lb:host-check"), machine);
    assert.ok(!graph.waits("worker1:host-check", "cp1:host-check"));
  });
  it("goes through the jump box", () => {
    const { connection } = graph.command("cp1:node").inputs as {
      connection: { secret: Record<string, unknown> };
    };
    const key = readFileSync(path.join(folder, "key"), "utf8");
    const { proxy, ...to } = connection.secret;
    const shown = ({ host, port, user, privateKey }: Record<string, unknown>) => [
      host,
      port,
      user,
      (privateKey as { secret?: string }).secret ?? privateKey,
    ];
    assert.deepEqual(shown(to), ["10.240.0.11", 22, "admin", key]);
    assert.deepEqual(shown(proxy as typeof to), ["bastion.example.com", 2222, "hop", key]);
  });
  /** What a command does where kthw-node is still there. */
  const ofKthwNode = (command: string) =>
    /^if \[ -e \/usr\/local\/bin\/kthw-node ]; then (.*); else cat >\/dev\/null; fi$/.exec(
      command,
    )?.[1] ?? command;
  it("becomes root by sudo, but for root", () => {
    for (const { name, inputs } of graph.commands()) {
      if (name.endsWith(":host-check")) continue;
      const expected =
        machineOf(name) === "cp2" ? /^(kthw-node|install) / : /^sudo -n (kthw-node|install) /;
      for (const verb of ["create", "update", "delete"])
        if (inputs[verb] !== undefined)
          assert.match(ofKthwNode(String(inputs[verb])), expected, `${name} ${verb}`);
    }
  });
  it("says what it keeps when it goes", () => {
    for (const { name, inputs } of graph.commands())
      assert.equal(inputs.logging, name.endsWith(":node") ? "stdout" : "none", name);
    assert.equal(ofKthwNode(inputs("cp2:node").delete!), "kthw-node uninstall");
  });
  it("tells another host by its coming and its generation", () => {
    assert.match(inputs("cp1:etcd").update!, /# machine cp1:host-check-id generation 1, /);
    assert.match(inputs("cp2:etcd").update!, /# machine cp2:host-check-id generation 3, /);
  });
  it("looks at a host again that is another, or is reached in another way", async () => {
    const digests = ({ graph }: { graph: Graph }) => {
      const [gate] = graph
        .ofType("command:local:Command")
        .filter(({ name }) => name === "machines:checked");
      const { KTHW_CHECKED } = gate!.inputs.environment as Record<string, string>;
      return new Map(KTHW_CHECKED!.split("\n").map((line) => line.split(" ") as [string, string]));
    };
    const before = digests({ graph });
    const machines = [
      { name: "cp2", user: "root", generation: 4 },
      { name: "worker1", port: 2022 },
    ];
    const after = digests(await onHosts({ machines }));
    assert.deepEqual(
      [...after].filter(([name, digest]) => before.get(name) !== digest).map(([name]) => name),
      ["cp2", "worker1"],
    );
    const throughAnother = digests(await onHosts({ jumpBox: { host: "other.example.com" } }));
    for (const [name, digest] of throughAnother) assert.notEqual(digest, before.get(name), name);
  });
  it("asks of each host what its role needs", () => {
    const words = (machine: string) => inputs(`${machine}:host-check`).create!;
    assert.match(words("lb"), /^sh -s -- lb now=\d+ address=10.240.0.10 node=no /);
    assert.match(words("lb"), / ports='443 6443' /);
    assert.match(words("worker1"), / ports='10248 10249 10250 10256' /);
    assert.match(words("cp1"), / peers='10.240.0.12 10.240.0.13 10.240.0.21 10.240.0.22' /);
    assert.match(words("cp1"), / resolv=\/etc\/resolv.conf\b/);
    assert.doesNotMatch(words("lb"), / (peers|resolv)=/);
    assert.match(words("cp1"), / units='etcd kube-apiserver .* kubelet kube-proxy pod-network' /);
    assert.doesNotMatch(words("worker1"), / proxy=/);
  });
  it("asks for what the settings need beyond that", async () => {
    const others = { kubeProxy: { mode: "ipvs" }, controllerHealthProxy: true };
    const { graph } = await onHosts({}, others);
    const words = (machine: string) => String(graph.command(`${machine}:host-check`).inputs.create);
    assert.match(words("cp1"), / proxy=ipvs\b/);
    assert.match(words("worker1"), / proxy=ipvs\b/);
    assert.doesNotMatch(words("lb"), / proxy=/);
    assert.doesNotMatch(words("worker1"), / linux=/);
    assert.match(words("cp1"), / ports='80 [^']*' units='[^']* health-proxy /);
    assert.doesNotMatch(words("worker1"), /health-proxy| 80\b/);
  });
  it("asks after the file of DNS servers that its kubelet reads", async () => {
    const machine = { name: "worker1", address: "10.240.0.21", podCidr: "10.200.21.0/24" };
    const resolvConf = "/run/systemd/resolve/resolv.conf";
    const { graph } = await onHosts(
      {},
      { workerPools: [{ name: "workers", kubelet: { resolvConf }, machines: [machine] }] },
    );
    const words = (machine: string) => String(graph.command(`${machine}:host-check`).inputs.create);
    assert.match(words("worker1"), new RegExp(` resolv=${resolvConf}`));
    assert.match(words("cp1"), / resolv=\/etc\/resolv.conf/);
  });
  it("asks each node for what the network needs of the kernel", async () => {
    const { graph: weave } = await onHosts({}, withoutRanges());
    assert.doesNotMatch(String(weave.command("cp1:host-check").inputs.create), / peers=/);
    const script = (machine: string) => stdinOf(weave.command(`${machine}:host-check`));
    assert.equal(script("lb"), stdinOf(graph.command("lb:host-check")));
    const kernel = path.join(folder, "kernel");
    mkdirSync(kernel);
    const found = (machine: string) =>
      spawnSync("sh", ["-s", "--", machine, "node=yes"], {
        input: script(machine).replaceAll("/sys/module", kernel).replaceAll("config", "nowhere"),
        encoding: "utf8",
      });
    const lacks = new RegExp(
      `^${hostname()}: its kernel lacks what network weave needs, got \\S+ without .*\\bdummy\\b`,
      "m",
    );
    const { status, stdout } = found("worker1");
    assert.equal(status, 0);
    if (userInfo().uid === 0) assert.match(stdout, lacks);
    for (const command of weave.commands("cp1"))
      if (/^sudo -n sh/.test(String(command.inputs.create)))
        assert.match(String(command.inputs.create), /' <\/dev\/null && sudo -n install -D /);
    assert.match(String(weave.command("cp1:node").inputs.create), /^sudo -n sh -c '/);
  });
  it("asks for the Linux that kube-proxy needs in nftables mode", async () => {
    const { graph } = await onHosts({}, { kubeProxy: { mode: "nftables" } });
    const words = (machine: string) => String(graph.command(`${machine}:host-check`).inputs.create);
    assert.ok(words("worker1").endsWith(` proxy=nftables linux=${oldestLinuxForNftables}`));
    assert.doesNotMatch(words("lb"), / linux=/);
    const found = (linux: string) =>
      spawnSync("sh", ["-s", "--", "worker1", "proxy=nftables", `linux=${linux}`], {
        input: readFileSync(new URL("../stacks/hosts/check.sh", import.meta.url)),
        encoding: "utf8",
      }).stdout;
    assert.match(found("99.0"), /too old for kubeProxy.mode nftables, got .*Linux 99.0 or newer/);
    assert.doesNotMatch(found("3.0"), /too old/);
  });
});

describe("the program on hosts with secrets", () => {
  let folder: string;
  let graph: Graph;
  let exports: Record<string, unknown>;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-hosts-"));
    const key = ["-q", "-t", "ed25519", "-N", "open sesame", "-f", path.join(folder, "key")];
    execFileSync("ssh-keygen", key);
    process.env.PULUMI_CONFIG_SECRET_KEYS = '["kthw:hosts"]';
    try {
      ({ graph, exports } = await runProgram({
        settings: (settings) => {
          settings.platform = "hosts";
          settings.hosts = {
            privateKeyFile: path.join(folder, "key"),
            privateKeyPassphrase: "open sesame",
            user: "admin",
            sudoPassword: "it's mine",
            jumpBox: { host: "bastion.example.com" },
            machines: [{ name: "cp2", user: "root" }],
          };
        },
      }));
    } finally {
      delete process.env.PULUMI_CONFIG_SECRET_KEYS;
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  it("opens the key on both ways", () => {
    const { connection } = graph.command("cp1:node").inputs as {
      connection: { secret: Record<string, { privateKeyPassword?: unknown }> };
    };
    const { proxy, ...to } = connection.secret;
    for (const one of [to, proxy!])
      assert.match(JSON.stringify(one.privateKeyPassword), /open sesame/);
  });
  it("hands the password to each command but root's, as a secret in a variable, and writes it nowhere else", () => {
    for (const { name, inputs } of graph.commands()) {
      if (name.endsWith(":host-check")) continue;
      const isRoot = machineOf(name) === "cp2";
      assert.deepEqual(
        inputs.environment,
        isRoot ? undefined : { LC_KTHW_SUDO: { secret: "it's mine" } },
        name,
      );
      const { environment, connection, ...rest } = inputs;
      assert.doesNotMatch(JSON.stringify(rest), /it's mine/, name);
      const start = isRoot
        ? /^(if .* then )?(kthw-node|install) /
        : /^(if .* then )?SUDO_ASKPASS=\S+ sudo -A -p LC_KTHW_SUDO env -u LC_KTHW_SUDO (kthw-node|install) /;
      for (const verb of ["create", "update", "delete"])
        if (inputs[verb] !== undefined) assert.match(String(inputs[verb]), start, name);
    }
  });
  it("hands the password to the check of a host within a secret text", () => {
    const { stdin, create } = graph.command("cp1:host-check").inputs as {
      stdin: { secret: string };
      create: string;
    };
    assert.ok(stdin.secret.startsWith("export LC_KTHW_SUDO='it'\\''s mine'\n#!/bin/sh\n"));
    assert.doesNotMatch(create, /mine/);
    assert.equal(typeof graph.command("cp2:host-check").inputs.stdin, "string");
  });
  it("remembers the secrets of a host for those who operate the cluster", () => {
    const [host] = graph.ofType("kthw:index:Host").filter(({ name }) => name === "cp1");
    assert.ok(host);
    const shown = (exports.machines as { name: string; secret?: boolean }[]).map(
      ({ name, secret }) => [name, secret],
    );
    assert.ok(shown.every(([, secret]) => secret === true));
  });
});

describe("the gate of hosts", () => {
  let folder: string;
  let record: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), "kthw-hosts-"));
    record = path.join(folder, "state/hosts-checked");
  });
  after(() => rmSync(folder, { recursive: true }));
  const run = (verb: string, input: string) =>
    spawnSync("stacks/hosts/checked.sh", [verb], {
      cwd: root,
      input,
      encoding: "utf8",
      env: { ...process.env, KTHW_RECORD: record, KTHW_CHECKED: "cp1 abc 17\ncp2 def 18" },
    });

  it("writes down that all have passed", () => {
    assert.equal(run("judge", "").status, 0);
    assert.equal(readFileSync(record, "utf8"), "cp1 abc 17\ncp2 def 18\n");
  });
  it("fails with all that is wrong, and has them checked again", () => {
    const { status, stderr } = run("judge", "cp1: this\ncp2: that\n");
    assert.deepEqual([status, stderr], [1, "cp1: this\ncp2: that\n"]);
    assert.throws(() => readFileSync(record));
  });
  it("forgets", () => {
    run("judge", "");
    assert.equal(run("forget", "").status, 0);
    assert.throws(() => readFileSync(record));
  });
});
