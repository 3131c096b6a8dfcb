import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onMachine } from "../../operations/access/shell.ts";
import type { StackMachine } from "../../operations/access/stack.ts";
import { traitsOfThisComputer } from "../../stacks/local/traits.ts";
import { architecture, importTestImage, readyNodes, startPod } from "./support/cluster.ts";
import {
  apiPort,
  hostKey,
  keyFile,
  lookAtHost,
  makeHosts,
  sshPort,
  user,
} from "./support/host-machines.ts";
import { makeKeyPair } from "./support/key-pair.ts";
import type { LiveStack } from "./support/live-stack.ts";
import { describeLive } from "./support/live-tests.ts";
import { writeLogs } from "./support/logs.ts";
import { commandsPerMachine, destroy, updateWithoutChange } from "./support/measures.ts";
import { ownPorts } from "./support/own.ts";
import { eventually, output, step } from "./support/run.ts";

const jumpBox = "10.240.0.9";
const addresses = { lb: "10.240.0.10", cp1: "10.240.0.11", worker1: "10.240.0.21" };
const hosts = Object.keys(addresses) as (keyof typeof addresses)[];
/** The port of this computer that leads to the last of two jump boxes, which is lb. */
const lastJumpPort = ownPorts + 645;
/** The password for which sudo asks on cp1, and the passphrase of the key for the last jump box. */
const secrets = { sudoPassword: `it's 100% "mine" /\\`, passphrase: "open: $sesame" };

