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
      hostKey: undefined,
    });
    assert.equal(jumpBox, undefined);
    assert.deepEqual(settings(onHosts(), keysThere).hosts, {
      user: "root",
      port: 22,
      privateKeyFile: "/keys/ok",
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
    const common = { user: "admin", port: 2222, privateKeyFile, hostKey: undefined };
    assert.deepEqual(machines.get("cp1"), { ...common, host: "10.240.0.11" });
    assert.deepEqual(machines.get("cp2"), { ...common, host: "h", port: 3, user: "u" });
    assert.deepEqual(jumpBox, { ...common, host: "bastion.example.com", port: 22 });
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
