import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { sshTargets } from "../../stacks/hosts/targets.ts";
import { type Change, changed, mistakes, settings, worker1 } from "../support/settings.ts";

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
  "/keys/locked-gcm": openssh("aes256-gcm@openssh.com"),
  "/keys/locked-pem": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n",
  "/keys/locked-rsa":
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AA\n",
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
  const targets = (change: Change = {}) =>
    sshTargets(settings(onHosts(change), keysThere), "/home/operator");

  it("need nothing but a key", () => {
    const { machines, jumpBox } = targets();
    assert.deepEqual([...machines.keys()], ["lb", "cp1", "cp2", "cp3", "worker1", "worker2"]);
    assert.deepEqual(machines.get("cp1"), {
      host: "10.240.0.11",
      port: 22,
      user: "root",
      privateKeyFile: "/keys/ok",
      privateKeyPassphrase: undefined,
      hostKey: undefined,
    });
    assert.equal(jumpBox, undefined);
    assert.deepEqual(settings(onHosts(), keysThere).hosts, {
      user: "root",
      port: 22,
      privateKeyFile: "/keys/ok",
      useAgent: false,
      machines: [],
      traits: { cgroupVersion: 2, container: false, restrictOomScoreAdj: false },
    });
  });

  it("lay what a machine has of its own over what all have in common", () => {
    const { machines, jumpBox } = targets({
      "hosts.user": "admin",
      "hosts.port": 2222,
      "hosts.privateKeyFile": "~/.ssh/id",
      "hosts.jumpBox": { host: "bastion.example.com" },
      "hosts.machines": [{ name: "cp2", host: "h", port: 3, user: "u" }],
    });
    const privateKeyFile = "/home/operator/.ssh/id";
    const key = { privateKeyFile, privateKeyPassphrase: undefined };
    const common = { user: "admin", port: 2222, ...key, hostKey: undefined };
    const sudo = { sudoPassword: undefined };
    assert.deepEqual(machines.get("cp1"), { ...common, ...sudo, host: "10.240.0.11" });
    assert.deepEqual(machines.get("cp2"), { ...common, ...sudo, host: "h", port: 3, user: "u" });
    assert.deepEqual(jumpBox, { ...common, host: "bastion.example.com", port: 22 });
  });

  it("give each key its passphrase, and none of them where an agent has the keys", () => {
    const login = (change: Change) => {
      const { machines, jumpBox } = targets({ "hosts.privateKeyFile": "/keys/locked", ...change });
      return [machines.get("cp1")!, jumpBox!].map((to) => [
        to.privateKeyFile,
        to.privateKeyPassphrase,
      ]);
    };
    const jumpBox = { host: "b" };
    const common = { "hosts.privateKeyPassphrase": "open", "hosts.jumpBox": jumpBox };
    const own = { ...jumpBox, privateKeyFile: "/keys/locked-rsa", privateKeyPassphrase: "sesame" };
    const locked = ["/keys/locked", "open"];
    assert.deepEqual(login(common), [locked, locked]);
    assert.deepEqual(login({ ...common, "hosts.jumpBox": own }), [
      locked,
      ["/keys/locked-rsa", "sesame"],
    ]);
    const withoutKey = { "hosts.jumpBox": { host: "b", privateKeyFile: "/keys/ok" } };
    assert.deepEqual(login({ ...common, ...withoutKey }), [locked, ["/keys/ok", undefined]]);
    const agent = { ...keysThere, env: { SSH_AUTH_SOCK: "/run/agent" }, keysOfAgent: () => 1 };
    const raw = onHosts({ "hosts.privateKeyFile": "/no", "hosts.useAgent": true });
    const { machines } = sshTargets(settings(raw, agent), "/home/operator");
    assert.equal(machines.get("cp1")!.privateKeyFile, undefined);
  });

  it("give each host its password for sudo, but for root", () => {
    const { machines } = targets({
      "hosts.user": "admin",
      "hosts.sudoPassword": "common",
      "hosts.machines": [
        { name: "cp2", sudoPassword: "own" },
        { name: "cp3", user: "root" },
      ],
    });
    const passwords = ["cp1", "cp2", "cp3"].map((name) => machines.get(name)!.sudoPassword);
    assert.deepEqual(passwords, ["common", "own", undefined]);
  });

  it("download from upstream, and may be of any architecture and in any network", () => {
    const raw = onHosts({ architecture: "arm64", "controllers[0].address": "10.240.0.1" });
    const { artifacts, architecture } = settings(raw, { ...keysThere, stack: "My_Stack" });
    assert.deepEqual([artifacts.mirror, architecture], [undefined, "arm64"]);
  });

  it("take keys in each format", () =>
    assert.deepEqual(mistakes(onHosts({ "hosts.privateKeyFile": "/keys/pem" }), keysThere), []));

  const keyTodo = "name the file of a private key for SSH";
  const lockedTodo = (group: string) =>
    `set ${group}.privateKeyPassphrase, or let an agent have the key and set hosts.useAgent to true`;
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
      `hosts.privateKeyFile: protected by a passphrase, got /keys/locked; ${lockedTodo("hosts")}`,
    ],
    [
      { "hosts.privateKeyFile": "id_ed25519" },
      "hosts.privateKeyFile: not the path of a file, got id_ed25519; start it with / or ~/, like ~/.ssh/id_ed25519",
    ],
    [
      { "hosts.jumpBox": { host: "b", privateKeyFile: "/keys/locked-pem" } },
      `hosts.jumpBox.privateKeyFile: protected by a passphrase, got /keys/locked-pem; ${lockedTodo("hosts.jumpBox")}`,
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
      { "hosts.machines": [{ name: "cp1", hostKey: `ssh-rsa ${"A".repeat(44)}` }] },
      `hosts.machines[0].hostKey: an RSA key, which Pulumi's plugin command verifies by SHA-1 alone, as sshd has refused since OpenSSH 8.8, got ssh-rsa ${"A".repeat(44)}; write the host's ed25519 or ecdsa key, as ssh-keyscan -t ed25519,ecdsa shows it`,
    ],
    [
      { "hosts.jumpBox": [{ host: "a" }, { host: "b" }] },
      'hosts.jumpBox: a list, where Pulumi\'s plugin command goes through one host, got [{"host":"a"},{"host":"b"}]; let ssh -N -L 2222:LAST:22 FIRST lead to the last one, and write its group with host 127.0.0.1 and port 2222',
    ],
    [
      { "hosts.privateKeyPassphrase": "sesame" },
      "hosts.privateKeyPassphrase: /keys/ok is not protected, got [secret]; leave it out",
    ],
    [
      { "hosts.privateKeyFile": "/keys/locked-gcm", "hosts.privateKeyPassphrase": "sesame" },
      "hosts.privateKeyFile: encrypted by aes256-gcm@openssh.com, which Pulumi's plugin command does not read, got /keys/locked-gcm; encrypt it anew by ssh-keygen -p -Z aes256-ctr -f /keys/locked-gcm",
    ],
    [
      { "hosts.privateKeyFile": "/keys/locked-pem", "hosts.privateKeyPassphrase": "sesame" },
      "hosts.privateKeyFile: encrypted by PKCS #8, which Pulumi's plugin command does not read, got /keys/locked-pem; encrypt it anew by ssh-keygen -p -Z aes256-ctr -f /keys/locked-pem",
    ],
    [
      { "hosts.jumpBox": { host: "b", privateKeyPassphrase: "sesame" } },
      "hosts.jumpBox.privateKeyPassphrase: that of no key, got [secret]; set hosts.jumpBox.privateKeyFile, or hosts.privateKeyPassphrase",
    ],
    [
      { "hosts.sudoPassword": "two\nlines" },
      "hosts.sudoPassword: not a password, got [secret]; write it in one line, encrypted by pulumi config set --secret",
    ],
    [
      { "hosts.useAgent": true },
      'hosts.useAgent: no agent, since SSH_AUTH_SOCK is not set, got true; start one by eval "$(ssh-agent)" and give it the key by ssh-add',
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

  const locked = { "hosts.privateKeyFile": "/keys/locked", "hosts.privateKeyPassphrase": "sesame" };
  const agent = (keys?: number) => ({
    ...keysThere,
    env: { SSH_AUTH_SOCK: "/run/agent" },
    keysOfAgent: () => keys,
  });
  const inPlain = (where: string) =>
    `${where}: in plain text in the settings, got [secret]; encrypt it by pulumi config set --secret --path 'kthw:${where}'`;
  const elsewhere: readonly (readonly [string, Change, object, readonly string[]])[] = [
    [
      "a passphrase that opens another key",
      locked,
      { opensKey: (file: string, text: string) => file !== "/keys/locked" || text !== "sesame" },
      [
        "hosts.privateKeyPassphrase: not that of /keys/locked, got [secret]; write the one that opens the key",
      ],
    ],
    [
      "secrets in plain text",
      {
        ...locked,
        "hosts.jumpBox": { host: "b", privateKeyFile: "/keys/locked", privateKeyPassphrase: "x" },
        "hosts.sudoPassword": "x",
        "hosts.machines": [{ name: "cp1", sudoPassword: "x" }],
      },
      { isSecret: () => false },
      [
        "hosts.privateKeyPassphrase",
        "hosts.jumpBox.privateKeyPassphrase",
        "hosts.sudoPassword",
        "hosts.machines[0].sudoPassword",
      ].map(inPlain),
    ],
    [
      "an agent that does not answer",
      { "hosts.useAgent": true },
      agent(),
      [
        'SSH_AUTH_SOCK: no agent answers there, got /run/agent; start one by eval "$(ssh-agent)" and give it the key by ssh-add',
      ],
    ],
    [
      "an agent that does not answer, whom Pulumi's plugin asks all the same",
      {},
      agent(),
      ["SSH_AUTH_SOCK: no agent answers there, got /run/agent; unset SSH_AUTH_SOCK"],
    ],
    [
      "an agent without keys",
      { "hosts.useAgent": true },
      agent(0),
      ["hosts.useAgent: an agent without keys, got /run/agent; give it the key by ssh-add"],
    ],
    ["nothing of an agent that is not asked", {}, agent(0), []],
    ["nothing of a key that an agent has", { ...locked, "hosts.useAgent": true }, agent(1), []],
  ];
  for (const [what, change, surroundings, expected] of elsewhere)
    it(`tell ${what}`, () => {
      const all = mistakes(onHosts(change), { ...keysThere, ...surroundings });
      assert.deepEqual(all.toSorted(), expected.toSorted());
    });

  it("hide passwords within groups that are not known", () =>
    assert.deepEqual(
      mistakes(onHosts({ "hosts.jumpbox": { host: "b", sudoPassword: "hunter2" } }), keysThere),
      [
        'hosts.jumpbox: unknown setting, got {"host":"b","sudoPassword":"[secret]"}; did you mean jumpBox?',
        "hosts.jumpBox.sudoPassword: unknown setting, got [secret]; use a known one, those are host, user, port, privateKeyFile, privateKeyPassphrase, hostKey",
      ],
    ));

  it("take host keys of each kind that Pulumi's plugin verifies", () => {
    for (const type of ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp521"]) {
      const hostKey = `${type} ${"A".repeat(44)} root@cp1`;
      const change = { "hosts.machines": [{ name: "cp1", hostKey }] };
      assert.deepEqual(mistakes(onHosts(change), keysThere), [], type);
    }
  });
});