describeLive("existing hosts", (live) => {
  const { itOnceUp } = live;
  let stack: LiveStack;
  const empty = new Map<string, ReadonlySet<string>>();
  const helpers: ChildProcess[] = [];

  const inside = (name: string, script: string, input?: string) =>
    stack.machines.inside(name, script, input);
  /** What is otherwise on a host than when it was empty. */
  const differences = async (name: string) => {
    const before = empty.get(name)!;
    const after = await lookAtHost(stack, name);
    return [
      ...[...before].filter((line) => !after.has(line)).map((line) => `- ${line}`),
      ...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`),
    ];
  };
  const remember = async () => {
    for (const name of hosts) empty.set(name, await lookAtHost(stack, name));
  };
  const assertUntouched = async (...names: string[]) => {
    for (const name of names) assert.equal((await differences(name)).join("\n"), "", name);
  };

  before(async () => {
    stack = live.stack;
    await step("make the hosts", () =>
      makeHosts(stack, { jump: jumpBox, ...addresses }, `${addresses.lb}:6443`),
    );
    const keys = join(stack.machines.folder, "..");
    // An agent has the key for all hosts, and the one for the last jump box has a passphrase.
    const agent = join(keys, "agent");
    helpers.push(spawn("ssh-agent", ["-D", "-a", agent], { stdio: "ignore" }));
    stack.environment.SSH_AUTH_SOCK = agent;
    process.env.SSH_AUTH_SOCK = agent;
    await eventually(() => output("ssh-add", ["-q", keyFile(stack)]));
    const jumpKey = join(keys, "jump-key");
    const pair = await makeKeyPair("ed25519", secrets.passphrase);
    await writeFile(jumpKey, pair.privateKey, { mode: 0o600 });
    const operatorKey = await output("ssh-keygen", ["-y", "-f", keyFile(stack)]);
    await writeFile(
      join(stack.machines.folder, "lb/ssh/authorized_keys"),
      `from="${jumpBox}" ${pair.publicKey}from="${addresses.lb}" ${operatorKey}`,
    );
    const forward = ["-N", "-L", `${lastJumpPort}:${addresses.lb}:22`, "-i", keyFile(stack)];
    const known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    const first = ["-p", `${sshPort(jumpBox)}`, `${user}@127.0.0.1`];
    helpers.push(spawn("ssh", [...forward, ...known, ...first], { stdio: "ignore" }));
    await inside(
      "cp1",
      `chpasswd && echo '${user} ALL=(ALL) ALL' >/etc/sudoers.d/${user}`,
      `${user}:${secrets.sudoPassword}\n`,
    );
    const worker = { name: "worker1", address: addresses.worker1, podCidr: "10.200.21.0/24" };
    const kubelet = { shutdownGracePeriod: "30s", shutdownGracePeriodCriticalPods: "10s" };
    await stack.write({
      platform: "hosts",
      loadBalancers: [{ name: "lb", address: addresses.lb }],
      controllers: [{ name: "cp1", address: addresses.cp1, podCidr: "10.200.11.0/24" }],
      workerPools: [{ name: "workers", kubelet, machines: [worker] }],
      artifacts: { mirror: stack.mirror },
      hosts: {
        user,
        useAgent: true,
        jumpBox: {
          host: "127.0.0.1",
          port: lastJumpPort,
          privateKeyFile: jumpKey,
          hostKey: await hostKey(stack, "lb"),
        },
        endpoint: { host: "127.0.0.1", port: apiPort },
        machines: await Promise.all(
          hosts.map(async (name) => ({ name, hostKey: await hostKey(stack, name) })),
        ),
        traits: traitsOfThisComputer(),
      },
    });
    await stack.setSecret("hosts.jumpBox.privateKeyPassphrase", secrets.passphrase);
    await stack.setSecret(
      `hosts.machines[${hosts.indexOf("cp1")}].sudoPassword`,
      secrets.sudoPassword,
    );
  });

  after(() => {
    for (const helper of helpers) helper.kill();
    delete process.env.SSH_AUTH_SOCK;
  });

  it("are left alone when the jump box cannot be reached, which is told once", async () => {
    await stack.configure(({ hosts }) => {
      hosts!.jumpBox!.port = 9;
    });
    const { code, stdout, stderr } = await step("pulumi up", () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    await live.restoreSettings();
    assert.notEqual(code, 0);
    const errors = (stdout + stderr).match(/^ +error: .*(?:refused|failed attempts).*$/gm) ?? [];
    assert.equal(errors.length, 1, stdout);
    assert.match(errors[0]!, /proxy: after 10 failed attempts: dial tcp 127.0.0.1:9: .*refused/);
  });

  it("are told all that is wrong with them at once, and not changed before", async () => {
    await inside("lb", `mv /etc/sudoers.d/${user} /root/`);
    await inside(
      "cp1",
      `printf '#!/bin/sh\\nexec /usr/bin/date --date="1 hour ago" "$@"\\n' >/usr/local/bin/date
       chmod 755 /usr/local/bin/date
       mkdir -p /var/lib/etcd/member`,
    );
    await inside(
      "worker1",
      `systemd-run --quiet --unit=squatter socat TCP-LISTEN:10250,fork,reuseaddr /dev/null
       printf 'MemTotal: 512000 kB\\n' >/tmp/meminfo && mount --bind /tmp/meminfo /proc/meminfo`,
    );
    await remember();
    const { code, stdout } = await step("pulumi up", () =>
      stack.pulumi("up", "--yes", "--skip-preview"),
    );
    await assertUntouched(...hosts);
    await inside("lb", `mv /root/${user} /etc/sudoers.d/`);
    await inside("cp1", "rm /usr/local/bin/date; rmdir /var/lib/etcd/member");
    await inside("worker1", "systemctl stop squatter; umount /proc/meminfo; rm /tmp/meminfo");
    assert.notEqual(code, 0);
    const told = stdout.match(/^ +(?:lb|cp1|worker1): .*, got .*; .*$/gm) ?? [];
    const expected = [
      /^lb: no right to sudo without a password, got ada; add the line ada ALL=/,
      /^cp1: its clock is far from this computer's, got -3[56]\d\d s; let both follow/,
      /^cp1: data of an earlier etcd in \/var\/lib\/etcd, got member; move it away/,
      /^worker1: too little memory, got 500 MiB; give it 900 MiB/,
      /^worker1: port 10250 is taken, got squatter.service; stop what listens there/,
    ];
    const lines = [...new Set(told.map((line) => line.trim()))];
    assert.equal(lines.length, expected.length, stdout);
    for (const [index, line] of lines.entries()) assert.match(line, expected[index]!);
  });

  it("each thing that is in the way has its own message", async () => {
    const check = await readFile(new URL("../../stacks/hosts/check.sh", import.meta.url), "utf8");
    const good = {
      now: `${Math.round(Date.now() / 1000)}`,
      address: addresses.worker1,
      node: "yes",
      architecture,
      memory: "1",
      disk: "1",
      cgroup: `${traitsOfThisComputer().cgroupVersion}`,
      container: "yes",
      ports: "10250",
      units: "kubelet",
      folders: "/var/lib/kubelet",
      files: "/etc/crictl.yaml",
    };
    /** What is said when something else is expected, or when a script has changed what can be seen in a namespace of its own. */
    const said = async (
      change: Readonly<Record<string, string>>,
      script = "",
      name = "worker1",
    ) => {
      const words = Object.entries({ ...good, ...change }).map(
        ([key, value]) => `${key}='${value}'`,
      );
      const hidden = `unshare --mount bash -c '${script}
        exec sh -s -- ${name} ${words.join(" ").replaceAll("'", "'\\''")}'`;
      return (await stack.machines.inside("worker1", hidden, check)).trimEnd();
    };
    const hide = (path: string) => `mount --bind /dev/null ${path};`;
    const show = (text: string, path: string) =>
      `echo "${text}" >/run/shown; mount --bind /run/shown ${path};`;
    assert.equal(await said({}), "");
    const rows: readonly (readonly [Promise<string>, RegExp])[] = [
      [
        said({ memory: "9999999" }),
        /^worker1: too little memory, got \d+ MiB; give it 9999999 MiB$/,
      ],
      [
        said({ disk: "99999999" }),
        /^worker1: too little free space for \/opt, got \d+ MiB; make room for 99999999 MiB\nworker1: too little free space for \/var\/lib, got/,
      ],
      [
        said({ now: `${Number(good.now) + 60}` }),
        /^worker1: its clock is far from this computer's, got -(5|6)\d s; let both follow a time server/,
      ],
      [
        said({ now: `${Number(good.now) - 3600}` }),
        /^worker1: its clock is far from this computer's, got (3599|36\d\d) s; /,
      ],
      [
        said({ architecture: "riscv64" }),
        /^worker1: not of architecture riscv64, got \w+; set architecture/,
      ],
      [
        said({ cgroup: "7" }),
        /^worker1: not of cgroup version 7, got [12]; set hosts.traits.cgroupVersion/,
      ],
      [
        said({ container: "no" }, hide("/proc/swaps")),
        /^worker1: a container, .*, got systemd-nspawn; set hosts.traits.container to true$/,
      ],
      [
        said(
          { container: "no" },
          show("Filename\n/dev/sda2 partition\n/swap file", "/proc/swaps").replace(
            "echo",
            "echo -e",
          ),
        ),
        /^worker1: swap is on, which the kubelet refuses, got \/dev\/sda2 \/swap; swapoff --all/m,
      ],
      [
        said({}, "", "worker7"),
        /^worker7: another host name, .*, got worker1; hostnamectl set-hostname worker7, or name the machine so$/,
      ],
      [
        said({ address: "10.240.0.7" }),
        /^worker1: without the address 10.240.0.7, got 10.240.0.21\/24; write/,
      ],
      [
        said({}, "mount -t tmpfs none /run/systemd;"),
        /^worker1: systemd is not its first process, got systemd; use a host that was booted by systemd$/,
      ],
      [
        said({}, hide("/usr/bin/apt-get")),
        /^worker1: not Debian or the like, .*, got Debian GNU.*; use such a host$/,
      ],
      [
        said({}, hide("/usr/bin/curl")),
        /^worker1: programs that are missing, got no curl; apt-get install curl /,
      ],
      [
        said({ units: "ssh" }),
        /^worker1: a ssh.service of its own, got \/lib\/systemd\/system\/ssh.service; remove/,
      ],
      [
        said({ folders: "/home" }),
        /^worker1: \/home is not empty, got ada; move what is in it away, or use another host$/,
      ],
      [
        said({ files: "/etc/none /etc/hostname" }),
        /^worker1: a file that would be replaced, got \/etc\/hostname; move it away, or use another host$/,
      ],
      [
        said({ ports: "22" }),
        /^worker1: port 22 is taken, got ssh.service; stop what listens there, or use another host$/,
      ],
      [
        said({ mirror: "/no where" }),
        /^worker1: without the mirror of artifacts, got no \/no where\/SHA256SUMS; copy or mount/,
      ],
    ];
    for (const [found, expected] of rows) assert.match(await found, expected);
  });

  it("become a cluster, by a user with sudo and through two jump boxes", async () => {
    await remember();
    await step("pulumi up", () => stack.up());
    live.isUp = true;
    await stack.takeKubeconfig();
    assert.deepEqual(await readyNodes(stack), ["cp1", "worker1"]);
    await step("import the test image", () => importTestImage(stack, ["worker1"]));
    await step("start a pod", () => startPod(stack, "probe", "worker1"));
    const counts = await commandsPerMachine(stack);
    assert.ok(counts.cp1! <= 17 && counts.worker1! <= 9, JSON.stringify(counts));
    // What the kubelet would give systemd-logind, which these machines do not have.
    await inside("worker1", "install -D /dev/null /etc/systemd/logind.conf.d/99-kubelet.conf");
  });

  itOnceUp(
    "pass the smoke test and bundle their logs, by sudo and through both jump boxes",
    async () => {
      const smoke = await step("make smoke", () => stack.script("operations/smoke/run-smoke.ts"));
      assert.equal(smoke.code, 0, smoke.stdout);
      const { said, files } = await step("make logs", () => writeLogs(stack));
      assert.doesNotMatch(said, /^missing/m);
      for (const name of hosts)
        assert.match(files.get(`machines/${name}/journal`)!, /systemd\[1\]/);
    },
  );

  itOnceUp("are not taken for another host by the command line that opens a shell", async () => {
    const machines = await stack.output<StackMachine[]>("machines");
    const { ssh } = machines.find(({ name }) => name === "worker1")!;
    const passphrases = { [join(stack.machines.folder, "../jump-key")]: secrets.passphrase };
    const worker = (ssh: string) => ({ name: "worker1", ssh, secrets: { passphrases } });
    assert.equal((await onMachine(worker(ssh), "hostname")).stdout, "worker1\n");
    const key = async (name: string) => (await hostKey(stack, name)).split(" ", 2).join(" ");
    const ofAnother = ssh.replace(await key("worker1"), await key("cp1"));
    await assert.rejects(onMachine(worker(ofAnother), "hostname"), /Host key verification failed/);
  });

  itOnceUp("are not to be found at another address", async () => {
    await stack.configure(({ workerPools }) => {
      workerPools![0]!.machines![0]!.address = "10.240.0.31";
    });
    const { code, stdout, stderr } = await step("pulumi preview", () => stack.pulumi("preview"));
    await live.restoreSettings();
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      /workerPools\[0\]\.machines\[0\]\.address: cannot be changed on a living cluster, got 10.240.0.31; put 10.240.0.21 back, or/,
    );
  });

  itOnceUp("are not even asked when nothing changed", async () => {
    const { logins, said } = await updateWithoutChange(stack);
    assert.match(said, /^ +\d+ unchanged$/m);
    assert.doesNotMatch(said, /^ +[-+~]/m);
    assert.equal(logins, 0);
    // On another computer nobody knows that they have passed; their own services are in nobody's way.
    await rm(`.state/${stack.name}/hosts-checked`);
    const { stdout } = await step("pulumi up after another check", () => stack.up());
    assert.match(stdout, /^ +~ \d+ updated$/m);
  });

  itOnceUp("keep the operator's secrets from all who look", async () => {
    const places = new Map([
      ...(await stack.stateFiles()),
      ...stack.said.map(({ command, text }) => [command, text] as const),
      ["the journal of cp1", await inside("cp1", "journalctl --no-pager --output=verbose")],
    ]);
    for (const [place, text] of places)
      for (const secret of Object.values(secrets))
        for (const form of [secret, JSON.stringify(secret).slice(1, -1)])
          assert.ok(!text.includes(form), place);
  });

  itOnceUp(
    "are as they were once the cluster is destroyed, but for what etcd has stored",
    async () => {
      await destroy(stack);
      live.isUp = false;
      const { text } = stack.said.at(-1)!;
      assert.match(text, /kept on cp1: \/var\/lib\/etcd$/m);
      assert.match(text, /kept on cp1: the user etcd, to whom \/var\/lib\/etcd\S* belongs/);
      await inside("cp1", "test -d /var/lib/etcd/member");
      await assertUntouched("lb", "worker1");
      const ofEtcd = (await differences("cp1")).map(
        (line) => /^\+ (\w+ etcd):/.exec(line)?.[1] ?? line,
      );
      assert.deepEqual(ofEtcd, ["passwd etcd", "shadow etcd", "group etcd", "gshadow etcd"]);
    },
  );
});
